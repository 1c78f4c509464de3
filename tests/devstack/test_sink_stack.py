"""The sink over a real Kafka and a real S3: killed, restarted, beside a second one, without its bucket."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from devstack import s3proxy, sink, supervise
from devstack.config import REPO, Settings

pytestmark = pytest.mark.stack
Landed = dict[int, dict[int, bytes]]
PUTTING = re.compile(r"\.json-[0-9a-f-]{36}$")


class Stack:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.kafka = {"bootstrap.servers": f"127.0.0.1:{settings.kafka_port}"}
        self.admin = AdminClient(self.kafka)
        self.s3 = s3proxy.client(settings)

    def topic(self, name: str, partitions: int = 3) -> str:
        topic = f"{self.settings.user_id}.{name}"
        self.admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result()
        return topic

    def send(self, topic: str, values: list[bytes | None], **options: Any) -> None:
        producer = Producer(self.kafka | {"enable.idempotence": True})
        for number, value in enumerate(values):
            producer.produce(topic, value, str(number).encode(), **options)
            producer.poll(0)
        assert producer.flush(30) == 0

    def pid(self, name: str) -> int:
        pid = {row.name: row.pid for row in supervise.status(self.settings)}[name]
        assert pid is not None
        return pid

    def objects(self, topic: str) -> dict[str, Any]:
        """Key to time of writing; S3Proxy lists an object that is being put under a name of its own."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.settings.bucket, Prefix=f"topics/{topic}/"
        )
        items = [item for page in pages for item in page.get("Contents", [])]
        return {item["Key"]: item["LastModified"] for item in items if not PUTTING.search(item["Key"])}

    def body(self, key: str) -> bytes:
        data: bytes = self.s3.get_object(Bucket=self.settings.bucket, Key=key)["Body"].read()
        return data

    def landed(self, topic: str) -> Landed:
        """Lines by partition and offset; an offset in two objects fails."""
        found: Landed = {}
        for key in self.objects(topic):
            match = re.fullmatch(rf"topics/{topic}/partition=(\d+)/{topic}\+\1\+(\d{{20}})\.json", key)
            assert match, key
            lines = found.setdefault(int(match[1]), {})
            for offset, line in enumerate(self.body(key).split(b"\n")[:-1], int(match[2])):
                assert offset not in lines, f"offset {offset} lies in two objects"
                lines[offset] = line
        return found

    def in_topic(self, topic: str, partitions: int = 3) -> Landed:
        """What Kafka itself says: values by partition and offset."""
        consumer = Consumer(self.kafka | {"group.id": "check", "isolation.level": "read_uncommitted"})
        found: Landed = {}
        for partition in range(partitions):
            _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            consumer.assign([TopicPartition(topic, partition, 0)])
            while consumer.position([TopicPartition(topic, partition)])[0].offset < high:
                for message in consumer.consume(1000, timeout=0.2):
                    found.setdefault(partition, {})[message.offset()] = message.value()
        consumer.close()
        return found


