"""The Kafka REST proxy as a service of the stack."""

from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from devstack.config import REPO, Settings
from devstack.service import Service, port_open


def url(settings: Settings) -> str:
    """Return the proxy's base URL."""
    return f"http://127.0.0.1:{settings.rest_port}"


def ready(settings: Settings) -> bool:
    """Tell whether the proxy lists the brokers' topics."""
    if not port_open(settings.rest_port):
        return False
    try:
        with build_opener(ProxyHandler({})).open(f"{url(settings)}/topics", timeout=12) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def service(settings: Settings) -> Service:
    """Describe the proxy to the supervisor."""
    return Service(
        name="rest",
        command=[str(settings.airflow_python), "-m", "devstack.kafka_rest"],
        needs=("kafka",),
        ports={"rest_port": settings.rest_port},
        ready=lambda: ready(settings),
        directory=REPO,
    )
