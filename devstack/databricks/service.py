"""The Databricks endpoint as a service of the stack."""

from devstack.config import REPO, Settings
from devstack.service import Service, port_open


def service(settings: Settings) -> Service:
    """Describe the endpoint to the supervisor."""
    return Service(
        name="databricks",
        command=[str(settings.airflow_python), "-m", "devstack.databricks"],
        needs=("engine", "s3"),
        ports={"databricks_port": settings.databricks_port},
        ready=lambda: port_open(settings.databricks_port),
        directory=REPO,
    )
