"""Streams reached directly: the hook and the writer against the local endpoint, which throttles as Kinesis does."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pinflow.errors import StreamDeliveryError, StreamError
from pinflow.hooks import batches
from pinflow.hooks.batches import Record
from pinflow.hooks.kinesis import KinesisHook
from pinflow.hooks.stream_writer import BYTES_PER_RECORD
from tests.devstack.kinesis.conftest import Kinesis
from tests.plugins.streams import Arrived, endpoint, fill, rows, write


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinesis]:
    with endpoint(tmp_path, monkeypatch) as served:
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
