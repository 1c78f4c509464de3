"""The log: one Kafka node, broker and controller in one (KRaft)."""

import base64
import subprocess
import uuid
from pathlib import Path

from devstack import java
from devstack.config import Settings
from devstack.errors import StackError
from devstack.service import Service, port_open

MEMORY = "384m"
LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


def bootstrap(settings: Settings) -> str:
    """Return the bootstrap servers."""
    return f"127.0.0.1:{settings.kafka_port}"


def properties(settings: Settings) -> dict[str, str]:
    """Return the server's properties: one node, no topic made by accident, nothing expired by record time."""
    controller = f"127.0.0.1:{settings.kafka_controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{bootstrap(settings)},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{settings.kafka_advertised_host}:{settings.kafka_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(settings.service_dir("kafka") / "data"),
        "log.retention.ms": "-1",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # after a kill -9 a restarted broker waits until its old session is over
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }


def _java(settings: Settings, main: str, *options: str) -> list[str]:
    folder = settings.service_dir("kafka")
    return [
        str(settings.java),
        f"-Xmx{MEMORY}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        "-cp",
        f"{settings.jars('kafka')}/*",
        main,
        *options,
    ]


def _server_file(settings: Settings) -> Path:
    return settings.service_dir("kafka") / "server.properties"


def prepare(settings: Settings) -> None:
    """Write the properties and format the log folder once."""
    folder = settings.service_dir("kafka")
    java.write_properties(_server_file(settings), properties(settings))
    (folder / "log4j2.properties").write_text(LOG4J)
    if (folder / "data" / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
    options = ("format", "-t", cluster, "-c", str(_server_file(settings)))
    command = _java(settings, "kafka.tools.StorageTool", *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = " | ".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise StackError(f"Formatting Kafka's folder failed: {last}. Repair: `make reset`, then `make up`.")


def ready(settings: Settings) -> bool:
    """Tell whether the broker answers a metadata request."""
    if not port_open(settings.kafka_port):
        return False
    from confluent_kafka.admin import AdminClient

    try:
        client = AdminClient({"bootstrap.servers": bootstrap(settings), "log_level": 0})
        return bool(client.list_topics(timeout=3).brokers)
    except Exception:  # noqa: BLE001 - whatever goes wrong, it is not ready
        return False


def service(settings: Settings) -> Service:
    """Describe Kafka to the supervisor."""
    return Service(
        name="kafka",
        command=_java(settings, "kafka.Kafka", str(_server_file(settings))),
        ports={"kafka_port": settings.kafka_port, "kafka_controller_port": settings.kafka_controller_port},
        prepare=lambda: prepare(settings),
        ready=lambda: ready(settings),
        directory=settings.service_dir("kafka"),
        stop_seconds=30,
    )
