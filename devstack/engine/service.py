"""The engine as a service of the stack."""

from pathlib import Path
from typing import TYPE_CHECKING

from devstack.config import REPO
from devstack.engine import client
from devstack.service import Service

if TYPE_CHECKING:
    from devstack.config import Settings


def socket_file(settings: "Settings") -> Path:
    """Name the engine's Unix socket."""
    return settings.run_dir / "engine.sock"


def answers(settings: "Settings") -> bool:
    """Tell whether the engine takes requests and reaches Spark."""
    try:
        return bool(client.ask(socket_file(settings), "ping", seconds=2)["spark"])
    except (client.EngineDownError, ValueError):
        return False


def run_environment(settings: "Settings") -> dict[str, str]:
    """Return what a run finds in its environment, as an instance profile would give it in the cloud."""
    return {
        "AWS_ACCESS_KEY_ID": settings.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_ENDPOINT_URL_S3": settings.s3_endpoint,
        "PYSPARK_PYTHON": str(settings.spark_python),
        "TZ": "UTC",
    }


def service(settings: "Settings") -> Service:
    """Describe the engine to the supervisor."""
    return Service(
        name="engine",
        command=[
            str(settings.spark_python),
            *("-m", "devstack.engine"),
            *("--socket", str(socket_file(settings))),
            *("--spark-port", str(settings.spark_port)),
        ],
        env=run_environment(settings),
        needs=("spark",),
        ready=lambda: answers(settings),
        directory=REPO,
    )
