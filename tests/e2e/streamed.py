"""Posts of days that no other test has, sent through the streams, and what became of them."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from devstack.airflow_api import Run
from devstack.s3proxy import client
from devstack.source.columns import tables
from devstack.source.generate import Chunk, Generator, Plan
from devstack.source.load import connected
from pinflow.wire import wire
from tests import answers
from tests.e2e.conftest import BATCH, TABLES, Stack
from tests.e2e.test_batch import source_rows

STREAM = "pinterest_stream"
PLAN = Plan(posts=700, first=date(2021, 11, 20), last=date(2021, 11, 26), random_seed=11)
BASE = 3_000_000  # ids from here on are of these tests
Counts = dict[str, dict[str, int]]


def generated() -> Chunk:
    """Make the rows, with ids that the source does not have yet."""
    (chunk,) = Generator(PLAN).chunks()
    return Chunk(
        *([(BASE + ind, *rest) for ind, *rest in rows] for rows in (chunk.pins, chunk.geos, chunk.users))
    )


def insert(stack: Stack, chunk: Chunk) -> None:
    with connected(stack.settings) as cursor:
        for table, rows in zip(tables(), (chunk.pins, chunk.geos, chunk.users), strict=True):
            names, marks = (
                ", ".join(each) for each in ([f"`{n}`" for n in table.names], ["%s"] * len(table.names))
            )
            cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)


def delete(stack: Stack, first: int = BASE) -> None:
    stack.mysql(*(f"DELETE FROM {table.name} WHERE `{table.key}` >= {first}" for table in tables()))


def unpause(stack: Stack) -> None:
    """Let the DAG run; its run for the hour that has just ended is no matter, the batch layer's first one is."""
    stack.api.wait_for_dag(STREAM)
    stack.api.unpause(STREAM)
    for run in scheduled(stack, STREAM, lambda runs: bool(runs)):
        if not run.ended:
            stack.api._call("PATCH", f"/dags/{STREAM}/dagRuns/{quote(run.run_id)}", json={"state": "success"})
    scheduled(stack, BATCH, lambda runs: bool(runs) and all(run.ended for run in runs))


def scheduled(stack: Stack, dag_id: str, reached: Callable[[list[Run]], bool]) -> list[Run]:
    ends = time.monotonic() + 300
    while not reached(runs := stack.api.runs(dag_id, run_type="scheduled")):
        assert time.monotonic() < ends, dag_id
        time.sleep(0.5)
    return runs


@dataclass(frozen=True)
class Window:
    """Posts from a moment on and before another, as texts."""

    start: str
    end: str

    def holds(self, column: str) -> str:
        return f"{column} >= '{self.start}' AND {column} < '{self.end}'"

    @property
    def conf(self) -> dict[str, str]:
        return {"window_start": self.start, "window_end": self.end}


def ids_of(stack: Stack, window: Window) -> list[int]:
    held = window.holds("`timestamp`").replace("T", " ")
    return [row[0] for row in stack.mysql(f"SELECT ind FROM geolocation_data WHERE {held} ORDER BY ind")]


def streamed(stack: Stack, window: Window, expect: str = "success", **params: Any) -> str:
    """Send a window through the streams and wait; return the run's id."""
    run_id = stack.trigger(STREAM, window.conf | params)
    stack.finish(STREAM, run_id, expect)
    return run_id


def returned(stack: Stack, run_id: str, task_id: str, dag_id: str = STREAM) -> Any:
    """Return what a task handed on."""
    found = stack.api.xcom(dag_id, run_id, task_id)
    return json.loads(found) if isinstance(found, str) else found


def acknowledged(stack: Stack, run_id: str) -> dict[str, int]:
    return {table: returned(stack, run_id, f"emulate.{table}")["count"] for table in TABLES}


def in_tables(stack: Stack, window: Window) -> Counts:
    """Count rows, ids and records of a window's posts in the three tables of the speed layer."""
    ids = ", ".join(map(str, ids_of(stack, window)))
    counts = {}
    for table in TABLES:
        (row,) = stack.rows(
            "SELECT count(*) `rows`, count(DISTINCT ind) ids, count(DISTINCT sequence_number) records "
            f"FROM {speed(stack, table)} WHERE ind IN ({ids})"
        )
        counts[table] = {name: int(value) for name, value in row.items()}
    return counts


def speed(stack: Stack, table: str) -> str:
    return f"silver.`{stack.settings.user_id}_{table}_table`"


