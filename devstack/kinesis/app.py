"""The endpoint: AWS JSON 1.1, every operation a POST to / that X-Amz-Target names."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from devstack.asgi import LOCAL, GoneError, TooLongError, media_type, read_body
from devstack.kinesis import faults, retention, shapes
from devstack.kinesis.faults import CONTENT_TYPE, Fault, answer
from devstack.kinesis.limits import Clock, ControlLimits
from devstack.kinesis.reading import Reading
from devstack.kinesis.resharding import Resharding
from devstack.kinesis.store import Store
from devstack.kinesis.streams import Streams, now_ms
from devstack.kinesis.writing import Writing

VERSION = "Kinesis_20131202"
# 10 MiB in Base64, and keys with every sign escaped
MAX_BYTES = 32 * 1024 * 1024
TRIM_SECONDS = 60
log = logging.getLogger("kinesis")


class Operation:
    """One operation: how its body is read, and what it does."""

    def __init__(self, body: type[msgspec.Struct], run: Callable[[Any], Any]) -> None:
        self.decoder = msgspec.json.Decoder(body)
        self.run = run


class Api:
    """All operations over one store; each runs to its end before the next, in the server's one thread."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self._control = ControlLimits()
        shards, writing, reading = Resharding(streams), Writing(streams), Reading(streams)
        kept = retention.Retention(streams)
        self._operations = {
            "CreateStream": Operation(shapes.CreateStream, streams.create),
            "DeleteStream": Operation(shapes.DeleteStream, streams.delete),
            "DescribeStream": Operation(shapes.DescribeStream, streams.describe),
            "DescribeStreamSummary": Operation(shapes.DescribeStreamSummary, streams.summarize),
            "IncreaseStreamRetentionPeriod": Operation(shapes.RetentionPeriod, kept.increase),
            "DecreaseStreamRetentionPeriod": Operation(shapes.RetentionPeriod, kept.decrease),
            "ListStreams": Operation(shapes.ListStreams, streams.list_streams),
            "ListShards": Operation(shapes.ListShards, shards.list_shards),
            "SplitShard": Operation(shapes.SplitShard, shards.split),
            "MergeShards": Operation(shapes.MergeShards, shards.merge),
            "PutRecord": Operation(shapes.PutRecord, writing.put_one),
            "PutRecords": Operation(shapes.PutRecords, writing.put_many),
            "GetShardIterator": Operation(shapes.GetShardIterator, reading.iterator),
            "GetRecords": Operation(shapes.GetRecords, reading.records),
        }

    async def call(self, request: Request) -> Response:
        """Run the operation that a request names."""
        version, _, name = request.headers.get("x-amz-target", "").partition(".")
        operation = self._operations.get(name)
        if version != VERSION or operation is None:
            there = ", ".join(self._operations)
            raise Fault("UnknownOperationException", f"There is no operation {name[:100]!r}, but {there}.")
        if media_type(request.headers.get("content-type")) not in (CONTENT_TYPE, "application/json"):
            raise Fault("SerializationException", f"Content-Type must be {CONTENT_TYPE}; CBOR is not read.")
        try:
            body = await read_body(request.scope["headers"], request.receive, MAX_BYTES)
        except TooLongError as error:
            what = f"The body is longer than {MAX_BYTES} bytes."
            raise Fault("RequestEntityTooLargeException", what, 413) from error
        except GoneError:
            return Response(status_code=400)  # nobody reads it
        given = _decode(operation, body)
        self._control.check(name, self.streams.clock())
        return answer(operation.run(given))


def _decode(operation: Operation, body: bytes) -> Any:
    try:
        return operation.decoder.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault("SerializationException", str(error) or "The body is no JSON object.") from error


async def _keep_house(streams: Streams) -> None:
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        try:
            for _ in retention.trim(streams):
                await asyncio.sleep(0)
        except Exception:
            log.exception("What is too old stays for now.")


def create_app(store: Store, region: str, settle_ms: int = 0, clock: Clock = now_ms) -> Starlette:
    """Build the application over a store; streams stay `settle_ms` in a passing state."""
    streams = Streams(store, region, settle_ms, clock)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        keeper = asyncio.create_task(_keep_house(streams))
        yield
        keeper.cancel()
        store.close()

    return Starlette(
        routes=[Route("/", Api(streams).call, methods=["POST"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL)],
        exception_handlers={
            Fault: faults.refused,
            HTTPException: faults.unknown,
            Exception: faults.broken,
        },
        lifespan=life,
    )
