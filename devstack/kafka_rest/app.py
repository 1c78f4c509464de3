"""The proxy's API: list topics, describe one, produce to one."""

from typing import Any

import msgspec
from confluent_kafka import KafkaException
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from devstack.asgi import LOCAL, GoneError, TooLongError, media_type, read_body
from devstack.kafka_rest import envelope, faults
from devstack.kafka_rest.batch import RETRIABLE_ERRORS, Result
from devstack.kafka_rest.faults import CONTENT_TYPE, Fault
from devstack.kafka_rest.log import Log

JSON_RECORDS = "application/vnd.kafka.json.v2+json"
MAX_BYTES = 32 * 1024 * 1024
ANSWERS = (CONTENT_TYPE, "application/vnd.kafka+json", "application/json")
ACCEPTED = {*ANSWERS, "*/*", "application/*"}


class Produced(msgspec.Struct):
    """The answer to a produce request; schemas are not ours."""

    offsets: list[Result | None]
    key_schema_id: None = None
    value_schema_id: None = None


class Proxy:
    """The endpoints over one log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def topics(self, request: Request) -> Response:
        """Name the topics."""
        return answer(request, sorted(await self.log.topics()))

    async def topic(self, request: Request) -> Response:
        """Describe one topic: configuration, partitions and their replicas."""
        name = request.path_params["topic"]
        found = (await self.log.topics()).get(name)
        if found is None:
            raise faults.no_topic(name)
        partitions = [describe(part) for _, part in sorted(found.partitions.items())]
        configs = await self.log.configs(name)
        return answer(request, {"name": name, "configs": configs, "partitions": partitions})

    async def produce(self, request: Request) -> Response:
        """Write the records; a record that fails says so in a 200."""
        accepted(request)
        if media_type(request.headers.get("content-type")) != JSON_RECORDS:
            given = request.headers.get("content-type", "none")
            message = f"HTTP 415 Unsupported Media Type: {given[:200]}"
            raise Fault(415, 415, f"{message}. Repair: send Content-Type {JSON_RECORDS}.")
        try:
            body = await read_body(request.scope["headers"], request.receive, MAX_BYTES)
        except TooLongError as error:
            message = f"The body is longer than {MAX_BYTES} bytes. Repair: send fewer records at a time."
            raise Fault(413, 413, message) from error
        except GoneError:
            return Response(status_code=400)  # nobody reads it
        records = envelope.read(body)
        results = await self.log.send(request.path_params["topic"], records)
        return answer(request, Produced(results))


def describe(partition: Any) -> dict[str, Any]:
    """Describe a partition as the API shows it."""
    replicas = [
        {"broker": broker, "leader": broker == partition.leader, "in_sync": broker in partition.isrs}
        for broker in partition.replicas
    ]
    return {"partition": partition.id, "leader": partition.leader, "replicas": replicas}


def accepted(request: Request) -> str:
    """Choose the media type of the answer; raises Fault 406."""
    given = [media_type(part) for part in request.headers.get("accept", "*/*").split(",")]
    for wanted in given:
        if wanted in ACCEPTED:
            return wanted if wanted in ANSWERS else CONTENT_TYPE
    message = f"HTTP 406 Not Acceptable: {', '.join(given)[:200]}"
    raise Fault(406, 406, f"{message}. Repair: accept {CONTENT_TYPE} or leave Accept out.")


def answer(request: Request, content: Any) -> Response:
    """Write an answer."""
    return Response(msgspec.json.encode(content), media_type=accepted(request))


async def no_kafka(_: Request, error: Exception) -> Response:
    """Answer that the brokers did not answer."""
    cause = error.args[0]
    again = cause.code() in RETRIABLE_ERRORS
    code = faults.KAFKA_RETRIABLE_ERROR if again else faults.KAFKA_ERROR
    what = f"{'Retriable Kafka' if again else 'Kafka'} error: {cause.str()}"
    repair = "see that the brokers are up (`python -m devstack status`), then send it again"
    return Fault(500, code, f"{what}. Repair: {repair}.").response()


def create_app(log: Log) -> Starlette:
    """Build the application over a log."""
    proxy = Proxy(log)

    app = Starlette(
        routes=[
            Route("/topics", proxy.topics, methods=["GET"]),
            Route("/topics/{topic}", proxy.topic, methods=["GET"]),
            Route("/topics/{topic}", proxy.produce, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL)],
        exception_handlers={
            Fault: faults.refused,
            KafkaException: no_kafka,
            HTTPException: faults.unknown,
            Exception: faults.broken,
        },
        lifespan=lambda _: log.running(),
    )
    app.router.redirect_slashes = False
    return app
