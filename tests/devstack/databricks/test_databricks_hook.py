"""What our hook adds to the provider's, against the real endpoint."""

import json
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.airflow_entries import variable
from pinflow import setup, spark_code
from pinflow.errors import SetupError, WorkspaceError
from pinflow.hooks import databricks
from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.operators.cancel_orphans import CancelOrphansOperator
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.run_name import RunName
from tests.devstack.databricks.conftest import Workspace


@pytest.fixture
def hook(light: Workspace, monkeypatch: pytest.MonkeyPatch) -> PinterestDatabricksHook:
    use(light, monkeypatch, light.settings.databricks_token)
    return PinterestDatabricksHook(retry_limit=1)


def use(light: Workspace, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    connection = {
        "conn_type": "databricks", "host": "127.0.0.1", "schema": "http",
        "port": light.settings.databricks_port, "password": token,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", json.dumps(connection))
    volume = variable(light.settings) | {"code_root": "/Volumes/main/default/code"}
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps(volume))


def test_spark_code_goes_into_a_volume_and_once_only(light: Workspace, hook: PinterestDatabricksHook) -> None:
    where = UploadSparkCodeOperator(task_id="upload").execute({})
    built = spark_code.build()
    stored = light.sdk.files.download(where["wheel"]).contents
    assert stored is not None
    assert stored.read() == built.files[built.wheel]
    hook.put_file(f"{where['jobs']}/clean.py", b"left alone")
    assert UploadSparkCodeOperator(task_id="upload").execute({}) == where
    kept = light.sdk.files.download(f"{where['jobs']}/clean.py").contents
    assert kept is not None
    assert kept.read() == b"left alone"
    assert not hook.has_file("/Volumes/main/default/code/absent")


def test_a_refused_token_names_host_connection_and_repair(
    light: Workspace, hook: PinterestDatabricksHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(light, monkeypatch, "wrong")
    refused = r"Databricks at 127\.0\.0\.1 refused.*Repair: .*`pinterest_databricks`.*#workspace"
    with pytest.raises(WorkspaceError, match=refused):
        PinterestDatabricksHook().submit_statement("SELECT 1", "local")
    with pytest.raises(WorkspaceError, match=refused):
        PinterestDatabricksHook().has_file("/Volumes/main/default/code/x")
    with pytest.raises(SetupError, match=r"runs no statement.*Repair: .*#setup"):
        setup.check_databricks()


def test_runs_at_work_are_listed_over_pages_and_those_of_nobody_are_cancelled(
    light: Workspace, hook: PinterestDatabricksHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks, "_PAGE", 1)
    settings = variable(light.settings) | {"code_root": f"s3://{light.settings.bucket}/code/test"}
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps(settings))
    name = str(RunName("pinterest_batch", "clean.pin", "run", 1, str(uuid.uuid4())))
    ended = light.submit(light.body("print(1)"))
    light.wait(ended)
    runs = [
        light.submit(light.body("import time\ntime.sleep(120)", run_name=text)) for text in (name, "other")
    ]
    active = {run["run_id"]: run for run in hook.active_runs()}
    assert set(runs) <= set(active)
    assert ended not in active
    assert active[runs[0]]["run_name"] == name
    context: Any = {"ti": SimpleNamespace(get_task_states=lambda *_, **__: {"run": {"clean.pin": "success"}})}
    (cancelled,) = CancelOrphansOperator(task_id="cancel_orphans").execute(context)
    assert cancelled["run_id"] == runs[0]
    assert light.wait(runs[0])["state"]["result_state"] == "CANCELED"
    assert light.get(runs[1])["state"]["life_cycle_state"] not in ("TERMINATING", "TERMINATED")
    hook.cancel_run(runs[1])
