"""The gateway over an upstream that answers with what it got, and over the real endpoint of Kinesis."""

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from devstack.config import Settings
from devstack.gateway import document
from devstack.gateway.app import create_app
from tests.devstack.kinesis.conftest import Clock, Kinesis, serving

KEY = "a-key-of-twenty-signs"
JSON_RECORDS = "application/vnd.kafka.json.v2+json"
NOWHERE = {"kinesis": "http://127.0.0.1:1"}
Document = dict[str, Any]
Gateway = Callable[..., TestClient]


class Echo(BaseHTTPRequestHandler):
    """Answers with the request's line, headers and body; the path says how."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if "slow" in self.path:
            time.sleep(1)
        if "broken" in self.path:
            self.close_connection = True
            return
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
        }
        answer = json.dumps(seen | {"body": body.decode("latin-1")}).encode()
        self.send_response(418 if "teapot" in self.path else 200)
        self.send_header("Content-Type", "application/vnd.kafka.v2+json")
        self.send_header("X-Own", "kept")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


for verb in ("POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"):
    setattr(Echo, f"do_{verb}", Echo.do_GET)


@pytest.fixture(scope="package")
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="package")
def written() -> Document:
    return document.read(Settings().gateway_file)


@pytest.fixture
def definition(written: Document) -> Document:
    """The definition as it stands, to be changed by a test."""
    return copy.deepcopy(written)


def integration(definition: Document) -> Document:
    found: Document = operation(definition)["x-amazon-apigateway-integration"]
    return found


def operation(definition: Document) -> Document:
    found: Document = definition["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]
    return found


def put_records(definition: Document) -> Document:
    """The integration of PutRecords."""
    put = definition["paths"]["/streams/{stream-name}/records"]["put"]
    found: Document = put["x-amazon-apigateway-integration"]
    return found


@pytest.fixture(scope="package")
def gateway(written: Document, upstream: str) -> Iterator[Gateway]:
    """Serve a definition, as it stands by default; unlimited unless `limited`."""
    with ExitStack() as open_clients:

        def serve(
            given: Document | None = None,
            address: str = upstream,
            limited: bool = False,
            kinesis: str = NOWHERE["kinesis"],
        ) -> TestClient:
            changed = copy.deepcopy(given or written)
            if not limited:
                changed["x-pinflow-stage"] |= {"throttlingRateLimit": 1e9, "throttlingBurstLimit": 10**9}
            app = create_app(document.load(changed, {"restProxy": address}, {"kinesis": kinesis}), KEY)
            return open_clients.enter_context(TestClient(app, headers={"x-api-key": KEY}))

        yield serve


@pytest.fixture(scope="package")
def client(gateway: Gateway) -> TestClient:
    return gateway()


@pytest.fixture(scope="package")
def kinesis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kinesis]:
    """The endpoint under a clock that goes on too fast for its limits."""
    with serving(tmp_path_factory.mktemp("kinesis"), Clock(step=1000)) as service:
        yield service


@pytest.fixture(scope="package")
def streams(gateway: Gateway, kinesis: Kinesis) -> TestClient:
    return gateway(kinesis=kinesis.url)


@pytest.fixture(scope="package")
def stream(kinesis: Kinesis) -> str:
    return kinesis.stream()


def put(client: TestClient, stream: str, *pairs: tuple[str, str]) -> httpx.Response:
    records = [{"data": data, "partition-key": key} for data, key in pairs]
    return client.put(f"/dev/streams/{stream}/records", json={"records": records})


def stored(kinesis: Kinesis, stream: str, answer: Any) -> list[tuple[bytes, str]]:
    """Return data and keys from where the first record of an answer lies."""
    number = answer["Records"][0]["SequenceNumber"]
    start = kinesis.iterator(stream, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
    found = kinesis.client.get_records(ShardIterator=start)["Records"]
    return [(record["Data"], record["PartitionKey"]) for record in found]
