"""What readers are served: every question's answer, made anew from what is published."""

from airflow.sdk import TaskGroup

from pinflow import paths
from pinflow.operators.sql_file import SqlFileOperator


def answer_questions() -> TaskGroup:
    """Add the task group `analytics` to the DAG at hand: one task a file of include/sql/analytics."""
    with TaskGroup("analytics") as group:
        for file in paths.sql_files("analytics"):
            SqlFileOperator(task_id=paths.stem(file), sql=file, materialize=True, max_active_tis_per_dag=1)
    return group
