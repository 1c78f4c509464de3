"""What the HTTP services in front of the log share: bodies with a limit, media types, a loopback server."""

from typing import cast

import uvicorn
from starlette.types import ASGIApp, Receive

KEEP_ALIVE_SECONDS = 75
LOCAL = ["127.0.0.1", "localhost", "host.docker.internal", "testserver"]


class TooLongError(Exception):
    """A request's body is over the limit."""


class GoneError(Exception):
    """The client left before its request was whole."""


def header(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Return the first header of a name in lower case; any byte becomes one sign."""
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), None)


def media_type(value: str | None) -> str:
    """Return a Content-Type without its parameters, in lower case; '' when there is none."""
    return (value or "").partition(";")[0].strip().lower()


async def read_body(headers: list[tuple[bytes, bytes]], receive: Receive, limit: int) -> bytes:
    """Read a body of at most `limit` bytes; raises TooLongError as soon as it is known to be longer."""
    declared = header(headers, b"content-length") or ""
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise TooLongError
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part = cast("bytes", message.get("body", b""))
        size += len(part)
        if size > limit:
            raise TooLongError
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def is_utf8(body: bytes) -> bool:
    """Tell whether JSON text is encoded as JSON text must be."""
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def serve(app: ASGIApp, port: int) -> None:
    """Serve on loopback until stopped; idle connections outlive those that our own clients keep."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=3,
    )
