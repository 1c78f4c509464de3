"""The local Kinesis endpoint as pinflow meets it: connected, filled, written, and looked into."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinflow.hooks import batches, kinesis
from pinflow.hooks.batches import Record
from pinflow.hooks.kinesis import KinesisHook
from pinflow.hooks.stream_writer import StreamWriter
from pinflow.manifest import StreamPlace
from pinflow.settings import Settings
from pinflow.transport import open_stream_writer
from tests.devstack.kinesis.conftest import Clock, Kinesis, serving

DIRECT = Settings(transport="direct")


class Arrived:
    """What a stream holds: (shard, sequence number, key, data) in the order of the shards."""

    def __init__(self, service: Kinesis, stream: str) -> None:
        self.records: list[tuple[str, str, int, bytes]] = []
        for shard in service.shards(stream):
            iterator = service.iterator(stream, shard=int(shard["ShardId"][-12:]))
            while True:
                service.clock.advance(100)  # reads are limited too
                page = service.client.get_records(ShardIterator=iterator)
                self.records += [
                    (shard["ShardId"], r["SequenceNumber"], int(r["PartitionKey"]), r["Data"])
                    for r in page["Records"]
                ]
                if not page["Records"]:
                    break
                iterator = page["NextShardIterator"]

    def ids(self) -> Counter[int]:
        return Counter(ind for _, _, ind, _ in self.records)

    def of(self, ind: int) -> list[bytes]:
        return [data for _, _, key, data in self.records if key == ind]

    def places(self) -> set[StreamPlace]:
        return {(ind, shard, sequence) for shard, sequence, ind, _ in self.records}


@contextmanager
def connected(service: Kinesis, monkeypatch: pytest.MonkeyPatch, lake: bool = False) -> Iterator[Kinesis]:
    """Make the connection to the endpoint; with `lake` also to the lake, which is moto's."""
    conn = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {
            "region_name": "us-east-1",
            # the lake's, which the streams must not take
            **({} if lake else {"endpoint_url": "http://127.0.0.1:1"}),
            "service_config": {"kinesis": {"endpoint_url": service.url}},
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_AWS", json.dumps(conn))
    made: list[Any] = []
    client_type = KinesisHook.get_client_type

    def keep(self: KinesisHook, *args: Any, **kwargs: Any) -> Any:
        made.append(client_type(self, *args, **kwargs))
        return made[-1]

    monkeypatch.setattr(KinesisHook, "get_client_type", keep)
    try:
        yield service
    finally:
        for client in made:  # an open connection would be waited for
            client.close()


@contextmanager
def endpoint(folder: Path, monkeypatch: pytest.MonkeyPatch, lake: bool = False) -> Iterator[Kinesis]:
    """Serve it under a clock that goes on while a writer pauses, and stands still otherwise."""
    clock = Clock()
    monkeypatch.setattr(batches, "_sleep", lambda _, seconds: clock.advance(seconds))
    monkeypatch.setattr(kinesis, "_sleep", clock.advance)
    with serving(folder, clock) as served, connected(served, monkeypatch, lake):
        yield served


def fill(service: Kinesis, stream: str, count: int, key: str = "0") -> None:
    """Use up a part of what a shard takes in this second."""
    for first in range(0, count, 500):
        entries = [{"Data": b"{}", "PartitionKey": key}] * min(500, count - first)
        assert service.client.put_records(StreamName=stream, Records=entries)["FailedRecordCount"] == 0


def write(stream: str, rows: list[Record]) -> tuple[list[StreamPlace], StreamWriter]:
    places: list[StreamPlace] = []
    writer = open_stream_writer(DIRECT, stream, places.append)
    try:
        for ind, value in rows:
            writer.send(ind, value)
        writer.finish()
    finally:
        writer.close()
    return places, writer


def rows(count: int, first: int = 1) -> list[Record]:
    return [(ind, b'{"ind":%d}' % ind) for ind in range(first, first + count)]
