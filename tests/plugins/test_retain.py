"""What leaves the lake and stage, with the lake in moto and a warehouse that remembers its statements."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import sqlglot

from pinflow.errors import LakeError
from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.hooks.lake import LakeHook
from pinflow.operators import retain
from pinflow.operators.retain import RetainOperator
from pinflow.paths import landed_key
from pinflow.retention import Stored, expired, expired_landed

TOPIC = "12e834567890.pin"
LIMIT = datetime(2022, 10, 15, tzinfo=UTC)
OLD, NEW = LIMIT - timedelta(seconds=1), LIMIT
KEPT, GONE = "aaaa00000001", "bbbb00000002"


def landed(partition: int, start: int, modified: datetime, padding: int = 20) -> Stored:
    return Stored(landed_key(TOPIC, partition, start, padding), modified)


def test_what_is_older_than_the_limit_expires() -> None:
    assert list(expired([Stored("a", OLD), Stored("b", NEW), Stored("c", OLD)], LIMIT)) == ["a", "c"]


def test_the_newest_object_of_a_partition_stays_however_old_it_is() -> None:
    objects = [landed(0, 0, OLD), landed(0, 5, OLD), landed(0, 9, OLD), landed(1, 0, OLD), landed(2, 0, OLD)]
    objects.append(landed(2, 7, NEW))
    assert list(expired_landed(objects, LIMIT)) == [objects[0].key, objects[1].key, objects[4].key]


def test_the_newest_is_the_one_of_the_highest_offset_at_any_padding() -> None:
    short, long = landed(0, 12, OLD, 1), landed(0, 7, OLD)
    assert list(expired_landed([long, short], LIMIT)) == [long.key]
    assert list(expired_landed([short, long], LIMIT)) == [long.key]


def test_what_is_not_the_sinks_is_left_alone() -> None:
    other = Stored(f"topics/{TOPIC}/partition=0/notes.txt", OLD)
    assert list(expired_landed([other, landed(0, 0, OLD)], LIMIT)) == []


class Warehouse:
    """Answers the one question about stage and remembers what was deleted."""

    def __init__(self, runs: list[str | None]) -> None:
        self.runs = runs
        self.deleted: list[str] = []

    def run_statement(self, sql: str, warehouse_id: str, what: str, **more: Any) -> dict[str, Any]:
        for dialect in ("databricks", "spark"):
            assert not isinstance(sqlglot.parse_one(sql, dialect=dialect), sqlglot.exp.Command), sql
        if sql.startswith("SELECT"):
            assert sql.count("`stage`.") == 6
            return {"result": {"data_array": [[run] for run in self.runs]}}
        self.deleted.append(sql)
        return {}


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    fake = Warehouse([KEPT, GONE])
    monkeypatch.setattr(PinterestDatabricksHook, "__init__", lambda self, *_, **__: None)
    monkeypatch.setattr(
        PinterestDatabricksHook, "run_statement", lambda _, *args, **more: fake.run_statement(*args, **more)
    )
    return fake


def put(bucket: str, *keys: str) -> None:
    for key in keys:
        boto3.client("s3", region_name="us-east-1").put_object(Bucket=bucket, Key=key, Body=b"")


def left(bucket: str) -> set[str]:
    entries = boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket=bucket).get("Contents", ())
    return {entry["Key"] for entry in entries}


def manifest(run: str) -> str:
    return f"manifests/pin/20221015T000000Z_20221016T000000Z/{run}/1.jsonl.gz"


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    monkeypatch.setattr(retain, "now", lambda: datetime.now(UTC) + timedelta(days=days))


def test_each_kind_leaves_at_its_age_and_everything_else_stays(
    bucket: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, newest = landed_key(TOPIC, 0, 0, 20), landed_key(TOPIC, 0, 9, 20)
    foreign, code, report = (
        "topics/other.topic/partition=0/other.topic+0+1.json",
        "code/x/a.whl",
        "reports/x.html",
    )
    snapshot = f"reconcile/{GONE}/snapshot_source/1/pin/partition=0/pin+0+0.json.gz"
    put(bucket, first, newest, foreign, code, report, snapshot, manifest(GONE))
    task = RetainOperator(task_id="retain")
    later(monkeypatch, 6)
    warehouse.runs = []
    assert task.execute({}) == {"landed": 0, "manifests": 0, "snapshots": 0, "runs": 0}
    later(monkeypatch, 8)
    assert task.execute({}) == {"landed": 0, "manifests": 0, "snapshots": 1, "runs": 0}
    later(monkeypatch, 31)
    assert task.execute({}) == {"landed": 1, "manifests": 1, "snapshots": 0, "runs": 0}
    assert left(bucket) == {newest, foreign, code, report}


def test_rows_of_a_run_leave_stage_when_its_last_manifest_is_gone(bucket: str, warehouse: Warehouse) -> None:
    put(bucket, manifest(KEPT), "manifests/setup-check")
    warehouse.runs = [KEPT, GONE, None, "x'; DROP"]
    RetainOperator(task_id="retain").execute({})
    assert len(warehouse.deleted) == 6
    assert all(sql.endswith(f"WHERE run IN ('{GONE}')") for sql in warehouse.deleted)
    assert "DELETE FROM `stage`.`user_rejects`" in "\n".join(warehouse.deleted)


def test_a_limit_of_nothing_keeps_for_ever(
    bucket: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"landed_days": 0, "manifest_days": None, "snapshot_days": 0}
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({"retention": limits}))
    keys = [landed_key(TOPIC, 0, 0, 20), landed_key(TOPIC, 0, 9, 20), manifest(KEPT), "reconcile/a/b/1/c"]
    put(bucket, *keys)
    later(monkeypatch, 10_000)
    RetainOperator(task_id="retain").execute({})
    assert left(bucket) == set(keys)


def test_more_than_a_thousand_objects_go_in_batches(bucket: str) -> None:
    keys = [f"reconcile/{number}" for number in range(1003)]
    put(bucket, *keys)
    assert LakeHook().delete(bucket, iter(keys)) == 1003
    assert left(bucket) == set()


def test_a_refused_deletion_names_the_object_and_the_grant(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def delete_objects(self, **_: Any) -> dict[str, Any]:
            return {"Errors": [{"Key": "a/b", "Code": "AccessDenied", "Message": "Access Denied"}]}

    monkeypatch.setattr(LakeHook, "conn", Refusing())
    with pytest.raises(
        LakeError, match=r"a/b cannot be deleted: Access Denied.*Repair: grant s3:DeleteObject"
    ):
        LakeHook().delete(bucket, ["a/b"])
