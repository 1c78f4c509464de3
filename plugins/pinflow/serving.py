"""What readers are served, made anew from what is published: the star, its join, every question's answer."""

from functools import partial
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import TaskGroup

from pinflow import paths
from pinflow.operators.ingest_streams import TABLES as STREAMED_TABLES
from pinflow.operators.spark_job import PinsparkRunOperator
from pinflow.operators.sql_file import SqlFileOperator
from pinflow.settings import TABLES, load_settings

_SENT = ", ".join("{{ ti.xcom_pull(task_ids='emulate." + t + "') | tojson }}" for t in TABLES)
_table = partial(SqlFileOperator, materialize=True, max_active_tis_per_dag=1)


def answer_questions(then: BaseOperator | None = None) -> TaskGroup:
    """Add `star`, `join_star` and `analytics` to the DAG at hand, a task a file; return the first group.

    `then` is a task that waits for every answer.
    """
    with TaskGroup("star") as star:
        for file in paths.sql_files("star"):
            _table(task_id=paths.stem(file), sql=file, show_rows=False)
    join_star = _table(task_id="join_star", sql="serving/post_batch.sql", show_rows=False)
    analytics = _analytics()
    star >> join_star >> analytics
    if then is not None:
        analytics >> then
    return star


def audit_and_serve(code: Any, **more: Any) -> PinsparkRunOperator:
    """Add `audit` of what `emulate.*` sent to the streams, then what readers are served; return it."""
    audit = PinsparkRunOperator(
        task_id="audit",
        job="audit_stream.py",
        arguments=["--manifests", f"[{_SENT}]", *STREAMED_TABLES, "--ops", "{{ ops }}"],
        code=code,
        max_active_tis_per_dag=1,
        **more,
    )
    audit >> ShortCircuitOperator(task_id="is_served", python_callable=speed_is_served) >> serve_posts()
    return audit


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
