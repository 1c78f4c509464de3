"""The jobs as a run calls them: explicit parameters in, lines and a RESULT out."""

import json
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

import pinspark.contracts
from pinspark.contracts import TABLES, contract_text, load_contract
from tests.include.conftest import Lake
from tests.include.contracts.test_contracts import changed
from tests.include.kinesis_server import Kinesis
from tests.include.landed import Landing, Row
from tests.include.streams import Streams, person

JOBS = Path(__file__).resolve().parents[4] / "include" / "spark" / "jobs"
Run = Callable[..., dict[str, Any]]
NEEDS = {
    "clean": ["stage"],
    "audit": ["stage", "ops"],
    "publish": ["stage", "silver", "ops"],
    "reconcile": ["silver", "ops"],
    "replay": ["silver", "ops"],
    "find_user": ["stage", "silver", "user_id"],
    "erase": ["stage", "silver", "ops", "user_id"],
    "optimize": ["stage", "silver", "gold", "ops", "user_id"],
    "ingest": ["silver"],
    "audit_stream": ["silver", "ops"],
    "report": ["silver", "gold", "ops"],
}


@pytest.fixture(scope="module")
def run_job(spark: SparkSession, lake: Lake) -> Run:
    """Run a job's main in this process and give its RESULT; the schemas it needs are given by themselves."""

    def run(job: str, manifests: Row | list[Row] | None = None, **given: str) -> dict[str, Any]:
        if manifests is not None:
            given["manifest" if isinstance(manifests, dict) else "manifests"] = json.dumps(manifests)
        given = {name: getattr(lake, name) for name in NEEDS[job]} | given
        arguments = [part for name, text in given.items() for part in (f"--{name.replace('_', '-')}", text)]
        lines: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [job, *arguments])
            patch.setattr(
                "builtins.print", lambda *parts, **_: lines.extend(" ".join(map(str, parts)).split("\n"))
            )
            runpy.run_path(str(JOBS / f"{job}.py"), run_name="__main__")
        assert lines[-1].startswith("RESULT ")
        result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
        return result | {"log": lines[:-1]}

    return run


@pytest.fixture(scope="module")
def streams(
    spark: SparkSession,
    lake: Lake,
    kinesis: Kinesis,
    run_job: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Streams]:
    """Make tables and views of a person, who has no streams yet."""

    def make(user_id: str) -> Streams:
        own = person(spark, lake, user_id)
        return Streams(spark, own, kinesis, run_job, tmp_path_factory.mktemp("streams"))

    return make


@pytest.fixture
def change_contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Give the jobs a contract file with other parts, as somebody would edit it, until the test ends."""
    texts = {table: contract_text(table) for table in TABLES}

    def change(table: str, **parts: Any) -> None:
        texts[table] = yaml.safe_dump(changed(table, **parts), sort_keys=False)
        monkeypatch.setattr(pinspark.contracts, "contract_text", texts.__getitem__)
        load_contract.cache_clear()

    yield change
    load_contract.cache_clear()


def load(run_job: Run, manifests: list[Row]) -> dict[str, Any]:
    """Clean, audit and publish a window."""
    cleaned = {manifest["table"]: run_job("clean", manifest) for manifest in manifests}
    results = [{name: said[name] for name in said if name != "log"} for said in cleaned.values()]
    audited = run_job("audit", manifests, cleaned=json.dumps(results))
    return {"clean": cleaned, "audit": audited, "publish": run_job("publish", manifests)}


def landings(folder: Path, start: str, end: str, run: str) -> dict[str, Landing]:
    """Begin the three tables of a window."""
    return {table: Landing(folder, table, start, end, run) for table in TABLES}
