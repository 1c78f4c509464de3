"""Kafka reached directly: topics, and a producer whose every acknowledgement is kept."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from pinflow.errors import KafkaDeliveryError, KafkaTopicError
from pinflow.hooks.connection import DefinedConnection
from pinflow.manifest import Place

if TYPE_CHECKING:
    from confluent_kafka import Message, Producer
    from confluent_kafka.admin import AdminClient

CONNECTION = "pinterest_kafka"
_SECONDS = 15
_RESERVED = {"iam"}


class KafkaHook(DefinedConnection, BaseHook):
    """Topics and producers of the cluster behind `pinterest_kafka`.

    The connection's host holds the bootstrap servers (port is added to those without one); its extra
    holds librdkafka settings as they are, and `"iam": true` signs in to MSK with the task's AWS role.
    """

    def __init__(self, kafka_conn_id: str = CONNECTION) -> None:
        super().__init__()
        self.kafka_conn_id = kafka_conn_id

    def config(self) -> dict[str, Any]:
        """Return librdkafka's settings; secrets stay in the connection."""
        conn = self.get_connection(self.kafka_conn_id)
        extra = dict(conn.extra_dejson)
        servers = [
            server if ":" in server or not conn.port else f"{server}:{conn.port}"
            for server in (conn.host or "").split(",")
            if server
        ]
        config: dict[str, Any] = {
            "bootstrap.servers": ",".join(servers),
            "socket.connection.setup.timeout.ms": 10_000,
            **{k: v for k, v in extra.items() if k not in _RESERVED},
        }
        if extra.get("iam"):
            config |= {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "oauth_cb": self._iam_token,
            }
        elif conn.login:
            config |= {"sasl.username": conn.login, "sasl.password": conn.password}
        return config

    @staticmethod
    def _iam_token(_: str) -> tuple[str, float]:
        import boto3
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

        region = boto3.session.Session().region_name
        token, expiry_ms = MSKAuthTokenProvider.generate_auth_token(region)
        return token, expiry_ms / 1000

    def where(self) -> str:
        """Name the cluster for messages."""
        return f"Kafka {self.config()['bootstrap.servers']}"

    def admin(self) -> "AdminClient":
        """Return an admin client."""
        from confluent_kafka.admin import AdminClient

        return AdminClient(self.config())

    def partitions(self, topic: str, client: "AdminClient | Producer | None" = None) -> int:
        """Count a topic's partitions; raises KafkaTopicError (missing) or KafkaDeliveryError (no answer)."""
        found = self._topics(client or self.admin(), topic)[topic]
        if found.error is not None:
            raise KafkaTopicError(
                f"{self.where()} has no usable topic `{topic}`: {found.error.str()}.",
                "run the DAG pinterest_setup, which makes the topics, then clear this task.",
            )
        return len(found.partitions)

    def create_topics(self, names: list[str], partitions: int, replication: int) -> list[str]:
        """Make the topics that are absent; return their names."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import NewTopic

        client = self.admin()
        have = self._topics(client)
        missing = [name for name in names if name not in have]
        new = [NewTopic(n, num_partitions=partitions, replication_factor=replication) for n in missing]
        try:
            for future in client.create_topics(new).values() if new else []:
                future.result(_SECONDS)
        except TimeoutError as error:
            raise self._silent("no topic was made in time") from error
        except KafkaException as error:
            raise KafkaTopicError(
                f"{self.where()} could not make the topics {missing}: {error}.",
                f"grant the login of the connection `{self.kafka_conn_id}` Create on the cluster; check "
                "topic_partitions and topic_replication in the Variable `pinflow`.",
            ) from error
        return missing

    def _topics(self, client: "AdminClient | Producer", *name: str) -> dict[str, Any]:
        from confluent_kafka import KafkaException

        try:
            topics: dict[str, Any] = client.list_topics(*name, timeout=_SECONDS).topics
        except KafkaException as error:
            raise self._silent(error) from error
        return topics

    def _silent(self, reason: object) -> KafkaDeliveryError:
        return KafkaDeliveryError(
            f"{self.where()} does not answer: {reason}.",
            f"check the host of the connection `{self.kafka_conn_id}` and that the brokers are up.",
        )

    def producer(self) -> "Producer":
        """Return an idempotent producer that partitions as Java clients do (murmur2)."""
        from confluent_kafka import Producer

        return Producer(
            {
                **self.config(),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 20,
                "queue.buffering.max.messages": 100_000,
                "delivery.timeout.ms": 120_000,
            }
        )


class AcknowledgedWriter:
    """Sends keyed values and reports the place of each one acknowledged."""

    def __init__(self, producer: "Producer", topic: str, acknowledged: Callable[[Place], object]) -> None:
        self.producer = producer
        self.topic = topic
        self.acknowledged = acknowledged
        self.sent = 0
        self.failures: list[str] = []

    def send(self, ind: int, value: bytes) -> None:
        """Queue one record with key = ind; waits while the queue is full."""
        from confluent_kafka import KafkaException

        while True:
            try:
                self.producer.produce(
                    self.topic, key=str(ind).encode(), value=value, on_delivery=self._delivered
                )
            except BufferError:
                self.producer.poll(0.5)
                continue
            except KafkaException as error:
                raise KafkaDeliveryError(
                    f"Row {ind} of {len(value)} bytes cannot be queued for `{self.topic}`: {error}.",
                    "lower max_row_bytes in the Variable `pinflow`, which sends such rows to quarantine; or "
                    "raise message.max.bytes in the extra of the connection `pinterest_kafka` and "
                    "max.message.bytes of the topic.",
                ) from error
            break
        self.sent += 1
        self.producer.poll(0)

    def _delivered(self, error: Any, message: "Message") -> None:
        if error is None and message.offset() is None:
            error = "it was written, and its offset is not known"
        if error is not None:
            self.failures.append(f"row {(message.key() or b'?').decode()}: {error}")
        else:
            self.acknowledged((int(message.key()), message.partition(), message.offset()))
        if len(self.failures) > 100:
            self._fail()

    def close(self) -> None:
        """Drop what is still queued."""
        self.producer.purge()

    def finish(self) -> None:
        """Wait for every acknowledgement; raises KafkaDeliveryError with counts when one is missing."""
        left = self.producer.flush(150)
        if self.failures or left:
            self._fail(left)

    def _fail(self, left: int = 0) -> None:
        count = len(self.failures) + left
        sample = "; ".join(self.failures[:3]) or "no answer in time"
        raise KafkaDeliveryError(
            f"{count} of {self.sent} records sent to `{self.topic}` were not acknowledged ({sample}).",
            "check that the brokers are up and the topic is writable; the next try sends the window again "
            "and doubles are dropped by id.",
        )
