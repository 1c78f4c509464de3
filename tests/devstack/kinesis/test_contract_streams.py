"""The contract of streams and shards; where moto differs, the case says which page of AWS decides."""

from typing import Any

import pytest

from tests.devstack.kinesis.conftest import Kinesis, refused
from tests.devstack.kinesis.contract import ALL_KEYS, against, both, bounds, name_of


@both
def test_a_stream_is_described(service: Kinesis) -> None:
    name = service.stream(3)
    found = service.client.describe_stream(StreamName=name)["StreamDescription"]
    assert (found["StreamName"], found["StreamStatus"]) == (name, "ACTIVE")
    assert found["StreamARN"].endswith(f":stream/{name}")
    assert (found["RetentionPeriodHours"], found["HasMoreShards"]) == (24, False)
    summary = service.client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 3
    assert summary["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    for member in ("StreamARN", "StreamCreationTimestamp", "EnhancedMonitoring", "EncryptionType"):
        assert summary[member] == found[member]


@both
@pytest.mark.parametrize("count", [1, 3, 7])
def test_shards_divide_all_hash_keys_evenly(service: Kinesis, count: int) -> None:
    ranges = [bounds(shard) for shard in service.shards(service.stream(count))]
    assert [start for start, _ in ranges] == [number * (ALL_KEYS // count) for number in range(count)]
    assert [end + 1 for _, end in ranges] == [*(start for start, _ in ranges[1:]), ALL_KEYS]


@both
def test_an_on_demand_stream_begins_with_four_shards(service: Kinesis) -> None:
    mode = {"StreamMode": "ON_DEMAND"}
    service.client.create_stream(StreamName="on-demand", StreamModeDetails=mode)
    assert len(service.shards("on-demand")) == 4
    summary = service.client.describe_stream_summary(StreamName="on-demand")["StreamDescriptionSummary"]
    assert summary["StreamModeDetails"] == mode


@both
def test_a_name_is_taken_once(service: Kinesis) -> None:
    name = service.stream()
    with refused("ResourceInUseException", name):
        service.client.create_stream(StreamName=name, ShardCount=1)


@both
def test_a_deleted_stream_is_gone_and_its_name_is_free(service: Kinesis) -> None:
    name = service.stream()
    service.put(name, b"old")
    service.client.delete_stream(StreamName=name)
    with refused("ResourceNotFoundException", name):
        service.client.describe_stream(StreamName=name)
    service.client.create_stream(StreamName=name, ShardCount=1)
    assert service.read(name) == []


@both
def test_a_stream_keeps_its_records_as_long_as_told_to(service: Kinesis) -> None:
    name = service.stream()

    def hours() -> int:
        found = service.client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return int(found["RetentionPeriodHours"])

    service.client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=168)
    assert hours() == 168
    with refused("InvalidArgumentException", "can not be shorter than existing retention period (168 hours)"):
        service.client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    service.client.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    assert hours() == 48
    with refused("InvalidArgumentException", "can not be longer than existing retention period (48 hours)"):
        service.client.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=168)
    with refused("InvalidArgumentException", "Minimum allowed retention period is 24 hours."):
        service.client.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=23)
    with refused("InvalidArgumentException", "Maximum allowed retention period is 8760 hours."):
        service.client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=8761)


ITERATOR = {"ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"}


