"""Errors as Kinesis answers them: a status, and `__type` and `message` in JSON."""

import uuid

import msgspec
from starlette.requests import Request
from starlette.responses import Response

CONTENT_TYPE = "application/x-amz-json-1.1"
TOO_FAST = "ProvisionedThroughputExceededException"


class Fault(Exception):  # noqa: N818 - the word of these rooms, as in AWS and SOAP
    """A refused request."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def response(self) -> Response:
        """Write the fault as an answer."""
        return answer({"__type": self.code, "message": self.message}, self.status)


def answer(content: object, status: int = 200) -> Response:
    """Write JSON as the service does; None is an empty body."""
    body = b"" if content is None else msgspec.json.encode(content)
    return Response(body, status, {"x-amzn-RequestId": str(uuid.uuid4())}, CONTENT_TYPE)


def invalid(message: str) -> Fault:
    """Return the fault of an argument that is well formed and cannot be used."""
    return Fault("InvalidArgumentException", message)


def missing(message: str) -> Fault:
    """Return the fault of something that is not there."""
    return Fault("ResourceNotFoundException", message)


def in_use(message: str) -> Fault:
    """Return the fault of a stream that is in another state than the operation needs."""
    return Fault("ResourceInUseException", message)


def limit_exceeded(message: str) -> Fault:
    """Return the fault of too many streams, shards or calls."""
    return Fault("LimitExceededException", message)


async def refused(_: Request, fault: Exception) -> Response:
    """Answer a fault."""
    assert isinstance(fault, Fault)
    return fault.response()


async def unknown(request: Request, error: Exception) -> Response:
    """Answer a path or a method that the API does not have."""
    status = int(getattr(error, "status_code", 404))
    message = f"{request.method} {request.url.path} is no call of Kinesis: every one is a POST to /."
    return Fault("UnknownOperationException", message, status).response()


async def broken(_: Request, error: Exception) -> Response:
    """Answer an error that nobody expected; the server logs its traceback."""
    repair = "the traceback is shown by `python -m devstack logs kinesis`"
    return Fault("InternalFailure", f"{type(error).__name__}. Repair: {repair}.", 500).response()
