"""The source changes after it was published: the days are marked, rebuilt, and true again."""

import json
import uuid
from typing import Any

import httpx
import pytest

from devstack.s3proxy import client
from tests.e2e.conftest import BATCH, TABLES, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.long]

MAINTENANCE = "pinterest_maintenance"
FIRST, SECOND, THIRD, FOURTH, END = (f"2022-11-0{day}" for day in range(1, 6))
NEW = 800_001


def ids_of(stack: Stack, day: str) -> list[int]:
    rows = stack.mysql(f"SELECT ind FROM geolocation_data WHERE date(`timestamp`) = '{day}' ORDER BY ind")
    return [row[0] for row in rows]


def maintain(stack: Stack, task_id: str) -> tuple[str, dict[str, Any]]:
    """Run the maintenance with rebuild; give its id and what a task returned."""
    run_id = stack.trigger(MAINTENANCE, {"rebuild": True})
    stack.finish(MAINTENANCE, run_id, seconds=900)
    found = stack.api.xcom(MAINTENANCE, run_id, task_id)
    return run_id, json.loads(found) if isinstance(found, str) else found


def databricks(stack: Stack, method: str, path: str, **options: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {stack.settings.databricks_token}"}
    url = f"{stack.settings.databricks_url}/api/2.2/jobs/runs/{path}"
    answer: dict[str, Any] = httpx.request(method, url, headers=headers, trust_env=False, **options).json()
    return answer


def abandoned_run(stack: Stack) -> int:
    """Start a Databricks run in the name of a task that has ended."""
    code = f"s3://{stack.settings.bucket}/code/e2e/sleep.py"
    client(stack.settings).put_object(
        Bucket=stack.settings.bucket, Key="code/e2e/sleep.py", Body=b"import time; time.sleep(600)"
    )
    (ended, *_) = (run.run_id for run in stack.api.runs(BATCH, state="success"))
    body = {
        "run_name": f"{BATCH}.clean.pin {ended} try 1 ({uuid.uuid4()})",
        "tasks": [
            {"task_key": "sleep", "spark_python_task": {"python_file": code}, "environment_key": "default"}
        ],
        "environments": [{"environment_key": "default", "spec": {"environment_version": "4"}}],
    }
    return int(databricks(stack, "POST", "submit", json=body)["run_id"])


def states(stack: Stack, run_id: str) -> dict[str, str]:
    return {task.task_id: task.state for task in stack.api.tasks(MAINTENANCE, run_id)}


def test_days_that_the_source_has_changed_since_are_marked_rebuilt_and_confirmed(stack: Stack) -> None:
    if not stack.ledger(FIRST, END):
        stack.load(FIRST, END, answers=False)
    changed, moved = ids_of(stack, FIRST)[:2]
    deleted = ids_of(stack, THIRD)[0]
    stack.mysql(
        f"UPDATE pinterest_data SET title = 'changed later' WHERE `index` = {changed}",
        f"UPDATE geolocation_data SET `timestamp` = '{FOURTH} 01:02:03' WHERE ind = {moved}",
        *(
            f"DELETE FROM {table} WHERE `{key}` = {deleted}"
            for table, key in (("pinterest_data", "index"), ("geolocation_data", "ind"), ("user_data", "ind"))
        ),
        f"INSERT INTO geolocation_data VALUES ({NEW}, '{THIRD} 23:59:59', 1.5, 2.5, 'Cuba')",
        f"INSERT INTO user_data VALUES ({NEW}, 'Later', 'Comer', 33, '2016-01-02 03:04:05')",
    )
    untouched = stack.checksum("silver.pin", f"post_date = '{SECOND}'")
    stack.api.wait_for_dag(MAINTENANCE)
    stack.api.unpause(MAINTENANCE)

    run_id, found = maintain(stack, "reconcile")
    windows = [(window["window_start"], window["window_end"]) for window in found["windows"]]
    assert windows == [(FIRST, SECOND), (THIRD, END)]
    assert "1 inserted, 0 changed, 0 moved, 1 deleted" in stack.log(MAINTENANCE, run_id, "reconcile")
    ended = states(stack, run_id)
    begins = ("plan_erasure", "find_user", "erase_", "star.", "join_star", "analytics.")
    erasure = {task for task in ended if task.startswith(begins)}
    assert {ended[task] for task in erasure} == {"skipped"}
    assert {state for task, state in ended.items() if task not in erasure} == {"success"}
    assert "files became" in stack.log(MAINTENANCE, run_id, "optimize")
    assert stack.rows("SELECT * FROM ops.stale_days") == []

    ledger = stack.assert_ledger_holds(FIRST, END)
    assert ledger["pin"]["orphans"] == 1  # the inserted post has no row there
    assert stack.rows(f"SELECT title FROM silver.pin WHERE ind = {changed}") == [{"title": "changed later"}]
    assert stack.rows(f"SELECT user_name FROM silver.user WHERE ind = {NEW}") == [
        {"user_name": "Later Comer"}
    ]
    for table in TABLES:
        days = stack.rows(f"SELECT ind, post_date FROM silver.`{table}` WHERE ind IN ({moved}, {deleted})")
        assert days == [{"ind": str(moved), "post_date": FOURTH}], table
    assert stack.checksum("silver.pin", f"post_date = '{SECOND}'") == untouched

    nobodys = abandoned_run(stack)
    run_id, found = maintain(stack, "reconcile")
    assert (found["stale"], found["windows"]) == ([], [])
    after = states(stack, run_id)
    assert {after[task] for task in ("rebuild", "snapshot_again", "confirm")} == {"skipped"}
    assert f"Cancelling Databricks run {nobodys}" in stack.log(MAINTENANCE, run_id, "cancel_orphans")
    assert databricks(stack, "GET", "get", params={"run_id": nobodys})["state"]["result_state"] == "CANCELED"
