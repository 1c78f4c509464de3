"""The S3 sink: a consumer that reads the connector properties of MSK Connect and writes the same objects."""

import os
from pathlib import Path

from devstack.config import REPO, Settings
from devstack.service import Service

CONFIG = REPO / "infra" / "connect" / "s3-sink.properties"


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that the `${env:...}` placeholders of the connector properties name."""
    return {
        "PINFLOW_USER_ID": settings.user_id,
        "PINFLOW_BUCKET": settings.bucket,
        "PINFLOW_REGION": settings.region,
        "PINFLOW_S3_ENDPOINT": settings.s3_endpoint,
        "PINFLOW_S3_ACCESS_KEY": settings.s3_access_key,
        "PINFLOW_S3_SECRET_KEY": settings.s3_secret_key,
    }


def command(settings: Settings, config: Path, ready_file: Path) -> list[str]:
    """Return the command line of a sink with this connector configuration."""
    return [
        str(settings.airflow_python),
        "-m",
        "devstack.sink",
        "--config",
        str(config),
        "--bootstrap-servers",
        f"127.0.0.1:{settings.kafka_port}",
        "--ready-file",
        str(ready_file),
    ]


def is_ready(ready_file: Path) -> bool:
    """Tell whether the process lives that wrote the readiness file once Kafka and the bucket had answered."""
    try:
        os.kill(int(ready_file.read_text()), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def service(settings: Settings) -> Service:
    """Describe the sink as a supervised service."""
    ready_file = settings.state_dir / "sink" / "ready"

    def prepare() -> None:
        settings.service_dir("sink")
        ready_file.unlink(missing_ok=True)

    return Service(
        name="sink",
        command=command(settings, CONFIG, ready_file),
        env={**environment(settings), "PYTHONPATH": str(REPO), "PYTHONUNBUFFERED": "1"},
        needs=("kafka", "s3"),
        prepare=prepare,
        ready=lambda: is_ready(ready_file),
    )
