"""Gateway, REST proxy, Kafka and Kinesis, really started: byte for byte, refusals, what a killed process loses."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from devstack import kafka, processes, supervise
from devstack.config import Settings
from devstack.gateway.service import invoke_url
from devstack.kafka_rest import service as rest
from tests.devstack.gateway.conftest import JSON_RECORDS
from tests.devstack.kinesis.conftest import Clock, Kinesis
from tests.listening import assert_loopback_only

pytestmark = pytest.mark.stack
BURST = 150


class Stack:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.kafka = {"bootstrap.servers": kafka.bootstrap(settings)}
        self.topic = f"{settings.user_id}.pin"
        admin = AdminClient(self.kafka)
        admin.create_topics([NewTopic(self.topic, 3)])[self.topic].result(15)
        headers = {"x-api-key": settings.gateway_key}
        self.api = httpx.Client(headers=headers, timeout=60, trust_env=False)
        self.url = f"{invoke_url(settings)}/topics/{self.topic}"

    def post(self, body: bytes, url: str = "") -> httpx.Response:
        return self.api.post(url or self.url, content=body, headers={"content-type": JSON_RECORDS})

    def kill(self, name: str) -> None:
        pid = {row.name: row.pid for row in supervise.status(self.settings)}[name]
        psutil.Process(pid).kill()

    def values(self) -> dict[tuple[int, int], bytes]:
        """Return every value of the topic by partition and offset."""
        consumer = Consumer(self.kafka | {"group.id": "check"})
        found: dict[tuple[int, int], bytes] = {}
        for partition in range(3):
            place = TopicPartition(self.topic, partition, 0)
            _, high = consumer.get_watermark_offsets(place, timeout=15)
            consumer.assign([place])
            while high and consumer.position([place])[0].offset < high:
                for message in consumer.consume(1000, timeout=0.2):
                    assert message.error() is None
                    found[partition, message.offset()] = message.value()
        consumer.close()
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = Settings(
        state_dir=folder / "state", port_offset=2300, gateway_file=limited(folder / "gateway.yaml")
    )
    try:
        supervise.up(settings, ["gateway"])
        yield Stack(settings)
    finally:
        supervise.reset(settings)
    assert processes.ours(settings.state_dir) == []


def limited(path: Path) -> Path:
    """Write the definition with a limit that one client can reach."""
    definition = yaml.safe_load(Settings().gateway_file.read_text())
    definition["x-pinflow-stage"] |= {"throttlingRateLimit": 20, "throttlingBurstLimit": BURST}
    path.write_text(yaml.safe_dump(definition))
    return path


def batch(tag: str) -> tuple[bytes, list[bytes]]:
    """Return a body of 500 records and their values."""
    values = [b'{"ind":%d,"tag":"%s"}' % (number, tag.encode()) for number in range(500)]
    records = b",".join(b'{"key":%d,"value":%s}' % pair for pair in enumerate(values))
    return b'{"records":[%s]}' % records, values


def acknowledged(answer: httpx.Response, values: list[bytes]) -> dict[tuple[int, int], bytes]:
    places = answer.json()["offsets"]
    return {
        (place["partition"], place["offset"]): value
        for place, value in zip(places, values, strict=True)
        if place["error_code"] is None
    }


def test_nasty_rows_arrive_byte_for_byte(stack: Stack) -> None:
    values = [
        b'{"a":1.10,"b":123456789012345678901234567890,"c":-0.0,"d":1E400}',
        '{"title":"😀 שלום e\u0301 \u2028","q":"\\"\\\\\\n\\u0000\\ud83d\\ude00"}'.encode(),
        b'{"x":"' + b"y" * 10_000 + b'"}',
        b'{"a":1,"a":2, "b" : [ ] }',
        b"{}",
    ]
    body = b'{"records":[' + b",\n".join(b'{"key":"42","value":%s}' % value for value in values) + b"]}"
    answer = stack.post(body)
    assert answer.status_code == 200
    places = acknowledged(answer, values)
    assert len(places) == len(values)
    assert places.items() <= stack.values().items()


def test_the_proxy_describes_the_topic(stack: Stack) -> None:
    found = stack.api.get(stack.url).json()
    assert (found["name"], len(found["partitions"])) == (stack.topic, 3)
    assert found["configs"]["cleanup.policy"] == "delete"
    assert found["partitions"][0]["replicas"] == [{"broker": 1, "leader": True, "in_sync": True}]


def test_a_row_goes_to_a_stream_byte_for_byte(stack: Stack) -> None:
    kinesis = Kinesis(stack.settings.kinesis_endpoint, Clock())
    stream = f"streaming-{stack.settings.user_id}-pin"
    url = f"{invoke_url(stack.settings)}/streams/{stream}"
    assert stack.api.post(url, json={"ShardCount": 1}).status_code == 200
    row = '{"title":"it\'s 😀 \\"#set($x)\\"","n":123456789012345678901234567890}'
    answer = stack.api.put(f"{url}/records", json={"records": [{"data": row, "partition-key": "1"}]})
    assert (answer.status_code, answer.json()["FailedRecordCount"]) == (200, 0)
    assert kinesis.read(stream) == [row.encode()]


def test_refusals_come_from_where_they_would(stack: Stack) -> None:
    row = b'{"records":[{"value":{}}]}'
    url = invoke_url(stack.settings)
    assert httpx.post(stack.url, content=row, trust_env=False).json() == {"message": "Forbidden"}
    assert stack.post(b'{"records":[{"value":1}]}').json() == {"message": "Invalid request body"}
    assert stack.post(row, f"{url}/topics/absent").json()["error_code"] == 40401
    assert stack.post(row, f"{url}/").json() == {"message": "Missing Authentication Token"}
    long = stack.post(b" " * (10 * 1024 * 1024 + 1))
    assert (long.status_code, long.json()) == (413, {"message": "Request Too Long"})
    assert stack.post(row, f"{url}/topics/..%2f{stack.topic}").status_code == 404
    assert (
        stack.post(
            b'{"records":[{"value":{"a":"\xff"}}]}', f"{rest.url(stack.settings)}/topics/{stack.topic}"
        ).status_code
        == 422
    )


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    assert_loopback_only(stack.settings)


@pytest.mark.parametrize("name", ["kafka", "rest"])
def test_a_process_killed_mid_batch_loses_nothing_acknowledged_and_comes_back(
    stack: Stack, name: str
) -> None:
    places: dict[tuple[int, int], bytes] = {}
    answers: list[httpx.Response] = []
    finished = threading.Event()

    def send() -> None:
        for number in itertools.count():
            body, values = batch(f"{name}{number}")
            answers.append(answer := stack.post(body))
            if answer.status_code == 200:
                places.update(acknowledged(answer, values))
            if finished.is_set():
                return
            time.sleep(0.05)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        until(lambda: len(answers) >= 3)
        stack.kill(name)
        if name == "rest":
            until(lambda: any(answer.status_code == 502 for answer in answers))
        count = len(answers)
        until(lambda: any(complete(answer) for answer in answers[count + 1 :]), 60)
    finally:
        finished.set()
        sender.join(60)
    assert {answer.status_code for answer in answers} <= ({200} if name == "kafka" else {200, 502})
    for answer in answers:
        codes = {place["error_code"] for place in answer.json().get("offsets", [])}
        assert codes <= {None, 2}
    assert places.items() <= stack.values().items()


def complete(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and all(
        place["error_code"] is None for place in answer.json()["offsets"]
    )


def until(done: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def test_over_the_limit_is_429_and_passes(stack: Stack) -> None:
    url = f"{invoke_url(stack.settings)}/topics"
    answers = (stack.api.get(url) for _ in range(4 * BURST))
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Requests"})
    time.sleep(int(refused.headers["retry-after"]))
    assert stack.api.get(url).status_code == 200
