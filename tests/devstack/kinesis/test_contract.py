"""One contract for the endpoint and for moto; where moto differs, the case says which page of AWS decides."""

import hashlib
import json
import urllib.request
from typing import Any

import pytest

from tests.devstack.kinesis.conftest import Kinesis, refused

ALL_KEYS = 2**128
MIB = 1024 * 1024


def against(moto_differs: str = "") -> pytest.MarkDecorator:
    """Run a case against both; one that moto must fail says why, and by which page."""
    marks = [pytest.mark.xfail(strict=True, reason=moto_differs)] if moto_differs else []
    return pytest.mark.parametrize("service", ["endpoint", pytest.param("moto", marks=marks)], indirect=True)


both = against()


def shard_of(key: str, count: int) -> str:
    """Return the shard of a partition key among evenly divided ones."""
    return f"shardId-{int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) * count // ALL_KEYS:012}"


def bounds(shard: dict[str, Any]) -> tuple[int, int]:
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])


def name_of(shard: dict[str, Any]) -> str:
    return str(shard["ShardId"])


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
@pytest.mark.parametrize("key", ["k", "another", "é😀", "x" * 256])
def test_a_partition_key_goes_to_its_shard_by_md5(service: Kinesis, key: str) -> None:
    name = service.stream(5)
    answer = service.client.put_record(StreamName=name, Data=b"x", PartitionKey=key)
    assert answer["ShardId"] == shard_of(key, 5)


