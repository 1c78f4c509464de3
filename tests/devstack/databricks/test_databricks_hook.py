"""What our hook adds to the provider's, against the real endpoint."""

import json

import pytest

from devstack.airflow_entries import variable
from pinflow import setup, spark_code
from pinflow.errors import SetupError, WorkspaceError
from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
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
