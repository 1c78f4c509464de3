"""How rows reach the log and the streams: through the API, or straight."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from pinflow.manifest import Place, StreamPlace
from pinflow.settings import Settings

if TYPE_CHECKING:
    from pinflow.hooks.stream_writer import StreamWriter

Acknowledged = Callable[[Place], object]


class Writer(Protocol):
    """Sends keyed values and reports the place of each one acknowledged."""

    def send(self, ind: int, value: bytes) -> None:
        """Send one record with key = ind, at once or with others."""

    def finish(self) -> None:
        """Wait until every record is acknowledged; raises KafkaDeliveryError when one is not."""

    def close(self) -> None:
        """Give up what is left; nothing after `finish`."""


def open_writer(settings: Settings, topic: str, acknowledged: Acknowledged) -> Writer:
    """Return a writer to a topic by the setting `transport`; raises KafkaTopicError when it is missing."""
    if settings.transport == "api":
        from pinflow.hooks.api import ApiHook, ApiWriter

        return ApiWriter(ApiHook(), topic, acknowledged)
    from pinflow.hooks.kafka import AcknowledgedWriter, KafkaHook

    kafka = KafkaHook()
    producer = kafka.producer()
    kafka.partitions(topic, producer)
    return AcknowledgedWriter(producer, topic, acknowledged)


def open_stream_writer(
    settings: Settings, stream: str, acknowledged: Callable[[StreamPlace], object]
) -> "StreamWriter":
    """Return a writer to a stream by the setting `transport`."""
    from pinflow.hooks.stream_writer import StreamWriter

    if settings.transport == "api":
        from pinflow.hooks.api import ApiHook

        return StreamWriter(ApiHook(), stream, acknowledged)
    from pinflow.hooks.kinesis import KinesisHook

    return StreamWriter(KinesisHook(), stream, acknowledged)
