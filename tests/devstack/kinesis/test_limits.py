"""The limits of shards and of the account, under a clock that the test moves."""

from typing import Any

import pytest

from tests.devstack.kinesis.conftest import Kinesis, refused

MIB = 1024 * 1024
TOO_FAST = "ProvisionedThroughputExceededException"
LIMIT = "LimitExceededException"


def batch(service: Kinesis, stream: str, count: int, size: int = 1, **more: Any) -> list[str | None]:
    """Put records of `size` bytes with the key; return each one's error code."""
    records = [{"Data": b"x" * (size - 1), "PartitionKey": "k", **more}] * count
    answer = service.client.put_records(StreamName=stream, Records=records)
    codes = [result.get("ErrorCode") for result in answer["Records"]]
    assert answer["FailedRecordCount"] == sum(code is not None for code in codes)
    return codes


def test_a_shard_takes_a_thousand_records_a_second(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    assert batch(kinesis, name, 500) == [None] * 500
    kinesis.clock.advance(0.4)
    assert batch(kinesis, name, 499) == [None] * 499
    assert batch(kinesis, name, 3) == [None, TOO_FAST, TOO_FAST]
    with refused(TOO_FAST, "shardId-000000000000", name, "000000000000"):
        kinesis.put(name, b"x")
    kinesis.clock.advance(0.599)
    assert batch(kinesis, name, 1) == [TOO_FAST]
    kinesis.clock.advance(0.001)
    assert batch(kinesis, name, 500) == [None] * 500
    assert batch(kinesis, name, 1) == [TOO_FAST]


def test_a_shard_takes_a_mebibyte_a_second_keys_included(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    assert batch(kinesis, name, 1, MIB // 2) == [None]
    # what is too large now does not keep back what is small enough
    records = [{"Data": b"x" * size, "PartitionKey": "é"} for size in (MIB // 2, MIB // 2 - 2, 0)]
    results = kinesis.client.put_records(StreamName=name, Records=records)["Records"]
    assert [result.get("ErrorCode") for result in results] == [TOO_FAST, None, TOO_FAST]
    assert "shardId-000000000000" in results[0]["ErrorMessage"]
    assert not {"SequenceNumber", "ShardId"} & results[0].keys()
    kinesis.clock.advance(1)
    assert batch(kinesis, name, 1, MIB) == [None]


def test_what_was_refused_is_not_kept_and_leaves_no_gap(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    batch(kinesis, name, 500)
    batch(kinesis, name, 499)
    records = [{"Data": data, "PartitionKey": "k"} for data in (b"last", b"lost")]
    results = kinesis.client.put_records(StreamName=name, Records=records)["Records"]
    kinesis.clock.advance(1)
    kinesis.put(name, b"next")
    number = results[0]["SequenceNumber"]
    assert kinesis.read(name, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=number) == [b"last", b"next"]


def test_each_shard_has_a_limit_of_its_own(kinesis: Kinesis) -> None:
    name = kinesis.stream(2)
    first, second = (shard["HashKeyRange"]["StartingHashKey"] for shard in kinesis.shards(name))
    for _ in range(2):
        assert batch(kinesis, name, 500, ExplicitHashKey=first) == [None] * 500
    assert batch(kinesis, name, 1, ExplicitHashKey=first) == [TOO_FAST]
    assert batch(kinesis, name, 500, ExplicitHashKey=second) == [None] * 500


def test_a_clock_that_is_set_back_shuts_no_shard(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    for _ in range(2):
        batch(kinesis, name, 500)
    numbers = kinesis.client.list_shards(StreamName=name)
    kinesis.clock.advance(-3600)
    assert batch(kinesis, name, 1) == [None]
    assert kinesis.client.list_shards(StreamName=name)["Shards"] == numbers["Shards"]


def test_a_shard_is_read_five_times_a_second(kinesis: Kinesis) -> None:
    name = kinesis.stream(2)
    first, second = kinesis.iterator(name), kinesis.iterator(name, shard=1)
    for _ in range(5):
        kinesis.client.get_records(ShardIterator=first)
    with refused(TOO_FAST, "shardId-000000000000"):
        kinesis.client.get_records(ShardIterator=first)
    kinesis.client.get_records(ShardIterator=second)
    kinesis.clock.advance(1)
    kinesis.client.get_records(ShardIterator=first)


def fill(kinesis: Kinesis, mebibytes: int) -> str:
    """Return a stream with records of one mebibyte each, a second apart."""
    name = kinesis.stream()
    for _ in range(mebibytes):
        kinesis.clock.advance(1)
        assert batch(kinesis, name, 1, MIB) == [None]
    return name


def test_a_shard_gives_two_mebibytes_a_second(kinesis: Kinesis) -> None:
    iterator = kinesis.iterator(fill(kinesis, 4))
    for size in (1, 1):
        page = kinesis.client.get_records(ShardIterator=iterator, Limit=1)
        assert len(page["Records"]) == size
    with refused(TOO_FAST):
        kinesis.client.get_records(ShardIterator=iterator, Limit=1)
    kinesis.clock.advance(1)
    assert len(kinesis.client.get_records(ShardIterator=iterator, Limit=1)["Records"]) == 1


def test_a_page_has_ten_mebibytes_and_shuts_the_shard_for_five_seconds(kinesis: Kinesis) -> None:
    iterator = kinesis.iterator(fill(kinesis, 11))
    page = kinesis.client.get_records(ShardIterator=iterator)
    assert len(page["Records"]) == 10
    assert page["MillisBehindLatest"] == 1000
    kinesis.clock.advance(4.999)
    with refused(TOO_FAST):
        kinesis.client.get_records(ShardIterator=page["NextShardIterator"])
    kinesis.clock.advance(0.001)
    rest = kinesis.client.get_records(ShardIterator=page["NextShardIterator"])
    assert (len(rest["Records"]), rest["MillisBehindLatest"]) == (1, 0)


def test_a_page_has_ten_thousand_records(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    for _ in range(11):
        kinesis.clock.advance(1)
        for _ in range(2):
            batch(kinesis, name, 500)
    page = kinesis.client.get_records(ShardIterator=kinesis.iterator(name))
    assert len(page["Records"]) == 10_000
    rest = kinesis.client.get_records(ShardIterator=page["NextShardIterator"])["Records"]
    assert len(rest) == 1000
    numbers = [int(record["SequenceNumber"]) for record in page["Records"] + rest]
    assert numbers == sorted(set(numbers))
    # API reference, GetRecords, Limit: more than 10,000 is an InvalidArgumentException
    with refused("InvalidArgumentException", "10001"):
        kinesis.client.get_records(ShardIterator=kinesis.iterator(name), Limit=10_001)


def test_iterators_are_given_five_times_a_second(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    for _ in range(5):
        kinesis.iterator(name)
    with refused(TOO_FAST):
        kinesis.iterator(name)
    kinesis.clock.advance(1)
    kinesis.iterator(name)


@pytest.mark.parametrize(
    ("operation", "calls"), [("describe_stream", 10), ("describe_stream_summary", 20), ("list_streams", 5)]
)
def test_looking_at_streams_has_a_rate(kinesis: Kinesis, operation: str, calls: int) -> None:
    name = kinesis.stream()
    kinesis.clock.advance(1)
    look, given = (
        getattr(kinesis.client, operation),
        {} if operation == "list_streams" else {"StreamName": name},
    )
    for _ in range(calls):
        look(**given)
    with refused(LIMIT, "Rate exceeded"):
        look(**given)
    kinesis.clock.advance(1)
    look(**given)


def test_changing_streams_has_a_rate(kinesis: Kinesis) -> None:
    for number in range(5):
        kinesis.client.create_stream(StreamName=f"s{number}", ShardCount=1)
    with refused(LIMIT, "Rate exceeded for CreateStream"):
        kinesis.client.create_stream(StreamName="s5", ShardCount=1)
    for number in range(5):
        kinesis.client.delete_stream(StreamName=f"s{number}")
    with refused(LIMIT, "Rate exceeded for DeleteStream"):
        kinesis.client.delete_stream(StreamName="s5")
    kinesis.clock.advance(1)
    kinesis.client.create_stream(StreamName="s5", ShardCount=1)
    kinesis.client.delete_stream(StreamName="s5")


def test_an_account_has_500_shards(kinesis: Kinesis) -> None:
    kinesis.stream(499)
    name = kinesis.stream()
    with refused(LIMIT, "Current shard count for the account: 500. Limit: 500."):
        kinesis.client.create_stream(StreamName="more", ShardCount=1)
    with refused(LIMIT):
        given = {"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(2**127)}
        kinesis.client.split_shard(StreamName=name, **given)
    kinesis.clock.advance(1)
    kinesis.client.create_stream(StreamName="more", StreamModeDetails={"StreamMode": "ON_DEMAND"})
