"""The gateway as a service of the stack."""

from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from devstack.config import REPO, Settings
from devstack.service import Service, port_open

if TYPE_CHECKING:
    from devstack.gateway.document import Api


def api(settings: Settings) -> "Api":
    """Compile the definition; its stage's variables and services are those of this stack."""
    from devstack.gateway import document

    return document.load(
        document.read(settings.gateway_file),
        {"restProxy": f"127.0.0.1:{settings.rest_port}"},
        {"kinesis": settings.kinesis_endpoint},
    )


def invoke_url(settings: Settings) -> str:
    """Return the URL of the stage."""
    from devstack.gateway import document

    stage = document.stage(document.read(settings.gateway_file))
    return f"http://127.0.0.1:{settings.gateway_port}/{stage.name}"


def ready(settings: Settings) -> bool:
    """Tell whether the stage lists topics with the key, and refuses to without."""
    if not port_open(settings.gateway_port):
        return False
    url = f"{invoke_url(settings)}/topics"
    return (_status(url, {"x-api-key": settings.gateway_key}), _status(url, {})) == (200, 403)


def _status(url: str, headers: dict[str, str]) -> int | None:
    """Return the status of a GET, past any proxy; None without an answer."""
    try:
        with build_opener(ProxyHandler({})).open(Request(url, headers=headers), timeout=12) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return None


def service(settings: Settings) -> Service:
    """Describe the gateway to the supervisor; a definition it cannot execute is refused before."""
    return Service(
        name="gateway",
        command=[str(settings.airflow_python), "-m", "devstack.gateway"],
        needs=("rest", "kinesis"),
        ports={"gateway_port": settings.gateway_port},
        prepare=lambda: _check(settings),
        ready=lambda: ready(settings),
        directory=REPO,
    )


def _check(settings: Settings) -> None:
    api(settings)
