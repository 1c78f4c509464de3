"""The snapshot of the source, with the lake in moto."""

import gzip
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from pinflow.errors import SourceUnavailableError
from pinflow.hooks.source import SourceHook
from pinflow.operators import mysql_to_lake
from pinflow.operators.mysql_to_lake import MySqlToLakeOperator, parts
from pinflow.paths import run_hash
from pinflow.wire import fit, wire

ROWS: dict[str, list[dict[str, Any]]] = {
    "pin": [{"index": ind, "title": "ß\n😀"} for ind in range(5)],
    "geo": [{"ind": 1, "timestamp": datetime(2022, 10, 15, 1), "latitude": -67.2157}],
    "user": [],
}


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_RDS", "mysql://u:p@db:3306/pinterest_data")
    posts = [{"ind": 1, "post_ts": datetime(2022, 10, 15, 1)}]
    monkeypatch.setattr(SourceHook, "compare_columns", lambda _: [])
    monkeypatch.setattr(SourceHook, "every_post", lambda _: iter(posts))
    monkeypatch.setattr(SourceHook, "every_row", lambda _, table: iter(ROWS[table]))


def snapshot(try_number: int = 1, task_id: str = "snapshot_source") -> str:
    run = SimpleNamespace(dag_id="pinterest_maintenance", run_id="r")
    ti = SimpleNamespace(task_id=task_id, try_number=try_number)
    context: Any = {"dag_run": run, "ti": ti}
    return MySqlToLakeOperator(task_id=task_id).execute(context)


def objects(bucket: str) -> dict[str, bytes]:
    s3 = boto3.client("s3", region_name="us-east-1")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    return {
        key: gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in sorted(keys)
    }


def test_a_snapshot_holds_the_bytes_of_the_wire_in_parts_named_by_their_first_row(
    bucket: str, source: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(wire(ROWS["pin"][0]))
    monkeypatch.setattr(mysql_to_lake.parts, "__defaults__", (2 * size,))
    folder = snapshot()
    prefix = f"reconcile/{run_hash('pinterest_maintenance', 'r')}/snapshot_source/1"
    assert folder == f"s3://{bucket}/{prefix}"
    lines = [wire(row) + b"\n" for row in ROWS["pin"]]
    assert objects(bucket) == {
        f"{prefix}/geo/partition=0/geo+0+{0:020d}.json.gz": wire(ROWS["geo"][0]) + b"\n",
        f"{prefix}/pin/partition=0/pin+0+{0:020d}.json.gz": b"".join(lines[:2]),
        f"{prefix}/pin/partition=0/pin+0+{2:020d}.json.gz": b"".join(lines[2:4]),
        f"{prefix}/pin/partition=0/pin+0+{4:020d}.json.gz": lines[4],
        f"{prefix}/posts/partition=0/posts+0+{0:020d}.json.gz": b'{"ind":1,"post_ts":"2022-10-15T01:00:00Z"}\n',
        f"{prefix}/user/partition=0/user+0+{0:020d}.json.gz": b"",
    }


def test_a_row_too_large_stands_in_a_snapshot_as_it_is_sent(
    bucket: str, source: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", '{"max_row_bytes": 1000}')
    monkeypatch.setitem(ROWS, "pin", [{"index": 8, "title": "x" * 1_000}])
    folder = snapshot().removeprefix(f"s3://{bucket}/")
    line = objects(bucket)[f"{folder}/pin/partition=0/pin+0+{0:020d}.json.gz"]
    assert line == fit("index", 8, wire(ROWS["pin"][0]), 1_000) + b"\n"
    assert len(line) < 200


def test_each_task_and_try_has_a_folder_of_its_own(bucket: str, source: None) -> None:
    folders = {snapshot(1), snapshot(2), snapshot(1, "snapshot_again")}
    assert len(folders) == 3
    assert len(objects(bucket)) == 12


def test_a_lost_connection_fails_the_task(bucket: str, source: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: SourceHook, table: str) -> Iterator[dict[str, Any]]:
        yield ROWS["pin"][0]
        raise SourceUnavailableError("gone.", "wait.")

    monkeypatch.setattr(SourceHook, "every_row", lost)
    with pytest.raises(SourceUnavailableError):
        snapshot()


def test_parts_are_bounded_and_a_large_line_stands_alone() -> None:
    lines = [b"12", b"34", b"5", b"x" * 50, b"6"]
    assert list(parts(lines, most=4)) == [
        (0, [b"12", b"34"]),
        (2, [b"5"]),
        (3, [b"x" * 50]),
        (4, [b"6"]),
    ]
    assert list(parts([])) == [(0, [])]


def test_parts_are_cut_while_the_lines_are_read() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    assert next(parts(endless(), most=3)) == (0, [b"x"] * 3)
