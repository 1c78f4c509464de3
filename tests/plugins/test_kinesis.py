"""Streams reached directly: the hook and the writer against the local endpoint, which throttles as Kinesis does."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinflow import setup
from pinflow.errors import StreamDeliveryError, StreamError
from pinflow.hooks import batches, kinesis
from pinflow.hooks.batches import Record
from pinflow.hooks.kinesis import KinesisHook
from pinflow.hooks.stream_writer import BYTES_PER_RECORD, StreamWriter
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
    yield service
    for client in made:  # an open connection would be waited for
        client.close()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinesis]:
    """The endpoint under a clock that goes on while a writer pauses, and stands still otherwise."""
    clock = Clock()
    monkeypatch.setattr(batches, "_sleep", lambda _, seconds: clock.advance(seconds))
    monkeypatch.setattr(kinesis, "_sleep", clock.advance)
    with serving(tmp_path, clock) as served, connected(served, monkeypatch):
        yield served


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The ids of each request."""
    seen: list[list[int]] = []
    lock, put = threading.Lock(), KinesisHook.put_records

    def keep(self: KinesisHook, stream: str, records: list[Record]) -> list[dict[str, Any]]:
        with lock:
            seen.append([ind for ind, _ in records])
        return put(self, stream, records)

    monkeypatch.setattr(KinesisHook, "put_records", keep)
    return seen


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


def test_every_shard_gets_rows_and_each_place_is_where_the_row_is(service: Kinesis) -> None:
    stream = service.stream(4)
    places, writer = write(stream, rows(1_200))
    arrived = Arrived(service, stream)
    assert len({shard for _, shard, _ in places}) == 4
    assert set(places) == arrived.places()
    assert arrived.ids() == Counter(range(1, 1_201))
    assert arrived.of(7) == [b'{"ind":7}']
    assert writer.resent == 0


def test_of_a_request_that_a_shard_takes_in_part_only_the_rest_is_sent_again(
    service: Kinesis, requests: list[list[int]]
) -> None:
    stream = service.stream()
    fill(service, stream, 700)
    places, writer = write(stream, rows(500))
    assert requests[0] == list(range(1, 501))
    assert {tuple(ids) for ids in requests[1:]} == {tuple(range(301, 501))}
    assert writer.resent == 200 * (len(requests) - 1)
    assert Arrived(service, stream).ids() == Counter({0: 700, **dict.fromkeys(range(1, 501), 1)})
    assert len(places) == 500


def test_rows_above_what_a_shard_takes_a_second_all_arrive_once(service: Kinesis) -> None:
    stream = service.stream()
    before = service.clock()
    places, writer = write(stream, rows(4_000))
    assert Arrived(service, stream).ids() == Counter(range(1, 4_001))
    assert sorted(ind for ind, _, _ in places) == list(range(1, 4_001))
    assert writer.resent > 0
    assert service.clock() - before >= 3_000  # of the endpoint's clock: its limit was kept


def test_a_busy_shard_that_takes_one_row_at_a_time_is_waited_for(
    service: Kinesis, monkeypatch: pytest.MonkeyPatch, requests: list[list[int]]
) -> None:
    stream = service.stream()
    for _ in range(1_000):  # the others' records are a millisecond apart, and so they leave the second
        service.put(stream, b"{}", key="0")
        service.clock.advance(0.001)
    monkeypatch.setattr(batches, "_sleep", lambda *_: service.clock.advance(0.001))
    places, _ = write(stream, rows(20))
    assert len(places) == 20
    assert len(requests) > 2 * batches.TRIES


