"""The log behind the proxy: one idempotent producer for the process, and what there is of topics."""

import asyncio
import logging
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from devstack.kafka_rest.batch import Batch, Result
from devstack.kafka_rest.envelope import Record
from devstack.kafka_rest.faults import no_topic

log = logging.getLogger("rest")
LEGAL_NAME = re.compile(r"(?!\.{1,2}\Z)[a-zA-Z0-9._-]{1,249}")
METADATA_SECONDS = 10
# an answer must come before the gateway, which waits 29 s, gives up on it
DELIVERY_SECONDS = 20
POLL_SECONDS = 0.001
IDLE_SECONDS = 0.5
SETTINGS = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    # a request brings its batch: waiting for more would only put off its answer
    "linger.ms": 0,
    "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
    "queue.buffering.max.messages": 200_000,
    "reconnect.backoff.max.ms": 1000,
    "topic.metadata.refresh.interval.ms": 60_000,
}


class Log:
    """Sends records and reports each acknowledgement; all but the waiting for metadata is in one thread.

    A thread that took the acknowledgements would fight with the server's for the interpreter at each of them.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._producer = Producer({**SETTINGS, **config, "error_cb": self._error})
        self._known: set[str] = set()
        self._open = 0
        self._opened = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take acknowledgements; in the end wait a little for those that are on their way."""
        task = asyncio.create_task(self._take())
        yield
        task.cancel()
        left = self._producer.flush(2)
        if left:
            log.warning("%d records were on their way when the proxy stopped", left)

    async def _take(self) -> None:
        while True:
            self._producer.poll(0)
            if self._open:
                await asyncio.sleep(POLL_SECONDS)
                continue
            self._opened.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._opened.wait(), IDLE_SECONDS)

    async def send(self, topic: str, records: list[Record]) -> list[Result | None]:
        """Write records to a topic and wait for every acknowledgement; raises Fault 40401."""
        await self._check(topic)
        batch = Batch(len(records))
        self._open += 1
        self._opened.set()
        try:
            for place, record in enumerate(records):
                await self._queue(topic, record, partial(batch.settle, place))
            results = await batch.wait()
        finally:
            self._open -= 1
        if batch.topic_is_gone:
            self._known.discard(topic)
        return results

    async def _queue(self, topic: str, record: Record, settle: Callable[[Any, Any], None]) -> None:
        """Hand one record to the producer, waiting while its queue is full."""
        key, value, partition = record
        deadline = time.monotonic() + DELIVERY_SECONDS
        while True:
            try:
                self._producer.produce(topic, value, key, partition, settle)
            except BufferError:
                if time.monotonic() < deadline:
                    await asyncio.sleep(0.02)
                    continue
                settle(KafkaError(KafkaError._QUEUE_FULL), None)
            except KafkaException as error:
                settle(error.args[0], None)
            return

    async def _check(self, topic: str) -> None:
        """Raise Fault 40401 unless the topic exists; one that was seen is believed until Kafka denies it."""
        if topic in self._known:
            return
        if not LEGAL_NAME.fullmatch(topic) or topic not in await self.topics():
            raise no_topic(topic)
        self._known.add(topic)

    async def topics(self) -> dict[str, Any]:
        """Return the metadata of every topic, asked of the brokers; raises KafkaException."""
        # never by name: a cluster that makes topics by itself would make this one
        listed = await asyncio.to_thread(self._producer.list_topics, timeout=METADATA_SECONDS)
        topics: dict[str, Any] = listed.topics
        return topics

    async def configs(self, topic: str) -> dict[str, str]:
        """Return a topic's configuration; raises KafkaException."""
        return await asyncio.to_thread(self._configs, topic)

    def _configs(self, topic: str) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        admin = AdminClient(self._config)
        future = admin.describe_configs([resource], request_timeout=METADATA_SECONDS)[resource]
        return {name: entry.value for name, entry in future.result().items()}

    def _error(self, error: Any) -> None:
        """End the process on an error that no producer survives: the supervisor starts it anew."""
        if error.fatal():
            log.critical("the producer cannot go on: %s", error.str())
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            log.warning("kafka: %s", error.str())
