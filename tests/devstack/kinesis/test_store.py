"""What is kept over restarts, and what leaves by age or with its stream."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.kinesis import app, retention, shapes
from devstack.kinesis.reading import Reading
from devstack.kinesis.resharding import Resharding
from devstack.kinesis.store import Store, place
from devstack.kinesis.streams import Streams
from devstack.kinesis.writing import Writing
from tests.devstack.kinesis.conftest import REGION, Clock, serving

HOUR = 3600


class Endpoint:
    """The parts of the endpoint without its server; `again` opens the same file anew."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self.file, self.clock = file, clock
        self.store = Store(file)
        self.streams = Streams(self.store, REGION, 0, clock)
        self.writing, self.reading = Writing(self.streams), Reading(self.streams)
        self.shards = Resharding(self.streams)

    def again(self) -> "Endpoint":
        self.store.close()
        return Endpoint(self.file, self.clock)

    def create(self, name: str = "s", shards: int = 1) -> None:
        self.clock.advance(1)
        self.streams.create(shapes.CreateStream(name, shards))

    def put(self, *data: bytes, stream: str = "s") -> list[int]:
        self.clock.advance(1)
        entries = [shapes.Entry(each, "k") for each in data]
        answer = self.writing.put_many(shapes.PutRecords(stream, None, entries))
        assert answer["FailedRecordCount"] == 0
        return [int(result["SequenceNumber"]) for result in answer["Records"]]

    def read(self, stream: str = "s", shard: int = 0) -> list[bytes]:
        self.clock.advance(1)
        wanted = shapes.GetShardIterator(stream, None, f"shardId-{shard:012}", "TRIM_HORIZON")
        iterator = self.reading.iterator(wanted)["ShardIterator"]
        page = self.reading.records(shapes.GetRecords(iterator))
        return [record["Data"] for record in page["Records"]]

    def rows(self, table: str) -> int:
        return int(self.store.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def trim(self) -> list[int]:
        return list(retention.trim(self.streams))


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    endpoint = Endpoint(tmp_path / "kinesis.sqlite", Clock())
    yield endpoint
    endpoint.store.close()


def test_a_restart_keeps_everything(endpoint: Endpoint) -> None:
    endpoint.create("s", 3)
    endpoint.put(b"1", b"2")
    retention.Retention(endpoint.streams).increase(shapes.RetentionPeriod("s", None, 72))
    endpoint.shards.merge(shapes.MergeShards("s", None, "shardId-000000000001", "shardId-000000000000"))
    before = endpoint.shards.list_shards(shapes.ListShards("s"))
    stream = endpoint.streams.describe(shapes.DescribeStream("s"))
    read = [endpoint.read(shard=number) for number in range(4)]
    endpoint = endpoint.again()
    assert endpoint.shards.list_shards(shapes.ListShards("s")) == before
    assert endpoint.streams.describe(shapes.DescribeStream("s")) == stream
    assert [endpoint.read(shard=number) for number in range(4)] == read
    assert [data for each in read for data in each] == [b"1", b"2"]


def test_numbers_go_on_after_a_restart_though_every_record_is_gone(endpoint: Endpoint) -> None:
    endpoint.create()
    old = endpoint.put(b"1", b"2")
    endpoint.clock.advance(25 * HOUR)
    endpoint.trim()
    assert endpoint.rows("records") == 0
    endpoint = endpoint.again()
    assert endpoint.put(b"3") > old
    assert endpoint.read() == [b"3"]


def test_numbers_of_a_stream_made_anew_are_higher_after_a_restart(endpoint: Endpoint) -> None:
    endpoint.create()
    old = endpoint.put(b"1")
    endpoint.streams.delete(shapes.DeleteStream("s"))
    endpoint = endpoint.again()
    endpoint.clock.advance(-HOUR)
    endpoint.create()
    assert endpoint.put(b"2") > old
    assert endpoint.read() == [b"2"]


def test_a_passing_state_ends_after_a_restart(endpoint: Endpoint) -> None:
    endpoint.streams.settle_ms = 5000
    endpoint.create("stays")
    endpoint.create("goes")
    endpoint.clock.advance(5)
    endpoint.streams.delete(shapes.DeleteStream("goes"))
    endpoint = endpoint.again()
    endpoint.clock.advance(5)
    assert endpoint.streams.list_streams(shapes.ListStreams())["StreamNames"] == ["stays"]


def test_an_old_record_leaves_the_file_and_a_young_one_stays(endpoint: Endpoint) -> None:
    endpoint.create()
    endpoint.put(*[b"old"] * 500)
    endpoint.put(*[b"old"] * 500)
    endpoint.put(*[b"old"] * 300)
    endpoint.clock.advance(23 * HOUR)
    endpoint.put(b"young")
    assert endpoint.trim() == []
    endpoint.clock.advance(HOUR)
    assert endpoint.trim() == [1000, 300]
    assert endpoint.rows("records") == 1
    assert endpoint.read() == [b"young"]
    assert endpoint.again().read() == [b"young"]


def test_a_closed_shard_leaves_with_its_last_record(endpoint: Endpoint) -> None:
    endpoint.create("s", 2)
    endpoint.put(b"1")
    endpoint.shards.merge(shapes.MergeShards("s", None, "shardId-000000000000", "shardId-000000000001"))
    endpoint.put(b"2")
    endpoint.clock.advance(24 * HOUR + 1)
    assert endpoint.trim() == [1, 1]
    assert (endpoint.rows("shards"), endpoint.rows("records")) == (1, 0)
    endpoint = endpoint.again()
    endpoint.put(b"3")
    assert endpoint.read(shard=2) == [b"3"]
    split = shapes.SplitShard("s", None, "shardId-000000000002", str(2**127))
    endpoint.shards.split(split)
    found = endpoint.shards.list_shards(shapes.ListShards("s"))["Shards"]
    assert [shard["ShardId"][-1] for shard in found] == ["2", "3", "4"]


def test_records_of_a_deleted_stream_leave_the_file(endpoint: Endpoint) -> None:
    endpoint.create("stays")
    endpoint.put(b"1", stream="stays")
    endpoint.create()
    for _ in range(3):
        endpoint.put(*[b"x"] * 500)
    endpoint.streams.delete(shapes.DeleteStream("s"))
    endpoint = endpoint.again()
    assert endpoint.trim() == [1000, 500]
    assert (endpoint.rows("shards"), endpoint.rows("records")) == (1, 1)
    assert endpoint.read("stays") == [b"1"]


def test_a_batch_is_kept_whole_or_not_at_all(endpoint: Endpoint) -> None:
    endpoint.create()
    endpoint.put(b"1")
    shard = endpoint.streams.all()[0].shards[0]
    rows = [(place(shard.key, index), 0, "k", b"x") for index in (2, 3, 1)]
    with pytest.raises(sqlite3.IntegrityError):
        endpoint.store.append(rows, [(4, 0, shard.key)])
    assert endpoint.rows("records") == 1
    endpoint.put(b"2")
    assert endpoint.again().read() == [b"1", b"2"]


def test_one_process_alone_has_the_file(endpoint: Endpoint) -> None:
    endpoint.create()
    other = sqlite3.connect(endpoint.file, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("SELECT count(*) FROM streams")
    other.close()


def test_the_server_trims_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "TRIM_SECONDS", 0.01)
    with serving(tmp_path, Clock()) as kinesis:
        kinesis.put(kinesis.stream(), b"old", b"old")
        kinesis.clock.advance(25 * HOUR)
        deadline = time.monotonic() + 30
        while kinesis.store.db.execute("SELECT count(*) FROM records").fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(kinesis.client.list_streams()["StreamNames"]) == 1
