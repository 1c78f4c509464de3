"""The sensor of the streams against the local Kinesis endpoint."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout

from pinflow.errors import StreamError
from pinflow.sensors.kinesis_stream import KinesisStreamSensor
from tests.devstack.kinesis.conftest import Clock, Kinesis, serving
from tests.plugins.streams import connected

NO_CONTEXT: Any = {}


def test_streams_are_waited_for_while_they_come_and_refused_when_they_go(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    sensor = KinesisStreamSensor(task_id="streams")
    names = [f"streaming-12e834567890-{table}" for table in ("pin", "geo", "user")]
    assert (sensor.mode, sensor.names()) == ("reschedule", names)
    with serving(tmp_path, clock, settle_ms=5_000) as served, connected(served, monkeypatch, lake=True):
        with pytest.raises(
            StreamError, match=r"no usable stream: .*-pin': 'absent'.*Repair: .*pinterest_setup"
        ):
            sensor.poke(NO_CONTEXT)
        for name in names:
            served.client.create_stream(StreamName=name, ShardCount=1)
        clock.advance(1)
        assert sensor.poke(NO_CONTEXT) is False
        clock.advance(5)
        assert sensor.poke(NO_CONTEXT) is True
        served.client.split_shard(
            StreamName=names[2], ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
        )
        assert (
            served.client.describe_stream_summary(StreamName=names[2])["StreamDescriptionSummary"][
                "StreamStatus"
            ]
            == "UPDATING"
        )
        clock.advance(1)
        assert sensor.poke(NO_CONTEXT) is False
        assert KinesisStreamSensor(task_id="some", streams=names[:2]).poke(NO_CONTEXT) is True
        clock.advance(5)
        served.client.delete_stream(StreamName=names[0])
        with pytest.raises(StreamError, match=r"-pin': 'DELETING'"):
            sensor.poke(NO_CONTEXT)


def test_a_sensor_waits_for_kinesis_and_says_what_it_waited_for(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    sensor = KinesisStreamSensor(task_id="streams")
    with connected(Kinesis("http://127.0.0.1:1", Clock()), monkeypatch):
        assert sensor.poke(NO_CONTEXT) is False

    def timeout(*_: Any) -> None:
        raise AirflowSensorTimeout("Sensor has timed out")

    monkeypatch.setattr("airflow.providers.common.compat.sdk.BaseSensorOperator.execute", timeout)
    with pytest.raises(StreamError, match=r"streaming-12e834567890-pin.*ACTIVE.*Repair: "):
        sensor.execute(NO_CONTEXT)
