"""The endpoint served from a thread under a clock of the test's own, and moto beside it."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError

from devstack.kinesis.app import create_app
from devstack.kinesis.store import Store

REGION = "us-east-1"
_NUMBERS = itertools.count()


class Clock:
    """Milliseconds since 1970 that stand still, or go `step` further whenever they are looked at."""

    def __init__(self, step: int = 0) -> None:
        self.now, self.step = 1_700_000_000_000, step

    def __call__(self) -> int:
        self.now += self.step
        return self.now

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Stand still for a while."""
        step, self.step = self.step, 0
        try:
            yield
        finally:
            self.step = step

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@dataclass
class Kinesis:
    """A service and a client that does not try again."""

    url: str
    clock: Clock
    store: Any = None

    def __post_init__(self) -> None:
        self.client: Any = client(self.url)

    def stream(self, shards: int = 1) -> str:
        """Create a stream with a name of its own."""
        name = f"stream-{next(_NUMBERS):04}"
        self.client.create_stream(StreamName=name, ShardCount=shards)
        self.client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.01})
        return name

    def shards(self, stream: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.list_shards(StreamName=stream)["Shards"]
        return found

    def put(self, stream: str, *data: bytes, key: str = "k", **more: Any) -> list[str]:
        """Put records one by one; return their sequence numbers."""
        return [
            self.client.put_record(StreamName=stream, Data=each, PartitionKey=key, **more)["SequenceNumber"]
            for each in data
        ]

    def iterator(self, stream: str, kind: str = "TRIM_HORIZON", shard: int = 0, **more: Any) -> str:
        shard_id = f"shardId-{shard:012}"
        found: str = self.client.get_shard_iterator(
            StreamName=stream, ShardId=shard_id, ShardIteratorType=kind, **more
        )["ShardIterator"]
        return found

    def read(self, stream: str, kind: str = "TRIM_HORIZON", shard: int = 0, **more: Any) -> list[bytes]:
        """Return the data of one page from a position on."""
        page = self.client.get_records(ShardIterator=self.iterator(stream, kind, shard, **more))
        return [record["Data"] for record in page["Records"]]


def client(url: str) -> Any:
    return boto3.client(
        "kinesis",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )


@contextmanager
def refused(code: str, *words: str) -> Iterator[None]:
    """Expect an error of the service; its message holds the words."""
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code, caught.value
    for word in words:
        assert word in caught.value.response["Error"]["Message"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, clock: Clock, settle_ms: int = 0) -> Iterator[Kinesis]:
    """Serve the endpoint over a folder's store from a thread."""
    port = free_port()
    store = Store(folder / "kinesis.sqlite")
    app = create_app(store, REGION, settle_ms, clock)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    service = Kinesis(f"http://127.0.0.1:{port}", clock, store)
    try:
        yield service
    finally:
        service.client.close()  # an open connection would be waited for
        server.should_exit = True
        thread.join()


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    """The endpoint under a clock that stands still."""
    with serving(tmp_path, Clock()) as service:
        yield service


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Kinesis]]:
    """Start the endpoint, whose clock goes on too fast for its limits, or moto: once each."""
    from moto.server import ThreadedMotoServer

    started: dict[str, Kinesis] = {}
    with ExitStack() as stack:

        def service(name: str) -> Kinesis:
            if name not in started and name == "endpoint":
                folder = tmp_path_factory.mktemp("kinesis")
                started[name] = stack.enter_context(serving(folder, Clock(step=250)))
            elif name not in started:
                port = free_port()
                moto = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
                moto.start()
                stack.callback(moto.stop)
                started[name] = Kinesis(f"http://127.0.0.1:{port}", Clock())
            return started[name]

        yield service


@pytest.fixture
def service(request: pytest.FixtureRequest, services: Callable[[str], Kinesis]) -> Kinesis:
    """The service that a case is run against."""
    return services(request.param)