def assert_one_row_each(
    stack: Stack, run_id: str, window: Window, layer: str = "speed", rebuilt: bool = False
) -> Counts:
    """Every post of the source's window is one row of the serving relation; print and return the counts."""
    ids, sent, held = ids_of(stack, window), acknowledged(stack, run_id), in_tables(stack, window)
    served = stack.rows(f"SELECT ind, layer FROM gold.post_wide WHERE {window.holds('post_ts')}")
    layers = [row["layer"] for row in served]
    found = {name: layers.count(name) for name in sorted(set(layers))}
    print(
        f"\n{window}: {len(ids)} posts in the source, acknowledged {sent}, in the tables {held}, served {found}"
    )
    print(f"audit: {returned(stack, run_id, 'audit')}; ingest: {returned(stack, run_id, 'ingest')}")
    assert sorted(int(row["ind"]) for row in served) == ids
    assert found == {layer: len(ids)}
    assert sent == dict.fromkeys(TABLES, len(ids))
    for counts in held.values():
        assert counts["ids"] == len(ids)
        assert counts["records"] >= len(ids)
        assert rebuilt or counts["rows"] == counts["records"]  # no record is there twice
    assert {task.state for task in stack.api.tasks(STREAM, run_id)} == {"success"}
    return held


def assert_came(before: Counts, after: Counts, count: int, **more: int) -> None:
    """Each table has got so many rows, and of some tables so many more that others sent."""
    came = {table: after[table]["rows"] - before[table]["rows"] for table in TABLES}
    assert came == {table: count + more.get(table, 0) for table in TABLES}


def categories_of_the_year(stack: Stack) -> list[tuple[str, int]]:
    rows = stack.rows("SELECT category, category_count n FROM gold.categories_by_year WHERE post_year = 2021")
    return sorted((row["category"], int(row["n"])) for row in rows)


def categories_expected(stack: Stack, window: Window) -> list[tuple[str, int]]:
    """Count by plain Python over the source's rows."""
    moments = datetime.fromisoformat(window.start), datetime.fromisoformat(window.end)
    by_year = answers.answers(*source_rows(stack), moments)["categories_by_year"]
    return sorted((category, count) for _, category, count in by_year)


def kinesis(stack: Stack) -> Any:
    import boto3

    given = {
        "aws_access_key_id": "other",
        "aws_secret_access_key": "other",
        "region_name": stack.settings.region,
    }
    return boto3.client("kinesis", endpoint_url=stack.settings.kinesis_endpoint, **given)


def stream_of(stack: Stack, table: str) -> str:
    return f"streaming-{stack.settings.user_id}-{table}"


class Flood(threading.Thread):
    """Somebody else who sends one row of ours again and again: bursts that keep its shard busy for a second."""

    def __init__(self, stack: Stack, geo: tuple[Any, ...]) -> None:
        super().__init__(daemon=True)
        self.stack, self.ended, self.sent, self.refused = stack, threading.Event(), 0, 0
        line = wire(dict(zip(tables()[1].names, geo, strict=True)))
        self.records = [{"Data": line, "PartitionKey": str(geo[0])}] * 500

    def run(self) -> None:
        service, name = kinesis(self.stack), stream_of(self.stack, "geo")
        while not self.ended.is_set():
            for _ in range(3):  # a second's share is two
                answer = service.put_records(StreamName=name, Records=self.records)
                self.refused += answer["FailedRecordCount"]
                self.sent += len(self.records) - answer["FailedRecordCount"]
            self.ended.wait(4)


class Split:
    """Splits the first open shard of a stream as soon as a new record is in it."""

    def __init__(self, stack: Stack, table: str) -> None:
        self.service, self.name = kinesis(stack), stream_of(stack, table)
        shards = self.service.list_shards(StreamName=self.name)["Shards"]
        self.shard = next(s for s in shards if "EndingSequenceNumber" not in s["SequenceNumberRange"])
        self.iterator = self.service.get_shard_iterator(
            StreamName=self.name, ShardId=self.shard["ShardId"], ShardIteratorType="LATEST"
        )["ShardIterator"]

    def when_written(self) -> None:
        ends = time.monotonic() + 120
        records: list[Any] = []
        while not records:
            assert time.monotonic() < ends, self.shard
            page = self.service.get_records(ShardIterator=self.iterator)
            records, self.iterator = page["Records"], page["NextShardIterator"]
            time.sleep(0.25)  # five reads a second
        low, high = (int(self.shard["HashKeyRange"][key]) for key in ("StartingHashKey", "EndingHashKey"))
        self.service.split_shard(
            StreamName=self.name,
            ShardToSplit=self.shard["ShardId"],
            NewStartingHashKey=str((low + high) // 2),
        )

    def children(self) -> list[str]:
        shards = self.service.list_shards(StreamName=self.name)["Shards"]
        return [s["ShardId"] for s in shards if s.get("ParentShardId") == self.shard["ShardId"]]


def checkpoints(stack: Stack, table: str = "") -> Iterator[str]:
    """List the objects of the checkpoints, of one table when given."""
    prefix = "checkpoints/" + (f"{stack.settings.user_id}_{table}_table/" if table else "")
    pages = client(stack.settings).get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=stack.settings.bucket, Prefix=prefix):
        yield from (entry["Key"] for entry in page.get("Contents", ()))
