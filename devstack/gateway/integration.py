"""Where a route's requests go: the `x-amazon-apigateway-integration` of an operation."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpcore

from devstack.gateway.definition import DefinitionError, mapping, need
from devstack.gateway.responses import Answer, GatewayFault, Headers

# they belong to one connection, or are written anew for the next
OWN = {
    b"connection", b"content-length", b"expect", b"host", b"keep-alive", b"proxy-authenticate",
    b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade",
}  # fmt: skip
# the upstream's own ones come under another name, beside the gateway's
REMAPPED = {name: b"x-amzn-remapped-" + name for name in (b"date", b"server", b"www-authenticate")}
KEYS = (
    "type", "httpMethod", "uri", "requestParameters", "passthroughBehavior", "connectionType",
    "timeoutInMillis",
)  # fmt: skip
PLACE = re.compile(r"\{([^{}]+)\}")
VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")


@dataclass(frozen=True)
class Request:
    """A client's request; `parameters` are the path's, still percent-encoded, `context` is for templates."""

    method: bytes
    parameters: dict[str, bytes]
    query: bytes
    headers: Headers
    body: bytes
    context: dict[str, str]


class Integration(Protocol):
    """What an operation does with a request that it lets through."""

    async def call(self, pool: httpcore.AsyncConnectionPool, request: Request) -> Answer:
        """Answer a request; raises GatewayFault."""


@dataclass(frozen=True)
class HttpProxy:
    """Sends a request on as it came and returns what comes back as it comes."""

    scheme: bytes
    host: bytes
    port: int | None
    path: tuple[str, ...]  # text and names of path parameters in turn
    sources: dict[str, str]  # name in the uri: name in the route
    method: bytes | None
    seconds: float

    async def call(self, pool: httpcore.AsyncConnectionPool, request: Request) -> Answer:
        """Forward a request; raises GatewayFault when nothing sensible comes back in time."""
        url = httpcore.URL(scheme=self.scheme, host=self.host, port=self.port, target=self._target(request))
        headers = [pair for pair in request.headers if pair[0].lower() not in OWN]
        method = self.method or request.method
        response = await send(pool, method, url, headers, request.body or None, self.seconds)
        return Answer(response.status, returned(response.headers), response.content)

    def _target(self, request: Request) -> bytes:
        filled = [
            request.parameters[self.sources[part]] if number % 2 else part.encode()
            for number, part in enumerate(self.path)
        ]
        return b"".join(filled) + (b"?" + request.query if request.query else b"")


async def send(
    pool: httpcore.AsyncConnectionPool,
    method: bytes,
    url: httpcore.URL,
    headers: Headers,
    body: bytes | None,
    seconds: float,
) -> httpcore.Response:
    """Send a request; raises GatewayFault when nothing sensible comes back in time."""
    try:
        async with asyncio.timeout(seconds):
            return await pool.request(method, url, headers=headers, content=body)
    except (TimeoutError, httpcore.TimeoutException) as error:
        raise GatewayFault("INTEGRATION_TIMEOUT") from error
    except httpcore.LocalProtocolError as error:  # the client's own header or path cannot be sent on
        raise GatewayFault("BAD_REQUEST_PARAMETERS") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise GatewayFault("INTEGRATION_FAILURE") from error


def returned(headers: Headers) -> Headers:
    """Return the upstream's headers as the client gets them."""
    lower = ((name.lower(), value) for name, value in headers)
    return [(REMAPPED.get(name, name), value) for name, value in lower if name not in OWN]


def compile_proxy(part: Any, names: set[str], variables: dict[str, str], where: str) -> HttpProxy:
    """Read a proxy of a route with these path parameters; raises DefinitionError."""
    given = mapping(where, part, KEYS)
    if given.get("connectionType", "INTERNET") != "INTERNET":
        raise DefinitionError(where, f"connectionType {given['connectionType']!r} is not executed here")
    uri = urlsplit(_substitute(need(where, given, "uri", str), variables, where))
    if uri.scheme not in ("http", "https") or not uri.hostname or uri.query or "{" in uri.netloc:
        raise DefinitionError(where, f"the uri is no http address without a query: {uri.geturl()}")
    path = tuple(PLACE.split(uri.path or "/"))
    method = need(where, given, "httpMethod", str).upper()
    return HttpProxy(
        scheme=uri.scheme.encode(),
        host=uri.hostname.encode(),
        port=uri.port,
        path=path,
        sources=_sources(given.get("requestParameters") or {}, set(path[1::2]), names, where),
        method=None if method == "ANY" else method.encode(),
        seconds=seconds_of(given.get("timeoutInMillis", 29_000), where),
    )


def _substitute(uri: str, variables: dict[str, str], where: str) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in variables:
            raise DefinitionError(where, f"the stage has no variable {found[1]}")
        return variables[found[1]]

    return VARIABLE.sub(value, uri)


def _sources(given: Any, wanted: set[str], names: set[str], where: str) -> dict[str, str]:
    """Read which path parameter of the route fills which of the uri."""
    sources = {}
    for target, source in mapping(where, given, given).items():
        to, of = (str(text).rpartition(".path.") for text in (target, source))
        if to[0] != "integration.request" or of[0] != "method.request" or of[2] not in names:
            raise DefinitionError(where, f"requestParameters: not executed here: {target}: {source}")
        sources[to[2]] = of[2]
    if set(sources) != wanted:
        raise DefinitionError(
            where, f"requestParameters fill {sorted(sources)}, the uri asks for {sorted(wanted)}"
        )
    return sources


def seconds_of(milliseconds: Any, where: str) -> float:
    """Return an integration's time-out in seconds; raises DefinitionError."""
    if not isinstance(milliseconds, int) or not 50 <= milliseconds <= 29_000:
        raise DefinitionError(where, f"timeoutInMillis {milliseconds!r} is not between 50 and 29000")
    return milliseconds / 1000
