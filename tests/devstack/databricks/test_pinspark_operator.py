"""Our submit-run operator against the real endpoint and engine."""

import json

import pytest
from airflow.sdk.exceptions import TaskDeferred

from devstack.airflow_entries import variable
from pinflow import spark_code
from pinflow.errors import RemoteRunError
from pinflow.operators import spark_job
from pinflow.operators.spark_job import PinsparkRunOperator
from tests.devstack.databricks.conftest import TaskInstance, Workspace, first_event

pytestmark = pytest.mark.stack
SLOW = "import time\ntime.sleep(2)\n"
RESULT = "print('RESULT {\"moved\": 3}')"


@pytest.fixture
def code(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    settings = workspace.settings
    connection = {
        "conn_type": "databricks", "host": "127.0.0.1", "schema": "http",
        "port": settings.databricks_port, "password": settings.databricks_token,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps(variable(settings)))
    built = spark_code.build()
    wheel = workspace.put(built.wheel, built.files[built.wheel])
    return {"jobs": wheel.rsplit("/", 1)[0], "wheel": wheel}


def operator(workspace: Workspace, code: dict[str, str], name: str, script: str) -> PinsparkRunOperator:
    workspace.put(name, script)
    return PinsparkRunOperator(task_id="clean.pin", job=name, arguments=["--table", "pin"], code=code)


def test_a_short_run_ends_while_the_task_waits(workspace: Workspace, code: dict[str, str]) -> None:
    ti = TaskInstance("short")
    assert operator(workspace, code, "short.py", SLOW + RESULT).execute({"ti": ti}) == {"moved": 3}
    assert ti.pushed["run_page_url"].endswith(f"/runs/{ti.pushed['run_id']}")


def test_a_long_run_defers_and_gives_its_result_afterwards(
    workspace: Workspace, code: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_job, "_WAIT", 0.0)
    task = operator(workspace, code, "long.py", SLOW + RESULT)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({"ti": TaskInstance("long")})
    assert task.execute_complete(None, first_event(deferred.value.trigger)) == {"moved": 3}


def test_a_retry_attaches_to_a_run_that_is_alive_and_repeats_one_that_failed(
    workspace: Workspace, code: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_job, "_WAIT", 0.0)
    task = operator(workspace, code, "fails.py", SLOW + "raise SystemExit('no such table')")
    tries = [TaskInstance("again", number) for number in (1, 2, 3)]
    for ti in tries[:2]:
        with pytest.raises(TaskDeferred):
            task.execute({"ti": ti})
    assert tries[0].pushed["run_id"] == tries[1].pushed["run_id"]
    workspace.wait(tries[0].pushed["run_id"])
    monkeypatch.setattr(spark_job, "_WAIT", 60.0)
    with pytest.raises(RemoteRunError, match=r"no such table.*Repair: "):
        task.execute({"ti": tries[2]})
    assert tries[2].pushed["run_id"] != tries[0].pushed["run_id"]


def test_a_dag_run_that_was_deleted_and_made_again_gets_a_run_of_its_own(
    workspace: Workspace, code: dict[str, str]
) -> None:
    task, before, after = (
        operator(workspace, code, "anew.py", RESULT),
        TaskInstance("anew"),
        TaskInstance("anew"),
    )

    def run_of(ti: TaskInstance) -> int:
        assert task.execute({"ti": ti}) == {"moved": 3}
        return int(ti.pushed["run_id"])

    assert run_of(before) == run_of(before) != run_of(after)
