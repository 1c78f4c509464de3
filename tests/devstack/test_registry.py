import pytest

from devstack import registry
from devstack.config import Settings
from devstack.service import Service


def known(**needs):
    return {name: Service(name, ["true"], ready=lambda: True, needs=need) for name, need in needs.items()}


def test_needs_come_first_and_once():
    services = known(s3=(), spark=("s3",), engine=("spark", "s3"), kafka=())
    assert registry.with_needs(services, ["engine", "s3"]) == ["s3", "spark", "engine"]


def test_a_prefix_stands_for_all_its_parts():
    services = known(**{"airflow-api": (), "airflow-dags": (), "s3": ()})
    assert registry.with_needs(services, ["airflow"]) == ["airflow-api", "airflow-dags"]


def test_the_stack_has_the_agreed_services_with_ports_of_their_own(tmp_path):
    settings = Settings(state_dir=tmp_path, port_offset=5)
    services = registry.services(settings)
    assert set(services) >= {"mysql", "postgres", "kafka", "s3", "sink", "spark", "engine", "databricks"}
    assert {"airflow-api", "airflow-scheduler", "airflow-dags", "airflow-triggerer"} <= set(services)
    ports = [port for service in services.values() for port in service.ports.values()]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", ["databricks", "sink", "airflow"])
def test_what_a_service_needs_is_known(tmp_path, name):
    services = registry.services(Settings(state_dir=tmp_path))
    assert set(registry.with_needs(services, [name])) <= set(services)