@both
@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("delete_stream", {}),
        ("describe_stream", {}),
        ("describe_stream_summary", {}),
        ("list_shards", {}),
        ("put_record", {"Data": b"x", "PartitionKey": "k"}),
        ("put_records", {"Records": [{"Data": b"x", "PartitionKey": "k"}]}),
        ("get_shard_iterator", ITERATOR),
        ("split_shard", {"ShardToSplit": ITERATOR["ShardId"], "NewStartingHashKey": "9"}),
        ("merge_shards", {"ShardToMerge": ITERATOR["ShardId"], "AdjacentShardToMerge": "shardId-1"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_is_not_there(service: Kinesis, operation: str, arguments: dict[str, Any]) -> None:
    with refused("ResourceNotFoundException", "Stream absent under account", "not found"):
        getattr(service.client, operation)(StreamName="absent", **arguments)


@both
def test_an_arn_stands_for_a_name(service: Kinesis) -> None:
    name = service.stream()
    summary = service.client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    arn = summary["StreamARN"]
    service.client.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
    assert service.client.describe_stream(StreamARN=arn)["StreamDescription"]["StreamName"] == name
    assert service.read(name) == [b"x"]


@both
def test_streams_are_listed_page_by_page(service: Kinesis) -> None:
    names = {service.stream() for _ in range(5)}
    found: list[str] = []
    more = True
    while more:
        start = {"ExclusiveStartStreamName": found[-1]} if found else {}
        page = service.client.list_streams(Limit=2, **start)
        assert len(page["StreamNames"]) <= 2
        found += page["StreamNames"]
        more = page["HasMoreStreams"]
    assert names <= set(found)
    assert len(found) == len(set(found))


@against("moto's default is 10; API reference, ListStreams, Limit: the default value is 100")
def test_a_page_of_streams_has_a_hundred(service: Kinesis) -> None:
    names = {service.stream() for _ in range(11)}
    assert names <= set(service.client.list_streams()["StreamNames"])


@against(
    "moto wants the name beside the token; API reference, ListShards, NextToken: it stands for the stream"
)
def test_shards_are_listed_page_by_page(service: Kinesis) -> None:
    name = service.stream(5)
    page = service.client.list_shards(StreamName=name, MaxResults=2)
    found = [page]
    while token := page.get("NextToken"):
        page = service.client.list_shards(NextToken=token, MaxResults=2)
        found.append(page)
    assert [len(page["Shards"]) for page in found] == [2, 2, 1]
    listed = [name_of(shard) for page in found for shard in page["Shards"]]
    assert listed == [f"shardId-{number:012}" for number in range(5)]


@against(
    "moto starts at the first shard; API reference, ListShards and DescribeStream, ExclusiveStartShardId"
)
@pytest.mark.parametrize("operation", ["list_shards", "describe_stream"])
def test_shards_are_listed_after_one(service: Kinesis, operation: str) -> None:
    name = service.stream(4)
    given = {"StreamName": name, "ExclusiveStartShardId": "shardId-000000000001"}
    answer = getattr(service.client, operation)(**given)
    shards = answer.get("StreamDescription", answer)["Shards"]
    assert [name_of(shard)[-1] for shard in shards] == ["2", "3"]


@both
def test_a_description_says_when_there_are_more_shards(service: Kinesis) -> None:
    found = service.client.describe_stream(StreamName=service.stream(4), Limit=3)["StreamDescription"]
    assert (len(found["Shards"]), found["HasMoreShards"]) == (3, True)


@both
def test_a_split_shard_has_two_children(service: Kinesis) -> None:
    name = service.stream()
    middle = 3 * ALL_KEYS // 4
    given = {"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(middle)}
    service.client.split_shard(StreamName=name, **given)
    parent, low, high = service.shards(name)
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert (bounds(low), bounds(high)) == ((0, middle - 1), (middle, ALL_KEYS - 1))
    assert (low["ParentShardId"], high["ParentShardId"]) == (name_of(parent), name_of(parent))
    assert not {"AdjacentParentShardId"} & (low.keys() | high.keys())
    with refused("InvalidArgumentException", "has already been merged or split"):
        service.client.split_shard(StreamName=name, **given)


@both
def test_merged_shards_have_one_child(service: Kinesis) -> None:
    name = service.stream(3)
    ids = [name_of(shard) for shard in service.shards(name)]
    with refused("InvalidArgumentException"):
        service.client.merge_shards(StreamName=name, ShardToMerge=ids[0], AdjacentShardToMerge=ids[2])
    service.client.merge_shards(StreamName=name, ShardToMerge=ids[0], AdjacentShardToMerge=ids[1])
    low, high, _, child = service.shards(name)
    assert bounds(child) == (bounds(low)[0], bounds(high)[1])
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (ids[0], ids[1])
    closed = [shard for shard in (low, high) if "EndingSequenceNumber" in shard["SequenceNumberRange"]]
    assert closed == [low, high]


@against("moto lists closed shards too; API reference, ShardFilter, AT_LATEST: currently open shards only")
def test_only_open_shards_are_listed_at_latest(service: Kinesis) -> None:
    name = service.stream(2)
    pair = [name_of(shard) for shard in service.shards(name)]
    service.client.merge_shards(StreamName=name, ShardToMerge=pair[0], AdjacentShardToMerge=pair[1])
    found = service.client.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert [name_of(shard) for shard in found] == ["shardId-000000000002"]


@against("moto takes any name; API reference, CreateStream, StreamName: pattern and length")
@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 129])
def test_a_name_of_other_signs_or_length_is_refused(service: Kinesis, name: str) -> None:
    with refused("ValidationException", "'streamName' failed to satisfy constraint"):
        service.client.create_stream(StreamName=name, ShardCount=1)
