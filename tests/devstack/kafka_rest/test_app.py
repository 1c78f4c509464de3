"""The documented answers of API v2, and that nothing a client sends is a 500."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from devstack.kafka_rest.app import JSON_RECORDS, create_app
from devstack.kafka_rest.batch import failed
from devstack.kafka_rest.log import Log
from tests.devstack.kafka_rest.conftest import TOPIC, Arrived, MockLog, Post
from tests.devstack.kafka_rest.test_envelope import TEXTS

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))


def test_records_are_acknowledged_in_their_order(post: Post, arrived: Arrived) -> None:
    answer = post([{"key": number, "value": {"ind": number}} for number in range(500)])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.kafka.v2+json"
    body = answer.json()
    assert (body["key_schema_id"], body["value_schema_id"], len(body["offsets"])) == (None, None, 500)
    assert {"partition", "offset", "error_code", "error"} == set(body["offsets"][7])
    for number in (0, 7, 499):
        assert arrived(body["offsets"][number]) == (b"%d" % number, b'{"ind":%d}' % number)


def murmur2(data: bytes) -> int:
    """Hash as Kafka's Java client does (its own tests: b"21" gives -973932308)."""
    mask, factor = 0xFFFFFFFF, 0x5BD1E995
    value = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        part = int.from_bytes(data[at : at + 4], "little") * factor & mask
        part = (part ^ part >> 24) * factor & mask
        value = (value * factor & mask) ^ part
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * factor & mask
    value = (value ^ value >> 13) * factor & mask
    return value ^ value >> 15


def test_a_key_goes_to_the_partition_that_java_chooses(post: Post, log: Log) -> None:
    assert murmur2(b"21") == -973932308 & 0xFFFFFFFF
    partitions = len(log._producer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions)
    answer = post([{"key": key, "value": 1} for key in range(50)])
    assert [place["partition"] for place in answer.json()["offsets"]] == [
        (murmur2(b"%d" % key) & 0x7FFFFFFF) % partitions for key in range(50)
    ]


def test_a_partition_can_be_named(post: Post, arrived: Arrived) -> None:
    place = post([{"value": "x", "partition": 3}]).json()["offsets"][0]
    assert place["partition"] == 3
    assert arrived(place) == (None, b'"x"')


def test_a_record_that_fails_says_so_beside_those_that_do_not(post: Post) -> None:
    answer = post([{"value": 1}, {"value": 2, "partition": 99}, {"value": "x" * 1_100_000}, {"value": 3}])
    assert answer.status_code == 200
    codes = [place["error_code"] for place in answer.json()["offsets"]]
    assert codes == [None, 1, 1, None]
    refused = answer.json()["offsets"][2]
    assert (refused["partition"], refused["offset"]) == (None, None)
    assert "MSG_SIZE_TOO_LARGE" in refused["error"]


@pytest.mark.parametrize("topic", ["absent", "..", "%00", "a%20b", "%ff", "x" * 300])
def test_an_unknown_topic_is_40401(post: Post, topic: str) -> None:
    answer = post([{"value": 1}], topic=topic)
    assert answer.status_code in (404, 405) if topic == ".." else answer.status_code == 404
    if topic == "absent":
        assert answer.json()["error_code"] == 40401
        assert "Repair: create it" in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "application/json"}, 415),
        ({"content_type": "application/vnd.kafka.avro.v2+json"}, 415),
        ({"content_type": ""}, 415),
        ({"content_type": f"{JSON_RECORDS}; charset=utf-8"}, 200),
        ({"accept": "text/html"}, 406),
        ({"accept": "text/html, application/json;q=0.5"}, 200),
        ({"accept": "*/*"}, 200),
        ({"host": "elsewhere.example"}, 400),
    ],
)
def test_media_types_and_hosts_are_checked(post: Post, headers: dict[str, str], status: int) -> None:
    answer = post([{"value": 1}], **headers)
    assert answer.status_code == status
    if status in (406, 415):
        assert answer.json()["error_code"] == status
        assert "Repair: " in answer.json()["message"]


def test_a_body_without_records_is_422(post: Post) -> None:
    answer = post(b'{"records":[]}')
    assert (answer.status_code, answer.json()["error_code"]) == (422, 422)