def eventually(done: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = Settings(state_dir=tmp_path_factory.mktemp("sink") / "state", port_offset=2100)
    try:
        supervise.up(settings, ["sink"])
        yield Stack(settings)
    finally:
        supervise.reset(settings)


def test_a_record_of_a_new_topic_lands_within_seconds(stack: Stack) -> None:
    topic = stack.topic("quick")
    stack.send(topic, [b"{}"])
    eventually(lambda: len(stack.objects(topic)) == 1, 10)
    delays = []
    for number in range(5):
        sent = time.monotonic()
        stack.send(topic, [b"%d" % number], partition=1)
        eventually(lambda known=number + 2: len(stack.objects(topic)) == known, 10)  # type: ignore[misc]
        delays.append(time.monotonic() - sent)
    assert sorted(delays)[2] < 2.5


def test_a_record_of_a_new_partition_lands(stack: Stack) -> None:
    topic = stack.topic("grown", 1)
    stack.admin.create_partitions([NewPartitions(topic, 2)])[topic].result()
    stack.send(topic, [b"{}"], partition=1)
    eventually(lambda: stack.landed(topic) == {1: {0: b"{}"}})


def test_values_land_byte_for_byte(stack: Stack) -> None:
    topic = stack.topic("bytes", 1)
    values = [
        b'{"a":1.10,"b":123456789012345678901234567890}',
        "😀 שלום e\u0301".encode(),
        b"\x00\xff",
        b"",
        None,
    ]
    stack.send(topic, [*values, b"two\nlines", b"end"])
    eventually(lambda: len(stack.objects(topic)) == 3)
    bodies = [stack.body(key) for key in sorted(stack.objects(topic))]
    joined = b"".join((b"null" if value is None else value) + b"\n" for value in values)
    assert bodies == [joined, b"two\nlines\n", b"end\n"]
    assert [int(key[-25:-5]) for key in sorted(stack.objects(topic))] == [0, 5, 6]


def test_offsets_hold_across_transactions(stack: Stack) -> None:
    topic = stack.topic("transactions", 1)
    producer = Producer(stack.kafka | {"transactional.id": "t"})
    producer.init_transactions(30)
    for number in range(3):
        producer.begin_transaction()
        for part in range(2):
            producer.produce(topic, b"%d.%d" % (number, part))
        producer.commit_transaction(30)
    expected = stack.in_topic(topic, 1)
    assert list(expected[0]) == [0, 1, 3, 4, 6, 7]
    eventually(lambda: stack.landed(topic) == expected)


def test_a_sink_killed_again_and_again_loses_and_doubles_nothing(stack: Stack) -> None:
    topic = stack.topic("killed")
    for part in range(4):
        stack.send(topic, [json.dumps({"n": part * 5000 + n}).encode() for n in range(5000)])
        time.sleep(0.2 * part)
        killed = stack.pid("sink")
        os.kill(killed, signal.SIGKILL)
        eventually(lambda old=killed: sink_back(stack, old))  # type: ignore[misc]
    expected = stack.in_topic(topic)
    assert sum(map(len, expected.values())) == 20_000
    eventually(lambda: sum(map(len, stack.landed(topic).values())) == 20_000, 60)
    assert stack.landed(topic) == expected


def sink_back(stack: Stack, old: int) -> bool:
    pid = {row.name: row.pid for row in supervise.status(stack.settings)}["sink"]
    return pid is not None and pid != old


@pytest.fixture
def second(stack: Stack, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Start another sink with its own group and wait until it is ready."""
    started: list[subprocess.Popen[bytes]] = []

    def start(source: str, name: str, regex: str) -> Path:
        text = (REPO / "infra" / "connect" / source).read_text()
        text = re.sub(r"(?m)^name=.*$", f"name={name}", text)
        config, log = tmp_path / f"{name}.properties", tmp_path / f"{name}.log"
        config.write_text(re.sub(r"(?m)^topics.regex=.*$", f"topics.regex={regex}", text))
        ready = tmp_path / f"{name}.ready"
        env = (
            os.environ | sink.environment(stack.settings) | {"DEVSTACK_STATE": str(stack.settings.state_dir)}
        )
        with log.open("wb") as out:
            command = sink.command(stack.settings, config, ready)
            started.append(subprocess.Popen(command, cwd=REPO, env=env, stdout=out, stderr=out))
        eventually(lambda: sink.is_ready(ready))
        return log

    yield start
    for process in started:
        process.terminate()
        assert process.wait(20) == 0


def test_a_sink_that_begins_at_zero_puts_nothing_again(stack: Stack, second: Callable[..., Path]) -> None:
    topic = stack.topic("again")
    for _ in range(3):
        stack.send(topic, [b"%d" % n for n in range(2500)])
        time.sleep(0.7)
    eventually(lambda: sum(map(len, stack.landed(topic).values())) == 7_500)
    before = stack.objects(topic)
    log = second("s3-sink.properties", "another", re.escape(topic).replace("\\.", "[.]"))
    committed = Consumer(stack.kafka | {"group.id": "connect-another"})
    ends = {p: max(lines) + 1 for p, lines in stack.landed(topic).items()}
    slots = [TopicPartition(topic, partition) for partition in range(3)]
    eventually(lambda: {p.partition: p.offset for p in committed.committed(slots, timeout=10)} == ends)
    assert stack.objects(topic) == before
    assert "put topics/" not in log.read_text()
    committed.close()


def test_the_confluent_properties_write_ten_digits(stack: Stack, second: Callable[..., Path]) -> None:
    topic = "confluent.pin"
    stack.admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    stack.send(topic, [b"a", None, b"b"])
    second("s3-sink.confluent.properties", "confluent", "confluent[.]pin")
    eventually(lambda: len(stack.objects(topic)) == 2)
    head = f"topics/{topic}/partition=0/{topic}+0+"
    assert {key: stack.body(key) for key in stack.objects(topic)} == {
        f"{head}0000000000.json": b"a\n",
        f"{head}0000000002.json": b"b\n",
    }


def test_a_dead_bucket_service_delays_and_loses_nothing(stack: Stack) -> None:
    topic = stack.topic("outage")
    os.kill(stack.pid("s3"), signal.SIGKILL)
    stack.send(topic, [b"%d" % n for n in range(3000)])

    def all_landed() -> bool:
        try:
            return sum(map(len, stack.landed(topic).values())) == 3000
        except Exception:  # noqa: BLE001 - the service is away for some seconds
            return False

    eventually(all_landed, 60)
    assert stack.landed(topic) == stack.in_topic(topic)
