"""A file more in include/sql/analytics is a task more in the batch; no Python knows it."""

import runpy
import shutil
from pathlib import Path

import pytest

from pinflow.operators.sql_file import wrap

REPO = Path(__file__).resolve().parents[2]
SQL = "-- what\n-- grain: one row per medium\n-- materialize: table\nSELECT 1 AS posts\n"


def tasks() -> dict[str, set[str]]:
    """The tasks of the batch and what runs before each."""
    dag = runpy.run_path(str(REPO / "dags" / "pinterest_batch.py"))["publish"].dag
    return {task.task_id: task.upstream_task_ids for task in dag.tasks}


def test_a_question_more_is_a_task_more_behind_publish(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = tasks()
    shutil.copytree(REPO / "include", tmp_path / "include")
    (tmp_path / "include" / "sql" / "analytics" / "posts_by_medium.sql").write_text(SQL)
    monkeypatch.setenv("PINFLOW_INCLUDE", str(tmp_path / "include"))
    new = "analytics.posts_by_medium"
    assert tasks() == {
        **before,
        new: before["analytics.top_category_by_year"],
        "report": {*before["report"], new},
    }
    made = wrap(SQL, "gold.posts_by_medium", "posts_by_medium.sql")
    assert made.startswith("CREATE OR REPLACE TABLE gold.posts_by_medium AS")
