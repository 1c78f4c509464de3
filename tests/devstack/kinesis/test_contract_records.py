"""The contract of records; where moto differs, the case says which page of AWS decides."""

import json
import urllib.request

import pytest

from tests.devstack.kinesis.conftest import Kinesis, refused
from tests.devstack.kinesis.contract import ALL_KEYS, MIB, against, both, name_of, shard_of


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


@against(
    "moto never throttles; API reference, PutRecords: 1,000 records a second and shard, FailedRecordCount"
)
def test_records_over_a_shard_s_limit_say_so_one_by_one(service: Kinesis) -> None:
    name = service.stream()
    records = [{"Data": b"x", "PartitionKey": "k"}] * 500
    with service.clock.standing():
        answers = [service.client.put_records(StreamName=name, Records=records) for _ in range(3)]
    assert [answer["FailedRecordCount"] for answer in answers] == [0, 0, 500]
    codes = {record["ErrorCode"] for record in answers[2]["Records"]}
    assert codes == {"ProvisionedThroughputExceededException"}


@against("moto never throttles; API reference, PutRecord, errors")
def test_a_record_over_its_shard_s_limit_is_refused(service: Kinesis) -> None:
    name = service.stream()
    with service.clock.standing():
        service.put(name, b"x" * (MIB - 1))
        with refused("ProvisionedThroughputExceededException", "shardId-000000000000", name):
            service.put(name, b"x")


@against("moto never throttles; API reference, GetRecords: five transactions a second and shard")
def test_a_sixth_read_in_a_second_is_refused(service: Kinesis) -> None:
    iterator = service.iterator(service.stream())
    with service.clock.standing():
        for _ in range(5):
            service.client.get_records(ShardIterator=iterator)
        with refused("ProvisionedThroughputExceededException"):
            service.client.get_records(ShardIterator=iterator)
