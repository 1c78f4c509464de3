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
WRITERS = 4


def consumer_settings(config: SinkConfig, bootstrap: str) -> dict[str, Any]:
    """Return librdkafka's settings; a static member comes back after a crash without a rebalance."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": f"connect-{config.name}",
        "group.instance.id": f"{config.name}-0",
        "client.id": config.name,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_uncommitted",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 2000,
        "topic.metadata.refresh.interval.ms": 1000,
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
        self.failures = 0
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="put")

    def subscribe(self) -> None:
        """Join the group."""
        self.consumer.subscribe(
            list(self.config.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def step(self) -> None:
        """Consume what there is and write what is due."""
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

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Place every new partition at its committed offset, or where the bucket's object begins."""
        placed = []
        for committed in consumer.committed(partitions, timeout=30):
            slot = (committed.topic, committed.partition)
            low, _ = consumer.get_watermark_offsets(committed, timeout=10)
            buffer = self._patiently(slot, max(low, committed.offset))
            self.buffers[slot] = buffer
            placed.append(TopicPartition(*slot, buffer.next_offset))
            log.info("assigned %s[%d] at offset %d", *slot, buffer.next_offset)
        consumer.incremental_assign(placed)
        if self.failures:
            consumer.pause(placed)

    def _patiently(self, slot: Slot, position: int) -> PartitionBuffer:
        """Retry for half a minute; then stop, so that the supervisor starts anew with nothing lost."""
        for attempt in range(7):
            try:
                return self._buffer(slot, position)
            except StoreError as error:
                log.warning("%s", error)
                time.sleep(min(8.0, 0.25 * 2**attempt))
        return self._buffer(slot, position)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for buffer in self.buffers.values():
            buffer.close()
        self._write(due=True)
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for gone in partitions:
            self.buffers.pop((gone.topic, gone.partition), None)
            log.info("gave up %s[%d]", gone.topic, gone.partition)
        consumer.incremental_unassign(partitions)


def connect(config: SinkConfig, bootstrap: str) -> Consumer:
    """Return a consumer once Kafka answers; raise KafkaException after ten seconds."""
    settings = consumer_settings(config, bootstrap) | {"error_cb": _complain}
    consumer = confluent_kafka.Consumer(settings, logger=log)
    consumer.list_topics(timeout=10)
    return consumer


def _complain(error: confluent_kafka.KafkaError) -> None:
    log.warning("kafka: %s", error)
