"""Requests as they are on the wire: what is no request, and every broken constraint in one error."""

import json
from typing import Any

import httpx
import pytest

from tests.devstack.kinesis.conftest import Kinesis

JSON = "application/x-amz-json-1.1"


def send(
    kinesis: Kinesis, operation: str, body: Any, media_type: str = JSON, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"X-Amz-Target": f"Kinesis_20131202.{operation}", "Content-Type": media_type, **headers}
    return httpx.post(kinesis.url, content=content, headers=given, trust_env=False)


def fault(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == JSON
    assert answer.headers["x-amzn-requestid"]
    body = answer.json()
    assert body.keys() == {"__type", "message"}
    return answer.status_code, body["__type"]


def messages(answer: httpx.Response) -> list[str]:
    """Take the message of a ValidationException apart."""
    assert fault(answer) == (400, "ValidationException")
    head, _, rest = answer.json()["message"].partition(" detected: ")
    found: list[str] = rest.split("; ")
    assert head == f"{len(found)} validation error{'s' if len(found) > 1 else ''}"
    return found


def test_an_operation_without_an_answer_has_an_empty_body(kinesis: Kinesis) -> None:
    answer = send(kinesis, "CreateStream", {"StreamName": "s", "ShardCount": 1})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == JSON


def test_plain_json_and_unknown_members_are_taken(kinesis: Kinesis) -> None:
    body = {"StreamName": "s", "ShardCount": 1, "Tags": {"a": "b"}, "Later": [1]}
    answer = send(kinesis, "CreateStream", body, "application/json; charset=utf-8")
    assert answer.status_code == 200


@pytest.mark.parametrize("operation", ["", "Nothing", "SubscribeToShard", "PutRecords.x"])
def test_an_operation_that_is_not_there(kinesis: Kinesis, operation: str) -> None:
    assert fault(send(kinesis, operation, {})) == (400, "UnknownOperationException")


def test_a_target_of_another_service(kinesis: Kinesis) -> None:
    answer = send(kinesis, "", {}, **{"X-Amz-Target": "Firehose_20150804.PutRecord"})
    assert fault(answer) == (400, "UnknownOperationException")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 405), ("POST", "/other", 404)])
def test_what_is_no_call(kinesis: Kinesis, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, kinesis.url + path, trust_env=False)
    assert fault(answer) == (status, "UnknownOperationException")


def test_cbor_is_refused_by_name(kinesis: Kinesis) -> None:
    answer = send(kinesis, "ListStreams", b"\xa0", "application/x-amz-cbor-1.1")
    assert fault(answer) == (400, "SerializationException")
    assert "CBOR" in answer.json()["message"]


def test_another_host_s_name_is_refused(kinesis: Kinesis) -> None:
    assert send(kinesis, "ListStreams", {}, host="example.com").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"StreamName":"\xff"}',
        b'{"StreamName":5}',
        b'{"Records":{}}',
        b'{"Records":[5]}',
        b'{"Records":[{"Data":"no base64!","PartitionKey":"k"}]}',
        b'{"Records":[{"Data":"eA==","PartitionKey":"\\ud800"}]}',
        b'{"Records":[{"Data":"eA==","PartitionKey":1}]}',
        b'{"Records":' + b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:50]),
)
def test_a_body_of_another_shape(kinesis: Kinesis, body: bytes) -> None:
    assert fault(send(kinesis, "PutRecords", body)) == (400, "SerializationException")


def test_a_body_that_is_too_long(kinesis: Kinesis) -> None:
    answer = send(kinesis, "PutRecords", b" " * (32 * 1024 * 1024 + 1))
    assert fault(answer) == (413, "RequestEntityTooLargeException")


def test_what_is_absent_is_named(kinesis: Kinesis) -> None:
    assert messages(send(kinesis, "CreateStream", {})) == [
        "Value null at 'streamName' failed to satisfy constraint: Member must not be null",
        "Value null at 'shardCount' failed to satisfy constraint: Member must not be null",
    ]
    body = {"StreamName": "s", "Records": [{"PartitionKey": "k", "Data": ""}, {}]}
    assert messages(send(kinesis, "PutRecords", body)) == [
        "Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null",
        "Value null at 'records.2.member.partitionKey' failed to satisfy constraint: Member must not be null",
    ]


WHY = "failed to satisfy constraint: Member must"


