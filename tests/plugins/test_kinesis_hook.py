"""Streams made, waited for and refused; against the local endpoint, or a server where it denies nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinflow import setup
from pinflow.errors import StreamDeliveryError, StreamError
from pinflow.hooks import batches, kinesis
from pinflow.hooks.kinesis import KinesisHook
from tests.devstack.kinesis.conftest import Clock, Kinesis, serving
from tests.plugins.streams import connected, endpoint, rows, write
from tests.plugins.test_api import Api

DENIED = (400, {"__type": "AccessDeniedException", "message": "not authorized to perform that"}, {})
BROKEN = (500, {"__type": "InternalFailure", "message": "oh"}, {})
ABSENT = (400, {"__type": "ResourceNotFoundException", "message": "no such stream"}, {})


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinesis]:
    with endpoint(tmp_path, monkeypatch) as served:
        yield served


def test_setup_makes_the_three_streams_once(service: Kinesis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", '{"stream_shards": 3}')
    names = [f"streaming-12e834567890-{table}" for table in ("pin", "geo", "user")]
    assert setup.create_streams() == names
    service.clock.advance(1)
    assert setup.create_streams() == []
    assert [len(service.shards(name)) for name in names] == [3, 3, 3]


def test_streams_are_waited_for_until_they_are_active(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    monkeypatch.setattr(kinesis, "_sleep", sleep)
    with serving(tmp_path, clock, settle_ms=5_000) as served, connected(served, monkeypatch):
        hook = KinesisHook()
        assert hook.create_streams(["a", "b"], 1) == ["a", "b"]
        assert (hook.status("a"), hook.status("b"), hook.status("c")) == ("ACTIVE", "ACTIVE", None)
        assert len(pauses) == 5
        served.client.delete_stream(StreamName="a")
        with pytest.raises(StreamError, match=r"is deleting the stream `a`.*Repair: wait until it is gone"):
            hook.create_streams(["a"], 1)
        clock.advance(6)
        monkeypatch.setattr(kinesis, "_ACTIVE_SECONDS", 0)
        with pytest.raises(StreamDeliveryError, match=r"the stream `a` is CREATING after 0 s.*Repair: "):
            hook.create_streams(["a"], 1)


def test_a_stream_that_may_not_be_made_names_the_least_grant(
    service: Kinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StreamError, match=r"`big` of 501 shards.*Repair: grant kinesis:CreateStream.*quota"):
        KinesisHook().create_streams(["big"], 501)


def test_kinesis_that_is_not_there_is_named(service: Kinesis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    service.url = "http://127.0.0.1:1"
    with connected(service, monkeypatch):
        with pytest.raises(StreamDeliveryError, match=r"Kinesis http://127\.0\.0\.1:1 .*no answer"):
            write("s", rows(1))
        with pytest.raises(StreamDeliveryError, match=r"`pinterest_aws` is out of reach.*Repair: "):
            KinesisHook().status("s")


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A service that answers as its script says, since the local endpoint denies nobody."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(batches, "_sleep", lambda *_: None)
    server = Api()
    with connected(Kinesis(server.url.removesuffix("/dev"), Clock()), monkeypatch):
        yield server
    server.server.shutdown()


def test_what_is_denied_names_the_least_grant(refusing: Api) -> None:
    hook = KinesisHook()
    refusing.script = [DENIED]
    with pytest.raises(
        StreamError, match=r"not authorized.*Repair: .*`pinterest_aws`.*DescribeStreamSummary"
    ):
        hook.status("s")
    refusing.script = [ABSENT, DENIED]
    with pytest.raises(StreamError, match=r"`s` of 2 shards.*Repair: grant kinesis:CreateStream"):
        hook.create_streams(["s"], 2)
    refusing.script = [DENIED]
    with pytest.raises(
        StreamError, match=r"not authorized.*Repair: .*grant kinesis:PutRecords on the stream `s`"
    ):
        write("s", rows(1))
    assert len(refusing.bodies) == 4


def test_a_service_that_is_broken_for_now_is_an_error_that_a_retry_may_end(refusing: Api) -> None:
    hook = KinesisHook()
    refusing.script = [BROKEN]
    with pytest.raises(StreamDeliveryError, match="InternalFailure"):
        hook.status("s")
    refusing.script = [ABSENT, BROKEN]
    with pytest.raises(StreamDeliveryError, match="InternalFailure"):
        hook.create_streams(["s"], 2)
    refusing.bodies.clear()
    refusing.script = [BROKEN] * batches.TRIES
    with pytest.raises(StreamDeliveryError, match=r"1 of 1 records.*InternalFailure: oh"):
        write("s", rows(1))
    assert len(refusing.bodies) == batches.TRIES  # none of them boto's own
