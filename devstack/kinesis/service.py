"""The Kinesis endpoint as a service of the stack."""

from devstack.config import REPO, Settings
from devstack.service import Service, port_open


def service(settings: Settings) -> Service:
    """Describe the endpoint to the supervisor; its store is open before its port is."""
    return Service(
        name="kinesis",
        command=[str(settings.airflow_python), "-m", "devstack.kinesis"],
        ports={"kinesis_port": settings.kinesis_port},
        ready=lambda: port_open(settings.kinesis_port),
        directory=REPO,
    )
