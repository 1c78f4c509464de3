"""The proxy over librdkafka's own mock brokers."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from starlette.testclient import TestClient

from devstack.kafka_rest.app import JSON_RECORDS, create_app
from devstack.kafka_rest.log import Log

TOPIC = "12e834567890.pin"
Arrived = Callable[[dict[str, Any]], tuple[bytes | None, bytes | None]]
Post = Callable[..., Any]


class MockLog(Log):
    """A log over mock brokers, which know no configurations."""

    def _configs(self, topic: str) -> dict[str, str]:
        return {"cleanup.policy": "delete"}


@pytest.fixture(scope="package")
def log() -> Log:
    log = MockLog({"test.mock.num.brokers": 1})
    log._producer.list_topics(TOPIC, timeout=10)  # mock brokers make a topic that is asked for by name
    return log


@pytest.fixture(scope="package")
def client(log: Log) -> Iterator[TestClient]:
    with TestClient(create_app(log)) as client:
        yield client


@pytest.fixture(scope="package")
def post(client: TestClient) -> Post:
    """Post a body of bytes, or of records, to the topic."""

    def send(body: Any, topic: str = TOPIC, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else msgspec.json.encode({"records": body})
        given = {"content-type": JSON_RECORDS} | {k.replace("_", "-"): v for k, v in headers.items()}
        return client.post(f"/topics/{topic}", content=content, headers=given)

    return send


@pytest.fixture(scope="package")
def arrived(log: Log) -> Iterator[Arrived]:
    """Return key and value of the record at an acknowledged place."""
    broker = next(iter(log._producer.list_topics(timeout=10).brokers.values()))
    address = f"{broker.host}:{broker.port}"
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "fetch.wait.max.ms": 10})
    partitions = log._producer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in partitions])
    found: dict[tuple[int, int], tuple[bytes | None, bytes | None]] = {}

    def read(place: dict[str, Any]) -> tuple[bytes | None, bytes | None]:
        assert place["error_code"] is None, place
        while (place["partition"], place["offset"]) not in found:
            message = consumer.poll(10)
            assert message is not None
            assert message.error() is None
            found[message.partition(), message.offset()] = message.key(), message.value()
        return found[place["partition"], place["offset"]]

    yield read
    consumer.close()