def test_tries_without_progress_are_bounded_and_say_what_the_shard_said(
    service: Kinesis, monkeypatch: pytest.MonkeyPatch, requests: list[list[int]]
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(batches, "_sleep", lambda _, seconds: pauses.append(seconds))
    stream = service.stream()
    fill(service, stream, 990)
    said = r"20 of 30 records.*in 6 tries without progress.*ProvisionedThroughput.*Rate exceeded for shard.*Repair: "
    with pytest.raises(StreamDeliveryError, match=said):
        write(stream, rows(30))
    assert [len(ids) for ids in requests] == [30] + [20] * batches.TRIES
    assert pauses == sorted(pauses)
    assert len(set(pauses)) == len(pauses)


def test_rows_of_one_id_arrive_in_their_order_while_the_shard_is_throttled(
    service: Kinesis, requests: list[list[int]]
) -> None:
    stream = service.stream()
    fill(service, stream, 960)
    sent = [(ind, b"%d" % version) for version in range(15) for ind in range(1, 31)]
    _, writer = write(stream, sent)
    assert writer.resent > 0
    assert all(len(ids) == len(set(ids)) for ids in requests)
    arrived = Arrived(service, stream)
    for ind in range(1, 31):
        assert arrived.of(ind) == [b"%d" % version for version in range(15)]


def test_large_rows_stay_below_the_limits_and_one_above_them_names_its_repair(
    service: Kinesis, requests: list[list[int]]
) -> None:
    stream = service.stream(2)
    largest = BYTES_PER_RECORD - 1
    places, _ = write(stream, [(ind, b"x" * largest) for ind in range(1, 6)])
    assert len(places) == 5
    assert max(len(ids) for ids in requests) == 3
    with pytest.raises(StreamDeliveryError, match=r"Row 10 of 1048577 bytes.*Repair: lower max_row_bytes"):
        write(stream, [(10, b"x" * largest)])


def test_a_stream_that_is_absent_is_named_with_what_makes_it(
    service: Kinesis, requests: list[list[int]]
) -> None:
    with pytest.raises(
        StreamError, match=r"`nowhere`.*ResourceNotFound.*Repair: run the DAG pinterest_setup"
    ):
        write("nowhere", rows(1))
    assert len(requests) == 1


def test_setup_makes_the_three_streams_once(service: Kinesis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", '{"stream_shards": 3}')
    names = [f"streaming-12e834567890-{table}" for table in ("pin", "geo", "user")]
    assert setup.create_streams() == names
    service.clock.advance(1)
    assert setup.create_streams() == []
    assert [len(service.shards(name)) for name in names] == [3, 3, 3]


def test_streams_are_waited_for_until_they_are_active(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    monkeypatch.setattr(kinesis, "_sleep", sleep)
    with serving(tmp_path, clock, settle_ms=5_000) as served, connected(served, monkeypatch):
        hook = KinesisHook()
        assert hook.create_streams(["a", "b"], 1) == ["a", "b"]
        assert (hook.status("a"), hook.status("b"), hook.status("c")) == ("ACTIVE", "ACTIVE", None)
        assert len(pauses) == 5
        served.client.delete_stream(StreamName="a")
        with pytest.raises(StreamError, match=r"is deleting the stream `a`.*Repair: wait until it is gone"):
            hook.create_streams(["a"], 1)
        clock.advance(6)
        monkeypatch.setattr(kinesis, "_ACTIVE_SECONDS", 0)
        with pytest.raises(StreamDeliveryError, match=r"the stream `a` is CREATING after 0 s.*Repair: "):
            hook.create_streams(["a"], 1)


def test_a_stream_that_may_not_be_made_names_the_least_grant(
    service: Kinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StreamError, match=r"`big` of 501 shards.*Repair: grant kinesis:CreateStream.*quota"):
        KinesisHook().create_streams(["big"], 501)


def test_kinesis_that_is_not_there_is_named(service: Kinesis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    service.url = "http://127.0.0.1:1"
    with connected(service, monkeypatch):
        with pytest.raises(StreamDeliveryError, match=r"Kinesis http://127\.0\.0\.1:1 .*no answer"):
            write("s", rows(1))
        with pytest.raises(StreamDeliveryError, match=r"`pinterest_aws` is out of reach.*Repair: "):
            KinesisHook().status("s")