def test_a_body_over_the_limit_is_413(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.kafka_rest.app.MAX_BYTES", 50)
    assert post([{"value": "x" * 50}]).status_code == 413


def test_other_paths_and_methods_name_what_there_is(client: TestClient) -> None:
    assert client.get("/consumers").json()["error_code"] == 404
    answer = client.delete("/topics")
    assert (answer.status_code, answer.json()["error_code"]) == (405, 405)
    assert "POST /topics/<name>" in answer.json()["message"]


def test_topics_are_listed(client: TestClient) -> None:
    assert client.get("/topics").json() == [TOPIC]
    assert client.get("/topics/absent").json()["error_code"] == 40401


@pytest.mark.parametrize(
    ("code", "error_code"),
    [
        (KafkaError._MSG_TIMED_OUT, 2),
        (KafkaError.NOT_ENOUGH_REPLICAS, 2),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, 2),
        (KafkaError.MSG_SIZE_TOO_LARGE, 1),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, 1),
        (KafkaError._UNKNOWN_PARTITION, 1),
    ],
)
def test_an_error_of_a_record_says_whether_sending_again_can_help(code: int, error_code: int) -> None:
    result = failed(KafkaError(code))
    assert (result.partition, result.offset, result.error_code) == (None, None, error_code)


def test_more_records_than_the_producer_queues_are_waited_for() -> None:
    log = MockLog({"test.mock.num.brokers": 1, "queue.buffering.max.messages": 10})
    log._producer.list_topics(TOPIC, timeout=10)
    with TestClient(create_app(log)) as client:
        body = msgspec.json.encode({"records": [{"value": number} for number in range(60)]})
        answer = client.post(f"/topics/{TOPIC}", content=body, headers={"content-type": JSON_RECORDS})
    assert {place["error_code"] for place in answer.json()["offsets"]} == {None}


class SilentLog(Log):
    """Brokers that answer nothing but an error."""

    def __init__(self, code: int) -> None:
        self.code = code

    async def topics(self) -> dict[str, Any]:
        raise KafkaException(KafkaError(self.code))


@pytest.mark.parametrize(
    ("code", "error_code"),
    [(KafkaError._TRANSPORT, 50003), (KafkaError.CLUSTER_AUTHORIZATION_FAILED, 50002)],
)
def test_brokers_that_fail_are_a_kafka_error(code: int, error_code: int) -> None:
    answer = TestClient(create_app(SilentLog(code))).get("/topics")
    assert (answer.status_code, answer.json()["error_code"]) == (500, error_code)
    assert "Repair: see that the brokers are up" in answer.json()["message"]


def test_a_producer_that_cannot_go_on_ends_the_process(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os.kill", lambda _, number: ended.append(number))
    error = SimpleNamespace(fatal=lambda: True, str=lambda: "x")
    log._error(error)
    assert ended == [15]


@FEW
@given(texts=st.lists(TEXTS.filter(lambda text: text != "null"), min_size=1, max_size=3))
def test_every_accepted_value_arrives_byte_for_byte(post: Post, arrived: Arrived, texts: list[str]) -> None:
    records = ",".join(f'{{"key":{text},"value":{text}}}' for text in texts)
    answer = post(f'{{"records":[{records}]}}'.encode())
    assert answer.status_code == 200
    for text, place in zip(texts, answer.json()["offsets"], strict=True):
        sent = text.replace("\n", "").encode()
        assert arrived(place) == (sent, sent)


@FEW
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    body=st.binary(max_size=200) | TEXTS.map(lambda text: f'{{"records":[{{"value":{text}}}]}}'.encode()),
    headers=st.dictionaries(st.sampled_from(["content-type", "accept", "content-encoding"]), HEADER_TEXT),
)
def test_no_request_is_a_500(
    client: TestClient, method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    raw = {name: value.strip().encode("latin-1") for name, value in headers.items()}
    for url in (f"/topics/{TOPIC}", "/topics/" + path, "/" + path):
        target = quote(url, safe="/")
        assert client.request(method, target, content=body, headers=raw).status_code < 500
