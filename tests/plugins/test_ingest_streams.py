"""A checkpoint has one writer: the hourly reader steps back while a continuous one runs."""

import json
import uuid
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.operators.ingest_streams import IngestStreamsOperator
from pinflow.operators.spark_job import PinsparkRunOperator
from pinflow.run_name import RunName

CODE = "s3://user-12e834567890-bucket/code/"
LIVE = str(RunName("pinterest_live", "ingest", "manual__1", 1, str(uuid.uuid4())))
OTHERS = str(RunName("pinterest_live", "catch_up", "manual__1", 1, str(uuid.uuid4())))


@pytest.fixture
def listed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The workspace's active runs; what the operator would submit ends as `ran`."""
    runs: list[dict[str, Any]] = []
    conn = {"conn_type": "databricks", "host": "h", "password": "t"}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", json.dumps(conn))
    monkeypatch.setattr(PinterestDatabricksHook, "active_runs", lambda _: iter(runs))
    monkeypatch.setattr(PinsparkRunOperator, "execute", lambda *_: "ran")
    return runs


def active(run_id: int, name: str, code: str = CODE) -> dict[str, Any]:
    task = {"spark_python_task": {"python_file": f"{code}x/jobs/ingest.py"}}
    return {"run_id": run_id, "run_name": name, "tasks": [task]}


def operator(**more: Any) -> IngestStreamsOperator:
    return IngestStreamsOperator(task_id="ingest", code={}, **more)


def test_it_skips_and_names_the_run_that_reads(listed: list[dict[str, Any]]) -> None:
    listed += [active(6, "nightly job"), active(7, LIVE)]
    with pytest.raises(AirflowSkipException, match=r"Run 7 of pinterest_live\.ingest reads"):
        operator(beside="pinterest_live.ingest").execute({})


def test_it_runs_beside_everything_else(listed: list[dict[str, Any]]) -> None:
    listed += [active(6, "nightly job"), active(7, OTHERS), active(8, LIVE, "s3://another/code/")]
    assert operator(beside="pinterest_live.ingest").execute({}) == "ran"
    listed.append(active(9, LIVE))
    assert operator().execute({}) == "ran"


def test_only_what_is_asked_for_is_a_parameter_of_the_job() -> None:
    assert "--until" not in operator().arguments
    assert operator(until="2022-10-15T13:00:00+00:00").arguments[-4:-2] == [
        "--until",
        "2022-10-15T13:00:00+00:00",
    ]
    assert operator(rebuild="true").arguments[-2:] == ["--rebuild", "true"]
