"""The streams' routes through the gateway to the real endpoint: byte for byte, and every refusal."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.devstack.gateway.conftest import Document, Gateway, put, stored
from tests.devstack.kinesis.conftest import Kinesis

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(str.strip)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
HOSTILE = [
    "",
    "it's \"quoted\" \\' \\",
    "$input.json('$') ${x} $!y #set($a = 1) #if(true) #end ## #* *#",
    '"}], "StreamName": "other", "x": [{"y": "',
    "__FORMAL_REFERENCE__REPLACE_TEXT__",
    "\x00\x01\b\t\n\f\r\x1f\x7f\x80\u2028\u2029\ufeff\uffff",
    "😀 שלום e\u0301 </script>",
    '{"a": 123456789012345678901234567890, "b": 1.10, "c": -0.0, "d": 1E400}',
    '{"half": "\\ud800"}',
    "9" * 5000,
]
slow = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_stream_is_made_listed_described_and_deleted(streams: TestClient) -> None:
    made = streams.post("/dev/streams/made", json={"ShardCount": 2})
    assert (made.status_code, made.content) == (200, b"")
    assert "made" in streams.get("/dev/streams").json()["StreamNames"]
    described = streams.get("/dev/streams/made")
    assert described.headers["content-type"] == "application/json"
    found = described.json()["StreamDescription"]
    assert (found["StreamName"], found["StreamStatus"], len(found["Shards"])) == ("made", "ACTIVE", 2)
    assert streams.delete("/dev/streams/made").status_code == 200
    assert "made" not in streams.get("/dev/streams").json()["StreamNames"]


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_stream_has_one_shard_by_default(streams: TestClient, kinesis: Kinesis, body: bytes) -> None:
    assert streams.post("/dev/streams/small", content=body).status_code == 200
    assert len(kinesis.shards("small")) == 1
    assert streams.delete("/dev/streams/small").status_code == 200


def test_one_record_is_put(streams: TestClient, kinesis: Kinesis, stream: str) -> None:
    row = b' { "a" : 1.10 ,\n "b":123456789012345678901234567890, "c":"it\'s  $x \\"#set\\u0000 \xc3\xa9" } '
    body = b'{"StreamName":"another","Data":%s,"PartitionKey":"it\'s"}' % row
    answer = streams.put(f"/dev/streams/{stream}/record", content=body)
    assert (answer.status_code, answer.json()["ShardId"]) == (200, "shardId-000000000000")
    tight = b'{"a":1.10,"b":123456789012345678901234567890,"c":"it\'s  $x \\"#set\\u0000 \xc3\xa9"}'
    assert stored(kinesis, stream, {"Records": [answer.json()]}) == [(tight, "it's")]


def test_five_hundred_records_are_put_in_their_order(
    streams: TestClient, kinesis: Kinesis, stream: str
) -> None:
    pairs = [(json.dumps({"ind": number, "pad": "é" * 200}), f"key'{number}") for number in range(500)]
    answer = put(streams, stream, *pairs)
    assert (answer.status_code, answer.json()["FailedRecordCount"]) == (200, 0)
    assert stored(kinesis, stream, answer.json()) == [(data.encode(), key) for data, key in pairs]


def test_hostile_text_arrives_byte_for_byte(streams: TestClient, kinesis: Kinesis, stream: str) -> None:
    pairs = [(text, text[:200] or "k") for text in HOSTILE]
    answer = put(streams, stream, *pairs)
    assert answer.json()["FailedRecordCount"] == 0
    assert stored(kinesis, stream, answer.json()) == [(data.encode(), key) for data, key in pairs]


@slow
@given(pairs=st.lists(st.tuples(TEXT, KEYS), min_size=1, max_size=8), plain=st.booleans())
def test_any_text_arrives_byte_for_byte(
    streams: TestClient, kinesis: Kinesis, stream: str, pairs: list[tuple[str, str]], plain: bool
) -> None:
    records = [{"data": data, "partition-key": key} for data, key in pairs]
    body = json.dumps({"records": records}, ensure_ascii=plain).encode()
    answer = streams.put(f"/dev/streams/{stream}/records", content=body)
    assert answer.json()["FailedRecordCount"] == 0
    assert stored(kinesis, stream, answer.json()) == [(data.encode(), key) for data, key in pairs]


@slow
@given(row=st.dictionaries(TEXT, VALUES, max_size=5), key=KEYS, plain=st.booleans())
def test_any_row_arrives_as_it_was(
    streams: TestClient, kinesis: Kinesis, stream: str, row: Document, key: str, plain: bool
) -> None:
    tight = json.dumps(row, ensure_ascii=plain, separators=(",", ":"))
    wide = json.dumps({"Data": row, "PartitionKey": key}, ensure_ascii=plain, indent=1)
    answer = streams.put(f"/dev/streams/{stream}/record", content=wide.encode())
    assert stored(kinesis, stream, {"Records": [answer.json()]}) == [(tight.encode(), key)]


@slow
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    name=TEXT.filter(str.strip),
    end=st.sampled_from(["", "/record", "/records"]),
    body=st.binary(max_size=50) | VALUES.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({}, optional={"records": VALUES, "Data": VALUES, "PartitionKey": VALUES, "ShardCount": VALUES}).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
def test_no_request_is_a_5xx(streams: TestClient, method: str, name: str, end: str, body: bytes) -> None:
    url = f"/dev/streams/{quote(name, safe='')}{end}"
    assert streams.request(method, url, content=body).status_code < 500


def test_a_record_that_failed_says_so_in_a_200(streams: TestClient, kinesis: Kinesis) -> None:
    stream = kinesis.stream()
    with kinesis.clock.standing():
        answer = put(streams, stream, *[("x" * 400_000, "k")] * 3)
    assert (answer.status_code, answer.json()["FailedRecordCount"]) == (200, 1)
    kept, _, failed = answer.json()["Records"]
    assert failed["ErrorCode"] == "ProvisionedThroughputExceededException"
    assert kept.keys() == {"ShardId", "SequenceNumber"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("records", b"{}"),
        ("records", b""),
        ("records", b'{"records":[]}'),
        ("records", b'{"records":[{"partition-key":"k"}]}'),
        ("records", b'{"records":[{"data":"{}"}]}'),
        ("records", b'{"records":[{"data":{},"partition-key":"k"}]}'),
        ("records", b'{"records":[%s]}' % b",".join([b'{"data":"","partition-key":"k"}'] * 501)),
        ("records", b'{"records":[{"data":"\\ud800","partition-key":"k"}]}'),
        ("records", b'{"records":[{"data":"","partition-key":"\\udc00"}]}'),
        ("record", b'{"PartitionKey":"k"}'),
        ("record", b'{"Data":"text","PartitionKey":"k"}'),
        ("record", b'{"Data":{},"PartitionKey":1}'),
        ("record", b'{"Data":{"a":"\xff"},"PartitionKey":"k"}'),
        ("", b'{"ShardCount":"2"}'),
        ("", b'{"ShardCount":0}'),
    ],
)
def test_a_body_outside_its_model_ends_at_the_gateway(
    streams: TestClient, stream: str, path: str, body: bytes
) -> None:
    method = "PUT" if path else "POST"
    answer = streams.request(method, f"/dev/streams/{stream}/{path}".rstrip("/"), content=body)
    assert (answer.status_code, answer.json()) == (400, {"message": "Invalid request body"})


def test_what_kinesis_refuses_is_a_400_with_its_type(streams: TestClient, stream: str) -> None:
    answer = put(streams, "absent", ("{}", "k"))
    assert (answer.status_code, answer.json()["__type"]) == (400, "ResourceNotFoundException")
    assert streams.get("/dev/streams/absent").json()["__type"] == "ResourceNotFoundException"
    assert streams.post(f"/dev/streams/{stream}").json()["__type"] == "ResourceInUseException"
    assert put(streams, stream, ("{}", "")).json()["__type"] == "ValidationException"


@pytest.mark.parametrize("name", ['a"b', "a'b", "$x", "#set(", "a%b", "é😀", '"}', "a/b", "\x00"])
def test_a_name_from_the_path_is_nothing_but_a_name(streams: TestClient, name: str) -> None:
    answer = streams.get(f"/dev/streams/{quote(name, safe='')}")
    assert (answer.status_code, answer.json()["__type"]) == (400, "ValidationException")
    assert f"'{name}'" in answer.json()["message"]


def test_a_failure_of_kinesis_is_a_500_with_its_type(
    gateway: Gateway, kinesis: Kinesis, monkeypatch: Any
) -> None:
    stream = kinesis.stream()
    monkeypatch.setattr(kinesis.store, "append", lambda *_: 1 / 0)
    answer = put(gateway(kinesis=kinesis.url), stream, ("{}", "k"))
    assert (answer.status_code, answer.json()["__type"]) == (500, "InternalFailure")


def test_without_the_key_nothing_goes_through(streams: TestClient, stream: str) -> None:
    nobody = TestClient(streams.app)
    for method, path in (
        ("GET", ""),
        ("POST", "/new"),
        ("DELETE", f"/{stream}"),
        ("PUT", f"/{stream}/records"),
    ):
        answer = nobody.request(method, f"/dev/streams{path}", json={})
        assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
    assert streams.get(f"/dev/streams/{stream}").status_code == 200
    assert streams.get("/dev/streams/new").status_code == 400


def test_a_method_that_a_stream_lacks_is_no_route(streams: TestClient, stream: str) -> None:
    answer = streams.get(f"/dev/streams/{stream}/records")
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