@pytest.mark.parametrize(
    ("operation", "body", "expected"),
    [
        (
            "CreateStream",
            {"StreamName": "s", "ShardCount": 0},
            f"Value '0' at 'shardCount' {WHY} have value greater than or equal to 1",
        ),
        (
            "CreateStream",
            {"StreamName": "s", "StreamModeDetails": {"StreamMode": "OTHER"}},
            f"Value 'OTHER' at 'streamModeDetails.streamMode' {WHY} satisfy enum value set: [PROVISIONED, ON_DEMAND]",
        ),
        (
            "DescribeStream",
            {"StreamARN": "arn:aws:s3:::bucket"},
            f"Value 'arn:aws:s3:::bucket' at 'streamARN' {WHY} satisfy regular expression pattern: arn:aws.*:kinesis:.*:\\d{{12}}:stream/\\S+",
        ),
        ("ListStreams", {"Limit": 0}, f"Value '0' at 'limit' {WHY} have value greater than or equal to 1"),
        (
            "PutRecord",
            {"StreamName": "s", "Data": "", "PartitionKey": ""},
            f"Value '' at 'partitionKey' {WHY} have length greater than or equal to 1",
        ),
        (
            "PutRecord",
            {"StreamName": "s", "Data": "", "PartitionKey": "é" * 257},
            f"Value '{'é' * 257}' at 'partitionKey' {WHY} have length less than or equal to 256",
        ),
        (
            "PutRecord",
            {"StreamName": "s", "Data": "", "PartitionKey": "k", "ExplicitHashKey": "-1"},
            f"Value '-1' at 'explicitHashKey' {WHY} satisfy regular expression pattern: 0|([1-9]\\d{{0,38}})",
        ),
        (
            "PutRecords",
            {"StreamName": "s", "Records": []},
            f"Value at 'records' {WHY} have length greater than or equal to 1",
        ),
        (
            "GetShardIterator",
            {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "FIRST"},
            f"Value 'FIRST' at 'shardIteratorType' {WHY} satisfy enum value set: [AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST, AT_TIMESTAMP]",
        ),
        (
            "GetRecords",
            {"ShardIterator": "AAAA", "Limit": 0},
            f"Value '0' at 'limit' {WHY} have value greater than or equal to 1",
        ),
        (
            "ListShards",
            {"StreamName": "s", "ShardFilter": {}},
            f"Value null at 'shardFilter.type' {WHY} not be null",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_broken_constraint(kinesis: Kinesis, operation: str, body: dict[str, Any], expected: str) -> None:
    assert messages(send(kinesis, operation, body)) == [expected]


@pytest.mark.parametrize(
    "operation", ["DescribeStream", "DeleteStream", "ListShards", "DescribeStreamSummary"]
)
def test_a_stream_must_be_named(kinesis: Kinesis, operation: str) -> None:
    assert fault(send(kinesis, operation, {})) == (400, "InvalidArgumentException")


def test_name_and_arn_must_agree(kinesis: Kinesis) -> None:
    body = {"StreamName": "s", "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/other"}
    assert fault(send(kinesis, "DescribeStream", body)) == (400, "InvalidArgumentException")


def test_moments_have_milliseconds(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    for data in (b"1", b"2"):
        kinesis.clock.advance(0.001)
        kinesis.put(name, data)
    shard = {"StreamName": name, "ShardId": "shardId-000000000000", "ShardIteratorType": "AT_TIMESTAMP"}
    answer = send(kinesis, "GetShardIterator", shard | {"Timestamp": kinesis.clock.now / 1000})
    page = send(kinesis, "GetRecords", answer.json()).json()
    assert [record["Data"] for record in page["Records"]] == ["Mg=="]
    assert page["Records"][0]["ApproximateArrivalTimestamp"] == kinesis.clock.now / 1000


def test_what_nobody_foresaw_is_an_internal_failure_and_nothing_is_kept(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    first = kinesis.put(name, b"x" * 5000)
    pages = kinesis.store.db.execute("PRAGMA page_count").fetchone()[0]
    kinesis.store.db.execute(f"PRAGMA max_page_count = {pages + 2}")
    body = {"StreamName": name, "PartitionKey": "k", "Data": "eHh4" * 20_000}
    answer = send(kinesis, "PutRecord", body)
    assert fault(answer) == (500, "InternalFailure")
    assert "Repair: the traceback is shown by" in answer.json()["message"]
    kinesis.store.db.execute(f"PRAGMA max_page_count = {pages + 1000}")
    second = kinesis.put(name, b"2")
    assert int(second[0]) > int(first[0])
    assert kinesis.read(name) == [b"x" * 5000, b"2"]
