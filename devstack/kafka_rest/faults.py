"""Errors as API v2 answers them: a status, an `error_code` of three or five digits and a message."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

CONTENT_TYPE = "application/vnd.kafka.v2+json"
TOPIC_NOT_FOUND = 40401
KAFKA_ERROR = 50002
KAFKA_RETRIABLE_ERROR = 50003
NON_RETRIABLE, RETRIABLE = 1, 2


class Fault(Exception):  # noqa: N818 - the word of these rooms, as in AWS and SOAP
    """A refused request."""

    def __init__(
        self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers

    def response(self) -> Response:
        """Write the fault as an answer."""
        body = msgspec.json.encode({"error_code": self.code, "message": self.message})
        return Response(body, self.status, self.headers, CONTENT_TYPE)


def unprocessable(what: str) -> Fault:
    """Return the fault of a body that is no envelope of records."""
    shape = '{"records": [{"value": ...}, ...]}'
    return Fault(422, 422, f"{what}. Repair: send {shape} as UTF-8; a record may have `key` and `partition`.")


def no_topic(name: str) -> Fault:
    """Return the fault of a topic that is not there."""
    message = f"Topic not found: {name[:249]!r}. Repair: create it first; none is made by accident."
    return Fault(404, TOPIC_NOT_FOUND, message)


async def refused(_: Request, fault: Exception) -> Response:
    """Answer a fault."""
    assert isinstance(fault, Fault)
    return fault.response()


async def unknown(request: Request, error: Exception) -> Response:
    """Answer a path or a method that the API does not have."""
    status = int(getattr(error, "status_code", 404))
    what = f"HTTP {status} {getattr(error, 'detail', '')}: {request.method} {request.url.path}"
    message = f"{what}. Repair: there are GET /topics, GET /topics/<name> and POST /topics/<name>."
    return Fault(status, status, message, getattr(error, "headers", None)).response()


async def broken(_: Request, error: Exception) -> Response:
    """Answer an error that nobody expected; the server logs its traceback."""
    what = f"Internal Server Error: {type(error).__name__}"
    repair = "the traceback is shown by `python -m devstack logs rest`"
    return Fault(500, 500, f"{what}. Repair: {repair}.").response()
