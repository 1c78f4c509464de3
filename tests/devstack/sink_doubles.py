"""A topic, a bucket and a clock in memory, with crashes on demand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from confluent_kafka import TopicPartition

from devstack.sink.properties import SinkConfig
from devstack.sink.store import HeldError, StoreError

Value = bytes | None
TOPIC = "u.pin"


class Crash(BaseException):
    """kill -9: nothing after it is done."""


def config(max_records: int = 5, *, skip_null: bool = False) -> SinkConfig:
    template = "topics/{topic}/partition={partition}/{topic}+{partition}+{start_offset}.json"
    return SinkConfig(
        "sink", (), "u[.].*", "b", "r", None, None, None, template, 20, max_records, 1.0, skip_null
    )


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bucket:
    """Objects by start offset of one partition; `faults` are taken one a put: before, after, error, or none."""

    objects: dict[int, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    puts: int = 0

    def put(self, key: str, body: bytes, *, replace: bool) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise Crash
        if fault == "error":
            raise StoreError("503 Slow Down")
        start = int(key.rsplit("+", 1)[1].removesuffix(".json"))
        if start in self.objects and not replace:
            raise HeldError(key)
        self.objects[start] = body
        self.puts += 1
        if fault == "after":
            raise Crash
        if fault == "timeout":
            raise StoreError("no answer in time")

    def read(self, key: str) -> bytes:
        return self.objects[int(key.rsplit("+", 1)[1].removesuffix(".json"))]

    def starts(self, topic: str, partition: int, after: int) -> Iterator[int]:
        assert (topic, partition) == (TOPIC, 0)
        yield from (start for start in sorted(self.objects) if start > after)


@dataclass
class Message:
    at: int
    held: Value

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def value(self) -> Value:
        return self.held


@dataclass
class Log:
    """One partition: offsets with values (gaps allowed) and the group's committed offset."""

    values: dict[int, Value] = field(default_factory=dict)
    committed: int = -1001


class FakeConsumer:
    """The part of confluent_kafka.Consumer that the sink uses."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self.log, self.clock = log, clock
        self.position = 0
        self.paused = False
        self.closed = False
        self.batch = 3
        self.topic_is_there = True
        self.assigned: list[TopicPartition] = []

    def list_topics(self, timeout: float) -> Any:
        del timeout
        topic = SimpleNamespace(error=None, partitions={0: None})
        return SimpleNamespace(topics={TOPIC: topic, "other": topic} if self.topic_is_there else {})

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = partitions
        for partition in partitions:
            self.position = partition.offset

    def consume(self, count: int, timeout: float) -> list[Message]:
        self.clock.now += max(timeout, 0.01)
        if self.paused or not self.assigned:
            return []
        offsets = [offset for offset in sorted(self.log.values) if offset >= self.position]
        taken = offsets[: min(count, self.batch)]
        if taken:
            self.position = taken[-1] + 1
        return [Message(offset, self.log.values[offset]) for offset in taken]

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        del partitions, timeout
        return [TopicPartition(TOPIC, 0, self.log.committed)]

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        del partition, timeout
        return (min(self.log.values, default=0), max(self.log.values, default=-1) + 1)

    def assignment(self) -> list[TopicPartition]:
        return self.assigned

    def pause(self, partitions: list[TopicPartition]) -> None:
        del partitions
        self.paused = True

    def resume(self, partitions: list[TopicPartition]) -> None:
        del partitions
        self.paused = False

    def seek(self, partition: TopicPartition) -> None:
        self.position = partition.offset

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert not asynchronous
        self.log.committed = offsets[0].offset

    def close(self) -> None:
        self.closed = True
