"""The gateway: route, key, throttle, size, model, integration - in this order."""

import contextlib
import logging
import secrets
from collections.abc import AsyncIterator
from uuid import uuid4

import httpcore
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from devstack.asgi import LOCAL, GoneError, TooLongError, header, media_type, read_body
from devstack.gateway.document import Api
from devstack.gateway.integration import Request
from devstack.gateway.responses import Answer, GatewayFault
from devstack.gateway.throttle import Throttle

log = logging.getLogger("gateway")
MAX_BYTES = 10 * 1024 * 1024  # API Gateway's own limit
# shorter than the services' own, so that no request meets a connection that is about to close
IDLE_SECONDS = 30


class Gateway:
    """One stage of an API as an ASGI application."""

    def __init__(self, api: Api, key: str) -> None:
        self.api = api
        self.base = b"/" + api.stage.name.encode()
        self.key = key.encode()
        self.throttle = Throttle(api.stage.rate, api.stage.burst)
        self.pool = httpcore.AsyncConnectionPool(max_connections=100, keepalive_expiry=IDLE_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = str(uuid4())
        try:
            answer = await self.answer(scope, receive, request_id)
        except GoneError:
            return
        except GatewayFault as fault:
            if fault.__cause__ is not None:
                log.warning("%s %s: %r", fault.kind, scope["path"], fault.__cause__)
            answer = self.api.responses[fault.kind]
        except Exception:
            log.exception("An error that nobody expected: %s %s", scope["method"], scope["path"])
            answer = self.api.responses["API_CONFIGURATION_ERROR"]
        length = (b"content-length", b"%d" % len(answer.body))
        headers = [*answer.headers, length, (b"x-amzn-requestid", request_id.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def answer(self, scope: Scope, receive: Receive, request_id: str) -> Answer:
        """Check a request and send it on; raises GatewayFault, GoneError."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        method = scope["method"].encode()
        path: bytes = scope["raw_path"]
        if not path.startswith(self.base + b"/"):
            raise GatewayFault("ACCESS_DENIED")
        found = self.api.router.find(method, path.removeprefix(self.base))
        if found is None:
            raise GatewayFault("MISSING_AUTHENTICATION_TOKEN")
        route, parameters = found
        if route.key_required:
            self._check_key(headers)
        try:
            body = await read_body(headers, receive, MAX_BYTES)
        except TooLongError as error:
            raise GatewayFault("REQUEST_TOO_LARGE") from error
        model = route.models.get(media_type(header(headers, b"content-type") or "application/json"))
        if model is not None and not model(body or b"{}"):
            raise GatewayFault("BAD_REQUEST_BODY")
        context = {
            "httpMethod": scope["method"],
            "requestId": request_id,
            "resourcePath": route.path,
            "stage": self.api.stage.name,
        }
        request = Request(method, parameters, scope["query_string"], headers, body, context)
        return await route.integration.call(self.pool, request)

    def _check_key(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Raise unless the key is right and its usage plan has room."""
        given = header(headers, b"x-api-key") or ""
        if not secrets.compare_digest(given.encode("latin-1"), self.key):
            raise GatewayFault("INVALID_API_KEY")
        if not self.throttle.take():
            raise GatewayFault("THROTTLED")


def create_app(api: Api, key: str) -> Starlette:
    """Build the application that executes a definition."""
    gateway = Gateway(api, key)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.pool.aclose()

    return Starlette(
        routes=[Route("/{path:path}", gateway)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL)],
        lifespan=life,
    )
