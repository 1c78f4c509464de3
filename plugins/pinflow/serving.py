"""What readers are served, made anew from what is published: the star, its join, every question's answer."""

from functools import partial

from airflow.sdk import TaskGroup

from pinflow import paths
from pinflow.operators.sql_file import SqlFileOperator
from pinflow.settings import load_settings

_table = partial(SqlFileOperator, materialize=True, max_active_tis_per_dag=1)


def answer_questions() -> TaskGroup:
    """Add `star`, `join_star` and `analytics` to the DAG at hand, a task a file; return the first group."""
    with TaskGroup("star") as star:
        for file in paths.sql_files("star"):
            _table(task_id=paths.stem(file), sql=file, show_rows=False)
    join_star = _table(task_id="join_star", sql="serving/post_batch.sql", show_rows=False)
    star >> join_star >> _analytics()
    return star


def serve_posts() -> SqlFileOperator:
    """Add `serve_posts`, which shows the posts of the layers asked for, and `analytics`; return the first."""
    first = SqlFileOperator(task_id="serve_posts", sql="serving/post_wide.sql", max_active_tis_per_dag=1)
    first >> _analytics()
    return first


def speed_is_served() -> bool:
    """Tell whether readers see the speed layer; without it the answers stay as the batch layer left them."""
    return load_settings().serving == "lambda"


def _analytics() -> TaskGroup:
    with TaskGroup("analytics") as analytics:
        for file in paths.sql_files("analytics"):
            _table(task_id=paths.stem(file), sql=file)
    return analytics
