"""What readers are served, made anew from what is published: the star, its join, every question's answer."""

from functools import partial

from airflow.sdk import TaskGroup

from pinflow import paths
from pinflow.operators.sql_file import SqlFileOperator

_table = partial(SqlFileOperator, materialize=True, max_active_tis_per_dag=1)


def answer_questions() -> TaskGroup:
    """Add `star`, `join_star` and `analytics` to the DAG at hand, a task a file; return the first group."""
    with TaskGroup("star") as star:
        for file in paths.sql_files("star"):
            _table(task_id=paths.stem(file), sql=file, show_rows=False)
    join_star = _table(task_id="join_star", sql="serving/post_batch.sql", show_rows=False)
    with TaskGroup("analytics") as analytics:
        for file in paths.sql_files("analytics"):
            _table(task_id=paths.stem(file), sql=file)
    star >> join_star >> analytics
    return star
