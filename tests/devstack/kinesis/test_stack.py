"""The service under the supervisor: out of reach of other machines, and back after a kill."""

import time
from collections.abc import Iterator

import boto3
import psutil
import pytest
from botocore.exceptions import BotoCoreError

from devstack import processes, supervise
from devstack.config import Settings
from tests.devstack.kinesis.conftest import Clock, Kinesis
from tests.listening import assert_loopback_only

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings(state_dir=tmp_path_factory.mktemp("kinesis") / "state", port_offset=3100)
    try:
        supervise.up(settings, ["kinesis"])
        yield settings
    finally:
        supervise.reset(settings)
    assert processes.ours(settings.state_dir) == []


def pid(settings: Settings) -> int | None:
    return {row.name: row.pid for row in supervise.status(settings)}["kinesis"]


def test_it_listens_on_loopback_only(settings: Settings) -> None:
    assert_loopback_only(settings)


def test_a_client_with_its_own_settings_comes_through_a_kill(settings: Settings) -> None:
    service = Kinesis(settings.kinesis_endpoint, Clock())
    stream = service.stream(2)
    service.put(stream, b"before")
    old = pid(settings)
    psutil.Process(old).kill()
    # as a program makes it: the credentials are its own, and it tries again as botocore does
    given = {"region_name": settings.region, "aws_access_key_id": "own", "aws_secret_access_key": "own"}
    plain = boto3.client("kinesis", endpoint_url=settings.kinesis_endpoint, **given)
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = plain.put_record(StreamName=stream, Data=b"after", PartitionKey="k")
            break
        except BotoCoreError:
            assert time.monotonic() < deadline
    assert pid(settings) != old
    shard = int(answer["ShardId"][-12:])
    assert service.read(stream, shard=shard) == [b"before", b"after"]
