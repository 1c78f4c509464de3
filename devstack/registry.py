"""All services of the stack by name, and the order in which they need each other."""

from collections.abc import Iterable
from importlib import import_module

from devstack.config import Settings
from devstack.errors import StackError
from devstack.service import Service

# one entry a module: it describes one service, or (Airflow) several
FACTORIES = {
    "mysql": "devstack.mariadb",
    "postgres": "devstack.postgres",
    "kafka": "devstack.kafka",
    "s3": "devstack.s3proxy",
    "sink": "devstack.sink",
    "rest": "devstack.kafka_rest.service",
    "gateway": "devstack.gateway.service",
    "kinesis": "devstack.kinesis.service",
    "spark": "devstack.spark",
    "engine": "devstack.engine.service",
    "databricks": "devstack.databricks.service",
    "airflow": "devstack.airflow",
}


def services(settings: Settings) -> dict[str, Service]:
    """Describe every service of the stack."""
    found: list[Service] = []
    for module in FACTORIES.values():
        part = import_module(module)
        found += part.services(settings) if hasattr(part, "services") else [part.service(settings)]
    return {service.name: service for service in found}


def with_needs(known: dict[str, Service], wanted: Iterable[str]) -> list[str]:
    """Return the wanted services and all they need, each after its needs; none wanted means all."""
    ordered: list[str] = []

    def add(name: str) -> None:
        for need in known[name].needs:
            add(need)
        if name not in ordered:
            ordered.append(name)

    for name in expand(known, wanted) or known:
        add(name)
    return ordered


def expand(known: dict[str, Service], wanted: Iterable[str]) -> list[str]:
    """Check names; `airflow` stands for its four processes."""
    names: list[str] = []
    for name in wanted:
        parts = [name] if name in known else [other for other in known if other.startswith(f"{name}-")]
        if not parts:
            raise StackError(f"There is no service '{name}'. Repair: choose from {', '.join(known)}.")
        names += parts
    return names
