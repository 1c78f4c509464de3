"""Positions in a shard: moments, ages, sequence numbers, expiry."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.devstack.kinesis.conftest import Kinesis, client, refused

HOURS = 3600


def moment(kinesis: Kinesis, seconds: float = 0) -> datetime:
    return datetime.fromtimestamp(kinesis.clock.now / 1000 + seconds, UTC)


def numbered(kinesis: Kinesis, stream: str, count: int, apart: float) -> list[str]:
    """Put records 0, 1, 2 ... some seconds apart, the last of them now."""
    numbers = []
    for number in range(count):
        kinesis.clock.advance(apart if number else 0)
        numbers += kinesis.put(stream, b"%d" % number)
    return numbers


@pytest.mark.parametrize(
    ("seconds", "first"), [(-1000, 0), (-40, 0), (-30, 1), (-29, 2), (-21, 2), (-20, 2), (0, 4)]
)
def test_a_moment_is_where_the_first_record_at_or_after_it_is(
    kinesis: Kinesis, seconds: float, first: int
) -> None:
    name = kinesis.stream()
    numbered(kinesis, name, 5, 10)
    found = kinesis.read(name, "AT_TIMESTAMP", Timestamp=moment(kinesis, seconds).timestamp())
    assert found == [b"%d" % number for number in range(first, 5)]


def test_a_moment_after_the_last_record_waits_for_the_next(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    kinesis.put(name, b"before")
    kinesis.clock.advance(1)
    iterator = kinesis.iterator(name, "AT_TIMESTAMP", Timestamp=moment(kinesis))
    kinesis.put(name, b"after")
    records = kinesis.client.get_records(ShardIterator=iterator)["Records"]
    assert [record["Data"] for record in records] == [b"after"]


def test_a_moment_to_come_is_refused(kinesis: Kinesis) -> None:
    with refused("InvalidArgumentException", "cannot be greater than the currentTimestampInMillis"):
        kinesis.iterator(kinesis.stream(), "AT_TIMESTAMP", Timestamp=moment(kinesis, 1))


def test_arrivals_are_the_clock_s_and_never_fall(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    kinesis.put(name, b"1")
    first = moment(kinesis)
    kinesis.clock.advance(-60)
    kinesis.put(name, b"2")
    kinesis.clock.advance(60.123)
    kinesis.put(name, b"3")
    records = kinesis.client.get_records(ShardIterator=kinesis.iterator(name))["Records"]
    assert [r["ApproximateArrivalTimestamp"] for r in records] == [first, first, moment(kinesis)]


def test_how_far_behind_a_reader_is(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    numbered(kinesis, name, 3, 10)
    kinesis.clock.advance(5)
    page = kinesis.client.get_records(ShardIterator=kinesis.iterator(name), Limit=1)
    assert page["MillisBehindLatest"] == 25_000
    page = kinesis.client.get_records(ShardIterator=page["NextShardIterator"])
    assert page["MillisBehindLatest"] == 0


def test_records_leave_after_a_day(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    numbers = numbered(kinesis, name, 3, HOURS)
    kinesis.clock.advance(22 * HOURS)
    old = kinesis.iterator(name)
    assert kinesis.read(name) == [b"0", b"1", b"2"]
    kinesis.clock.advance(0.001)
    assert kinesis.read(name) == [b"1", b"2"]
    assert kinesis.read(name, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[0]) == [b"1", b"2"]
    records = kinesis.client.get_records(ShardIterator=old)["Records"]
    assert [record["Data"] for record in records] == [b"1", b"2"]
    kinesis.clock.advance(3 * HOURS)
    assert kinesis.read(name) == []
    assert int(kinesis.put(name, b"new")[0]) > int(numbers[-1])
    assert kinesis.read(name) == [b"new"]


def test_records_leave_later_where_told_to_and_do_not_come_back(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    kinesis.put(name, b"1")
    kinesis.clock.advance(HOURS)
    kinesis.put(name, b"2")
    kinesis.clock.advance(23 * HOURS + 1)
    kinesis.client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    assert kinesis.read(name) == [b"2"]
    kinesis.clock.advance(24 * HOURS)
    assert kinesis.read(name) == [b"2"]
    kinesis.client.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    assert kinesis.read(name) == []


def test_an_iterator_lives_five_minutes(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    iterator = kinesis.iterator(name)
    kinesis.clock.advance(300)
    following = kinesis.client.get_records(ShardIterator=iterator)["NextShardIterator"]
    kinesis.clock.advance(0.001)
    with refused("ExpiredIteratorException", "Iterator expired", "tolerated delay of 300000 milliseconds"):
        kinesis.client.get_records(ShardIterator=iterator)
    kinesis.client.get_records(ShardIterator=following)


def test_a_token_of_a_list_lives_five_minutes(kinesis: Kinesis) -> None:
    token = kinesis.client.list_shards(StreamName=kinesis.stream(2), MaxResults=1)["NextToken"]
    kinesis.clock.advance(300)
    assert len(kinesis.client.list_shards(NextToken=token)["Shards"]) == 1
    kinesis.clock.advance(0.001)
    with refused("ExpiredNextTokenException", "NextToken expired"):
        kinesis.client.list_shards(NextToken=token)


@pytest.mark.parametrize("text", ["AAAA", "é", "x" * 512, "laFsAQIDwA=="])
def test_text_that_is_no_token(kinesis: Kinesis, text: str) -> None:
    with refused("InvalidArgumentException", "Invalid ShardIterator."):
        kinesis.client.get_records(ShardIterator=text)
    with refused("InvalidArgumentException"):
        kinesis.client.list_shards(NextToken=kinesis.iterator(kinesis.stream()))


def test_an_iterator_of_a_deleted_stream_fits_no_later_one(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    old = kinesis.put(name, b"old")[0]
    iterator = kinesis.iterator(name)
    kinesis.client.delete_stream(StreamName=name)
    kinesis.client.create_stream(StreamName=name, ShardCount=1)
    kinesis.put(name, b"new")
    with refused("ResourceNotFoundException"):
        kinesis.client.get_records(ShardIterator=iterator)
    with refused("InvalidArgumentException", "did not come from this stream"):
        kinesis.iterator(name, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=old)


def test_numbers_of_a_stream_made_anew_are_higher_though_the_clock_stands_still(kinesis: Kinesis) -> None:
    numbers: list[int] = []
    for _ in range(4):
        kinesis.client.create_stream(StreamName="again", ShardCount=2)
        numbers += [int(number) for number in kinesis.put("again", b"x", b"x")]
        kinesis.client.delete_stream(StreamName="again")
    kinesis.clock.advance(-86_400)
    kinesis.client.create_stream(StreamName="again", ShardCount=2)
    numbers += [int(number) for number in kinesis.put("again", b"x")]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
def test_a_shard_s_own_first_number_is_its_beginning(kinesis: Kinesis, kind: str) -> None:
    name = kinesis.stream()
    kinesis.put(name, b"1", b"2")
    start = kinesis.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
    assert kinesis.read(name, kind, StartingSequenceNumber=start) == [b"1", b"2"]


def test_numbers_that_are_not_of_the_shard_are_refused(kinesis: Kinesis) -> None:
    name = kinesis.stream(2)
    last = kinesis.shards(name)[1]["SequenceNumberRange"]["StartingSequenceNumber"]
    first = kinesis.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
    unassigned = str(int(first) + (1 << 36))
    for number, words in (
        ("0", "is invalid."),
        (str(int(first) + 1), "is invalid."),
        (last, "It encodes shardId-000000000001"),
        (unassigned, "did not come from this stream"),
    ):
        with refused("InvalidArgumentException", words):
            kinesis.iterator(name, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
    with refused("ValidationException", "'startingSequenceNumber' failed to satisfy constraint"):
        kinesis.iterator(name, "AT_SEQUENCE_NUMBER", StartingSequenceNumber="12x")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("TRIM_HORIZON", {"StartingSequenceNumber": "1"}),
        ("LATEST", {"StartingSequenceNumber": "1"}),
        ("AT_TIMESTAMP", {"Timestamp": 1, "StartingSequenceNumber": "1"}),
        ("TRIM_HORIZON", {"Timestamp": 1}),
    ],
)
def test_what_does_not_go_with_a_type_is_refused(kinesis: Kinesis, kind: str, more: dict[str, Any]) -> None:
    with refused("InvalidArgumentException"):
        kinesis.iterator(kinesis.stream(), kind, **more)


def test_the_arn_beside_an_iterator_must_be_its_stream_s(kinesis: Kinesis) -> None:
    names = [kinesis.stream() for _ in range(2)]
    kinesis.put(names[0], b"1")
    right, wrong = (f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}" for name in names)
    page = kinesis.client.get_records(ShardIterator=kinesis.iterator(names[0]), StreamARN=right)
    assert len(page["Records"]) == 1
    with refused("InvalidArgumentException", "is not that of the ShardIterator"):
        kinesis.client.get_records(ShardIterator=kinesis.iterator(names[0]), StreamARN=wrong)


def test_two_readers_do_not_disturb_each_other(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    kinesis.put(name, b"1", b"2")
    iterator = kinesis.iterator(name)
    pages = [
        each.get_records(ShardIterator=iterator, Limit=1) for each in (kinesis.client, client(kinesis.url))
    ]
    assert [page["Records"][0]["Data"] for page in pages] == [b"1", b"1"]
