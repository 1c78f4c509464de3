"""What `make stream` reads of a Delta log: rows that became visible, when, and how old they were."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from moto import mock_aws

from devstack.stream import DeltaLog, Watch, quantile
from tests.devstack.test_makefile import recipe

BUCKET, PREFIX = "bucket", "lake/silver/12e834567890_pin_table"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
        client.create_bucket(Bucket=BUCKET)
        yield client


def put(s3: Any, key: str, content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{key}", Body=io.BytesIO(content))


def commit(s3: Any, version: int, at: float, *files: str, operation: str = "WRITE", new: bool = True) -> None:
    info = {"commitInfo": {"timestamp": round(at * 1000), "operation": operation}}
    actions = [info, *({"add": {"path": file, "dataChange": new}} for file in files)]
    lines = "\n".join(map(json.dumps, actions))
    put(s3, f"_delta_log/{version:020d}.json", lines.encode())
    put(s3, f"_delta_log/{version:020d}.crc", b"{}")


def part(s3: Any, folder: Path, name: str, *arrived: float) -> str:
    values = ", ".join(f"(to_timestamp({moment}))" for moment in arrived)
    file = folder / name
    duckdb.execute(f"COPY (SELECT * FROM (VALUES {values}) AS t(arrived_at)) TO '{file}' (FORMAT parquet)")
    put(s3, name, file.read_bytes())
    return name


def test_each_row_is_as_old_as_its_commit_is_later_than_its_arrival(s3: Any, tmp_path: Path) -> None:
    commit(s3, 0, 900, operation="CREATE TABLE")
    commit(s3, 1, 950, part(s3, tmp_path, "before.parquet", 940))
    log = DeltaLog(s3, BUCKET, PREFIX)
    log.skip()
    watch = Watch([log])
    assert watch.look() == []
    commit(
        s3, 2, 1010.5, part(s3, tmp_path, "a.parquet", 1000, 1004), part(s3, tmp_path, "b.parquet", 1009.5)
    )
    commit(s3, 3, 1020, part(s3, tmp_path, "c.parquet", 1001), operation="OPTIMIZE")
    commit(s3, 4, 1021, part(s3, tmp_path, "d.parquet", 1002), new=False)
    commit(s3, 5, 1022)  # a micro-batch without a good row
    assert sorted(watch.look()) == pytest.approx([1.0, 6.5, 10.5])
    assert watch.newest == pytest.approx(1009.5)
    assert watch.look() == []
    commit(s3, 6, 1030, part(s3, tmp_path, "e.parquet", 1005))
    assert watch.look() == pytest.approx([25.0])
    assert watch.newest == pytest.approx(1009.5)
    assert [row.arrived for row in watch.rows] == pytest.approx([1000, 1004, 1009.5, 1005])


def test_a_quantile_is_a_value_that_was_seen() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile([3.0], 0.95)) == (51, 96, 3)


def test_rate_and_seconds_have_defaults_and_reach_the_command_as_they_are() -> None:
    assert recipe("stream").endswith("stream '30' '60'")
    assert recipe("stream", "RATE=300", "SECONDS=5").endswith("stream '300' '5'")