@both
def test_an_explicit_hash_key_overrides_the_partition_key(service: Kinesis) -> None:
    name = service.stream(2)
    for key, shard in ((0, 0), (ALL_KEYS // 2 - 2, 0), (ALL_KEYS // 2, 1), (ALL_KEYS - 2, 1)):
        given = {"PartitionKey": "k", "ExplicitHashKey": str(key)}
        answer = service.client.put_record(StreamName=name, Data=b"x", **given)
        assert answer["ShardId"] == f"shardId-{shard:012}"


@against("moto fails with 500; API reference, HashKeyRange: the ending hash key is in the range")
def test_the_last_hash_key_of_a_range_is_in_it(service: Kinesis) -> None:
    name = service.stream(2)
    for key, shard in ((ALL_KEYS // 2 - 1, 0), (ALL_KEYS - 1, 1)):
        given = {"PartitionKey": "k", "ExplicitHashKey": str(key)}
        answer = service.client.put_record(StreamName=name, Data=b"x", **given)
        assert answer["ShardId"] == f"shardId-{shard:012}"


@both
def test_a_hash_key_beyond_the_last_is_refused(service: Kinesis) -> None:
    with refused("InvalidArgumentException"):
        service.put(service.stream(), b"x", ExplicitHashKey=str(ALL_KEYS))


@both
def test_what_was_put_is_read_as_it_was(service: Kinesis) -> None:
    name = service.stream()
    records = [
        {"Data": bytes(range(256)), "PartitionKey": "k"},
        {"Data": '{"title":"é😀\u2028"}'.encode(), "PartitionKey": "é😀 \u202e"},
        {"Data": b"\x00", "PartitionKey": "\t\x01"},
        {"Data": b"", "PartitionKey": "x" * 256},
    ]
    answer = service.client.put_records(StreamName=name, Records=records)
    assert answer["FailedRecordCount"] == 0
    page = service.client.get_records(ShardIterator=service.iterator(name))
    kept = [{member: record[member] for member in ("Data", "PartitionKey")} for record in page["Records"]]
    assert kept == records
    numbers = [record["SequenceNumber"] for record in page["Records"]]
    assert numbers == [record["SequenceNumber"] for record in answer["Records"]]
    assert all(record["ApproximateArrivalTimestamp"] for record in page["Records"])


@both
def test_results_are_in_the_order_of_the_request(service: Kinesis) -> None:
    name = service.stream(4)
    keys = [f"key-{number}" for number in range(50)]
    records = [{"Data": key.encode(), "PartitionKey": key} for key in keys]
    results = service.client.put_records(StreamName=name, Records=records)["Records"]
    assert [result["ShardId"] for result in results] == [shard_of(key, 4) for key in keys]


@both
def test_sequence_numbers_grow(service: Kinesis) -> None:
    name = service.stream()
    numbers = [int(number) for number in service.put(name, *[b"x"] * 12)]
    assert numbers == sorted(set(numbers))


@against("moto counts from 1; API reference, PutRecord, the example's answer: 56 digits")
def test_sequence_numbers_have_56_digits(service: Kinesis) -> None:
    assert {len(number) for number in service.put(service.stream(), b"a", b"b")} == {56}


@both
def test_each_type_of_iterator_begins_where_it_says(service: Kinesis) -> None:
    name = service.stream()
    latest = service.iterator(name, "LATEST")
    first, second, third = service.put(name, b"1", b"2", b"3")
    assert service.read(name, "TRIM_HORIZON") == [b"1", b"2", b"3"]
    assert service.read(name, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [b"2", b"3"]
    assert service.read(name, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == [b"2", b"3"]
    assert service.read(name, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=third) == []
    assert service.read(name, "LATEST") == []
    page = service.client.get_records(ShardIterator=latest)
    assert [record["Data"] for record in page["Records"]] == [b"1", b"2", b"3"]
    assert service.read(name, "AT_TIMESTAMP", Timestamp=1_000_000_000) == [b"1", b"2", b"3"]


@both
def test_a_reader_goes_on_where_it_stopped(service: Kinesis) -> None:
    name = service.stream()
    service.put(name, *(b"%d" % number for number in range(5)))
    iterator, sizes = service.iterator(name), []
    for _ in range(4):
        page = service.client.get_records(ShardIterator=iterator, Limit=2)
        sizes.append(len(page["Records"]))
        iterator = page["NextShardIterator"]
    assert sizes == [2, 2, 1, 0]
    assert page["MillisBehindLatest"] == 0
    service.put(name, b"later")
    records = service.client.get_records(ShardIterator=iterator)["Records"]
    assert [record["Data"] for record in records] == [b"later"]


@both
def test_a_shard_that_is_not_there(service: Kinesis) -> None:
    with refused("ResourceNotFoundException", "shardId-000000000007", "does not exist"):
        service.iterator(service.stream(), shard=7)


@against("moto fails with 500; API reference, GetRecords, errors")
def test_text_that_is_no_iterator(service: Kinesis) -> None:
    with refused("InvalidArgumentException"):
        service.client.get_records(ShardIterator="AAAA")


@against(
    "moto fails with 500 or reads on; API reference, GetShardIterator, StartingSequenceNumber and Timestamp"
)
@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"])
def test_an_iterator_needs_what_its_type_says(service: Kinesis, kind: str) -> None:
    with refused("InvalidArgumentException"):
        service.iterator(service.stream(), kind)


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


@against("moto reads a closed shard for ever; API reference, GetRecords, NextShardIterator and ChildShards")
def test_a_closed_shard_keeps_its_records_and_ends(service: Kinesis) -> None:
    name = service.stream()
    service.put(name, b"1", b"2")
    middle = {"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(ALL_KEYS // 2)}
    service.client.split_shard(StreamName=name, **middle)
    page = service.client.get_records(ShardIterator=service.iterator(name))
    assert [record["Data"] for record in page["Records"]] == [b"1", b"2"]
    assert page.get("NextShardIterator") is None
    assert [name_of(child)[-1] for child in page["ChildShards"]] == ["1", "2"]


@against("moto writes into the parent; Developer Guide, After Resharding: puts are routed to the children")
def test_a_closed_shard_takes_no_records(service: Kinesis) -> None:
    name = service.stream(2)
    pair = [name_of(shard) for shard in service.shards(name)]
    service.client.merge_shards(StreamName=name, ShardToMerge=pair[0], AdjacentShardToMerge=pair[1])
    answer = service.client.put_record(StreamName=name, Data=b"x", PartitionKey="k")
    assert answer["ShardId"] == "shardId-000000000002"


@against("moto lists closed shards too; API reference, ShardFilter, AT_LATEST: currently open shards only")
def test_only_open_shards_are_listed_at_latest(service: Kinesis) -> None:
    name = service.stream(2)
    pair = [name_of(shard) for shard in service.shards(name)]
    service.client.merge_shards(StreamName=name, ShardToMerge=pair[0], AdjacentShardToMerge=pair[1])
    found = service.client.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert [name_of(shard) for shard in found] == ["shardId-000000000002"]


@both
def test_more_than_500_records_are_refused(service: Kinesis) -> None:
    records = [{"Data": b"x", "PartitionKey": "k"}] * 501
    with refused("ValidationException", "1 validation error detected", "less than or equal to 500"):
        service.client.put_records(StreamName=service.stream(), Records=records)


@both
def test_more_than_ten_mebibytes_are_refused(service: Kinesis) -> None:
    records = [{"Data": b"x" * (MIB - 1), "PartitionKey": "k"}] * 10 + [{"Data": b"", "PartitionKey": "k"}]
    with refused("InvalidArgumentException", "Records size exceeds"):
        service.client.put_records(StreamName=service.stream(), Records=records)


@against("moto's limit is 5 MiB; API reference, PutRecords: 10 MiB for the entire request")
def test_ten_mebibytes_are_taken(service: Kinesis) -> None:
    name = service.stream(10)
    records = [
        {
            "Data": b"x" * (MIB - 1),
            "PartitionKey": "k",
            "ExplicitHashKey": shard["HashKeyRange"]["StartingHashKey"],
        }
        for shard in service.shards(name)
    ]
    assert service.client.put_records(StreamName=name, Records=records)["FailedRecordCount"] == 0


@both
def test_a_record_over_one_mebibyte_refuses_its_request(service: Kinesis) -> None:
    name = service.stream()
    records = [{"Data": b"x", "PartitionKey": "k"}, {"Data": b"x" * (MIB + 1), "PartitionKey": "k"}]
    with refused("ValidationException", "'records.2.member.data'", "less than or equal to 1048576"):
        service.client.put_records(StreamName=name, Records=records)
    assert service.read(name) == []


# the data and the key together; the error as the service gives it for PutRecords
@against(
    "moto takes it; API reference, PutRecord, Data: with the partition key at most the record size limit"
)
def test_one_record_over_one_mebibyte_is_refused(service: Kinesis) -> None:
    name = service.stream()
    with refused("ValidationException", "'data'", "less than or equal to 1048576"):
        service.put(name, b"x" * MIB)
    service.put(name, b"x" * (MIB - 1))


@against("moto takes any name; API reference, CreateStream, StreamName: pattern and length")
@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 129])
def test_a_name_of_other_signs_or_length_is_refused(service: Kinesis, name: str) -> None:
    with refused("ValidationException", "'streamName' failed to satisfy constraint"):
        service.client.create_stream(StreamName=name, ShardCount=1)


@both
def test_an_error_has_a_type_and_a_message(service: Kinesis) -> None:
    headers = {
        "X-Amz-Target": "Kinesis_20131202.DescribeStream",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=local/20231114/us-east-1/kinesis/aws4_request",
    }
    request = urllib.request.Request(service.url, b'{"StreamName":"absent"}', headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    body = json.loads(caught.value.read())
    assert body["__type"] == "ResourceNotFoundException"
    assert body["message"].startswith("Stream absent under account")
