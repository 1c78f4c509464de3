"""The sink's loop: consume, buffer, put, commit; every step may be repeated after a crash."""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, TopicPartition

from devstack.sink.buffer import PartitionBuffer, RewoundError, resume_offset
from devstack.sink.properties import SinkConfig
from devstack.sink.store import HeldError, Store, StoreError

log = logging.getLogger("sink")
Slot = tuple[str, int]
POLL_SECONDS = 0.1
DISCOVER_SECONDS = 1.0
WRITERS = 4


def consumer_settings(config: SinkConfig, bootstrap: str) -> dict[str, Any]:
    """Return librdkafka's settings; the group keeps the committed offsets, nobody ever joins it.

    One process reads all partitions, so it takes them by itself: after a crash it goes on at once and sees a
    topic that was made meanwhile. (A returning static member gets its old partitions only; a dynamic one
    waits until its predecessor's session has timed out.)
    """
    return {
        "bootstrap.servers": bootstrap,
        "group.id": f"connect-{config.name}",
        "client.id": config.name,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_uncommitted",
        "reconnect.backoff.max.ms": 1000,
        "queued.max.messages.kbytes": 16384,
        "fetch.error.backoff.ms": 100,
    }


class Sink:
    """Writes one object per partition and flush, and commits an offset only after its object is held.

    The bucket decides what is done: what it holds at an offset is compared and left out, so a crash between
    put and commit, a rewind or a second sink adds nothing twice and loses nothing.
    """

    def __init__(
        self,
        config: SinkConfig,
        store: Store,
        consumer: Consumer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.store, self.consumer, self.clock = config, store, consumer, clock
        self.buffers: dict[Slot, PartitionBuffer] = {}
        self.next_flush = clock() + config.flush_seconds
        self.next_discovery = clock()
        self.failures = 0
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="put")

    def step(self) -> None:
        """Consume what there is and write what is due."""
        if self.clock() >= self.next_discovery:
            self._discover()
        paused = self.failures > 0
        wait = max(0.0, min(POLL_SECONDS, self.next_flush - self.clock()))
        self._take(self.consumer.consume(1 if paused else 500, timeout=wait))
        due = self.clock() >= self.next_flush
        if due and not paused:
            for buffer in self.buffers.values():
                buffer.close()
        if due or not paused:
            self._write(due)

    def close(self) -> None:
        """Write what waits, commit it and leave."""
        for buffer in self.buffers.values():
            buffer.close()
        self._write(due=True)
        self._writers.shutdown()
        self.consumer.close()

    def _take(self, messages: Iterable[Any]) -> None:
        moved: set[Slot] = set()
        for message in messages:
            if (error := message.error()) is not None:
                if error.fatal():
                    raise KafkaException(error)
                log.warning("kafka: %s", error)
                continue
            slot = (message.topic(), message.partition())
            if slot in moved or slot not in self.buffers:
                continue
            try:
                self.buffers[slot].add(message.offset(), message.value())
            except RewoundError as rewound:
                log.warning("%s[%d] was moved back to offset %d", *slot, rewound.offset)
                moved.add(slot)
                self.buffers[slot] = self._buffer(slot, rewound.offset)
                self.consumer.seek(TopicPartition(*slot, self.buffers[slot].next_offset))

    def _write(self, due: bool) -> None:
        """Put the closed chunks, one of each partition at a time, and commit after each round."""
        try:
            while slots := [slot for slot, buffer in self.buffers.items() if buffer.ready()]:
                results = list(self._writers.map(self._put, slots))
                if held := [result for result in results if isinstance(result, TopicPartition)]:
                    self._commit(held)
                for result in results:
                    if isinstance(result, StoreError):
                        raise result
        except StoreError as error:
            self._wait(error)
            return
        if self.failures:
            log.info("S3 answers again after %d failures", self.failures)
            self.failures = 0
            self.consumer.resume(self.consumer.assignment())
            due = True
        if due:
            self.next_flush = self.clock() + self.config.flush_seconds

    def _wait(self, error: StoreError) -> None:
        """Put off the next try, longer each time; consume nothing more until S3 answers."""
        self.failures += 1
        delay = min(30.0, 0.2 * 2 ** min(self.failures, 8))
        self.next_flush = self.clock() + delay
        log.error(
            "%s. Nothing is lost: the records wait and are put again in %.1f s. "
            "Repair: see that S3 answers, and that the bucket and the grant exist.",
            error,
            delay,
        )
        if self.failures == 1:
            self.consumer.pause(self.consumer.assignment())

    def _put(self, slot: Slot) -> TopicPartition | StoreError:
        """Write the oldest chunk of a partition unless the bucket holds it; return what to commit."""
        try:
            return self._put_oldest(slot)
        except StoreError as error:
            return error

    def _put_oldest(self, slot: Slot) -> TopicPartition:
        buffer = self.buffers[slot]
        chunk = buffer.chunks[0]
        while True:
            fresh = buffer.drop_held(lambda start: self.store.read(self.config.key(*slot, start)))
            if not chunk.lines:
                break
            key = self.config.key(*slot, chunk.start)
            try:
                self.store.put(key, chunk.payload, replace=not fresh)
            except HeldError:
                buffer.held.add(chunk.start)
                continue
            if not fresh:
                log.warning("%s held other content and was replaced: the topic was made anew", key)
            log.info("put %s: %d records, %d bytes", key, len(chunk.lines), chunk.size)
            break
        end = chunk.next_offset
        buffer.done()
        return TopicPartition(*slot, end)

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            log.warning("commit refused (%s); the bucket tells a later reader what it holds", error)

    def _buffer(self, slot: Slot, position: int) -> PartitionBuffer:
        """Ask the bucket what it holds from a position on; start there or where the object there starts."""
        margin = max(self.config.max_records, 10_000)
        starts = list(self.store.starts(*slot, position - margin))
        resume = resume_offset(
            position, starts, lambda start: self.store.read(self.config.key(*slot, start)).count(b"\n")
        )
        low, _ = self.consumer.get_watermark_offsets(TopicPartition(*slot), timeout=10)
        resume = resume if resume >= low else position
        held = {start for start in starts if start >= resume}
        return PartitionBuffer(resume, held, self.config.max_records, self.config.skip_null)

    def _discover(self) -> None:
        """Take new partitions and give up those that are gone; what fails is tried again in a second."""
        self.next_discovery = self.clock() + DISCOVER_SECONDS
        try:
            listed = self.consumer.list_topics(timeout=5).topics
            found = {
                (name, partition)
                for name, topic in listed.items()
                if topic.error is None and self.config.wants(name)
                for partition in topic.partitions
            }
            gone, new = set(self.buffers) - found, sorted(found - set(self.buffers))
            if not gone and not new:
                return
            placed = self._place(new) if new else {}
        except (KafkaException, StoreError) as error:
            log.warning("looking for topics: %s", error)
            return
        for slot in gone:
            self.buffers[slot].close()
        self._write(due=False)
        for slot in gone:
            log.info("gave up %s[%d]", *slot)
            del self.buffers[slot]
        self.buffers |= placed
        self.consumer.assign([TopicPartition(*slot, held.next_offset) for slot, held in self.buffers.items()])
        if self.failures:
            self.consumer.pause(self.consumer.assignment())

    def _place(self, slots: list[Slot]) -> dict[Slot, PartitionBuffer]:
        """Begin each partition at its committed offset, or where the bucket's object begins."""
        placed = {}
        for committed in self.consumer.committed([TopicPartition(*slot) for slot in slots], timeout=10):
            slot = (committed.topic, committed.partition)
            low, _ = self.consumer.get_watermark_offsets(TopicPartition(*slot), timeout=10)
            placed[slot] = self._buffer(slot, max(low, committed.offset))
            log.info("reading %s[%d] from offset %d", *slot, placed[slot].next_offset)
        return placed


def connect(config: SinkConfig, bootstrap: str) -> Consumer:
    """Return a consumer once Kafka answers; raise KafkaException after ten seconds."""
    settings = consumer_settings(config, bootstrap) | {"error_cb": _complain}
    consumer = confluent_kafka.Consumer(settings, logger=log)
    consumer.list_topics(timeout=10)
    return consumer


def _complain(error: confluent_kafka.KafkaError) -> None:
    log.warning("kafka: %s", error)
