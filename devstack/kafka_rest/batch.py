"""The acknowledgements of one request."""

import asyncio
from typing import Any

import msgspec
from confluent_kafka import KafkaError

from devstack.kafka_rest.faults import NON_RETRIABLE, RETRIABLE

UNKNOWN_TOPIC = {KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART}
RETRIABLE_ERRORS = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._FATAL,  # the process ends itself and comes back with a new producer
    KafkaError._MSG_TIMED_OUT,
    KafkaError._PURGE_INFLIGHT,
    KafkaError._PURGE_QUEUE,
    KafkaError._QUEUE_FULL,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    *UNKNOWN_TOPIC,
}


class Result(msgspec.Struct):
    """One record's place in the log, or why it has none."""

    partition: int | None
    offset: int | None
    error_code: int | None = None
    error: str | None = None


def failed(error: Any) -> Result:
    """Describe the KafkaError of a record that was not written."""
    code = RETRIABLE if error.code() in RETRIABLE_ERRORS else NON_RETRIABLE
    return Result(None, None, code, f"{error.name()}: {error.str()}")


class Batch:
    """The results of one request, in its order."""

    def __init__(self, size: int) -> None:
        self.results: list[Result | None] = [None] * size
        self.topic_is_gone = False
        self._left = size
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, place: int, error: Any, message: Any) -> None:
        """Keep an acknowledgement, or why there is none."""
        if error is None and message.offset() is None:  # persisted by an earlier attempt: where, nobody knows
            self.results[place] = Result(None, None, RETRIABLE, "The record's offset is not known.")
        elif error is None:
            self.results[place] = Result(message.partition(), message.offset())
        else:
            self.results[place] = failed(error)
            self.topic_is_gone |= error.code() in UNKNOWN_TOPIC
        self._left -= 1
        if not self._left and not self._done.done():  # who waits may have been cancelled
            self._done.set_result(None)

    async def wait(self) -> list[Result | None]:
        """Wait until every record is settled."""
        await self._done
        return self.results
