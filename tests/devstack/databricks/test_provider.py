"""The unmodified Airflow Databricks provider against the endpoint."""

import json
from typing import Any

import pytest
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import (
    DatabricksSQLStatementsOperator,
    DatabricksSubmitRunOperator,
)
from airflow.providers.databricks.triggers.databricks import (
    DatabricksExecutionTrigger,
    DatabricksSQLStatementExecutionTrigger,
)
from airflow.sdk.exceptions import AirflowException, TaskDeferred

from tests.devstack.databricks.conftest import TaskInstance, Workspace, first_event

pytestmark = pytest.mark.stack
SPARK = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"


@pytest.fixture
def connection(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> str:
    content = {
        "conn_type": "databricks",
        "host": "127.0.0.1",
        "schema": "http",
        "port": workspace.settings.databricks_port,
        "password": workspace.settings.databricks_token,
    }
    monkeypatch.setenv("AIRFLOW_CONN_LOCAL_DATABRICKS", json.dumps(content))
    return "local_databricks"


def _operator(workspace: Workspace, connection: str, script: str, **more: Any) -> DatabricksSubmitRunOperator:
    body = workspace.body(script, "--word", "ü", name="provider.py")
    return DatabricksSubmitRunOperator(
        task_id="clean",
        json=body,
        databricks_conn_id=connection,
        polling_period_seconds=1,
        **more,
    )


def test_the_connection_can_be_tested(connection: str) -> None:
    assert DatabricksHook(connection).test_connection() == (True, "Connection successfully tested")


def test_the_hook_submits_follows_and_cancels(workspace: Workspace, connection: str) -> None:
    hook = DatabricksHook(connection)
    run_id = hook.submit_run(workspace.body("import time\ntime.sleep(600)", name="hook.py"))
    assert not hook.get_run_state(run_id).is_terminal
    assert hook.get_job_id(run_id)
    assert hook.get_run_page_url(run_id) == f"{workspace.settings.databricks_url}/runs/{run_id}"
    hook.cancel_run(run_id)
    workspace.wait(run_id)
    state = hook.get_run_state(run_id)
    assert (state.life_cycle_state, state.result_state) == ("TERMINATED", "CANCELED")


def test_the_operator_runs_a_file(workspace: Workspace, connection: str) -> None:
    script = SPARK + "import sys\nprint(sys.argv[1:], spark.range(7).count())"
    ti = TaskInstance()
    operator = _operator(workspace, connection, script, durable=False)
    operator.execute({"ti": ti})
    assert workspace.output(ti.pushed["run_id"])["logs"] == "['--word', 'ü'] 7\n"
    assert ti.pushed["run_page_url"].endswith(f"/runs/{ti.pushed['run_id']}")


def test_the_operator_fails_with_the_error_of_the_run(workspace: Workspace, connection: str) -> None:
    operator = _operator(workspace, connection, SPARK + "spark.table('no.such').show()", durable=False)
    with pytest.raises(AirflowException, match="TABLE_OR_VIEW_NOT_FOUND"):
        operator.execute({"ti": TaskInstance()})


@pytest.mark.parametrize(("script", "result"), [("print(1)", "SUCCESS"), ("1/0", "FAILED")])
def test_the_trigger_waits_for_a_run(workspace: Workspace, connection: str, script: str, result: str) -> None:
    operator = _operator(workspace, connection, f"import time\ntime.sleep(2)\n{script}", deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({"ti": TaskInstance()})
    trigger = deferred.value.trigger
    assert isinstance(trigger, DatabricksExecutionTrigger)
    payload = first_event(trigger)
    assert json.loads(payload["run_state"])["result_state"] == result
    if result == "SUCCESS":
        operator.execute_complete({}, payload)
    else:
        assert payload["errors"][0]["error"] == "ZeroDivisionError: division by zero"
        with pytest.raises(AirflowException, match="ZeroDivisionError"):
            operator.execute_complete({}, payload)


def _statement(connection: str, statement: str, **more: Any) -> DatabricksSQLStatementsOperator:
    return DatabricksSQLStatementsOperator(
        task_id="answer",
        statement=statement,
        warehouse_id="local",
        databricks_conn_id=connection,
        polling_period_seconds=1,
        do_xcom_push=False,
        **more,
    )


def test_the_statements_operator_runs_sql(connection: str) -> None:
    _statement(connection, "SELECT 1", wait_for_termination=True).execute({"ti": TaskInstance()})
    with pytest.raises(AirflowException, match="TABLE_OR_VIEW_NOT_FOUND"):
        _statement(connection, "SELECT * FROM no.such").execute({"ti": TaskInstance()})


def test_the_statement_trigger_waits(connection: str) -> None:
    operator = _statement(connection, "SELECT sum(id % 7) FROM range(1000000)", deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({"ti": TaskInstance()})
    trigger = deferred.value.trigger
    assert isinstance(trigger, DatabricksSQLStatementExecutionTrigger)
    payload = first_event(trigger)
    assert json.loads(payload["state"])["state"] == "SUCCEEDED"
    operator.execute_complete({}, payload)
