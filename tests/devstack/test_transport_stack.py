"""Emulation over the real source, gateway, proxy and broker, while one of them dies."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from devstack import supervise
from devstack.airflow_entries import as_variables, variable
from devstack.config import Settings
from devstack.s3proxy import create_bucket
from devstack.source import seed
from pinflow import paths
from pinflow.hooks import api
from pinflow.hooks.api import ApiHook, Record
from pinflow.hooks.kafka import KafkaHook
from pinflow.hooks.lake import LakeHook
from pinflow.manifest import unpack
from pinflow.operators.mysql_to_kafka import MySqlToKafkaOperator
from pinflow.operators.select_posts import SelectPostsOperator
from pinflow.window import now

pytestmark = pytest.mark.stack
POSTS = 3_000
WINDOW = {"window_start": "2022-10-01", "window_end": "2022-10-03"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings(state_dir=tmp_path_factory.mktemp("transport") / "state", port_offset=600)
    try:
        supervise.up(settings, ["mysql", "kafka", "s3", "gateway"])
        create_bucket(settings)
        seed(settings, posts=POSTS, span="2022-10-01..2022-10-02")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in as_variables(settings).items():
                patch.setenv(name, value)
            yield settings
    finally:
        supervise.reset(settings)


@pytest.fixture
def topic(stack: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user id, and so a topic, of this test alone."""
    user_id = f"{abs(hash(request.node.name)) % 16**12:012x}"
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({**variable(stack), "user_id": user_id}))
    name = paths.topic(user_id, "pin")
    KafkaHook().create_topics([name], 3, -1)
    return name


def context() -> Any:
    run = SimpleNamespace(dag_id="d", run_id="r", run_type="manual", logical_date=None, run_after=now())
    return {"dag_run": run, "ti": SimpleNamespace(try_number=1), "params": WINDOW}


def emulate() -> dict[str, Any]:
    selected = SelectPostsOperator(task_id="select_posts").execute(context())
    return MySqlToKafkaOperator(task_id="pin", table="pin", selected=selected).execute(context())


def landed(topic: str) -> dict[tuple[int, int], bytes]:
    """Read the whole topic by place."""
    consumer = Consumer({**KafkaHook().config(), "group.id": "t", "enable.auto.commit": False})
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(3)}
    consumer.assign([TopicPartition(topic, p, 0) for p in ends])
    found: dict[tuple[int, int], bytes] = {}
    while len(found) < sum(ends.values()):
        for message in consumer.consume(1_000, timeout=30):
            assert message.error() is None, message.error()
            found[message.partition(), message.offset()] = message.value()
    consumer.close()
    return found


def assert_each_post_is_where_it_was_acknowledged(topic: str, manifest: dict[str, Any]) -> int:
    """Return how many records the topic holds beyond the acknowledged ones."""
    rows = landed(topic)
    acknowledged = list(unpack(LakeHook().read(manifest["ids"])))
    assert manifest["count"] == manifest["selected"] == POSTS
    assert len({row["ind"] for row in acknowledged}) == POSTS
    for row in acknowledged:
        assert json.loads(rows[row["partition"], row["offset"]])["index"] == row["ind"]
    return len(rows) - len(acknowledged)


def pid_of(settings: Settings, name: str) -> int:
    return next(row.pid for row in supervise.status(settings) if row.name == name) or 0


def at_the_third_batch(monkeypatch: pytest.MonkeyPatch, happens: Any) -> list[int]:
    """Let something happen right before the third batch is posted; return the sizes of all batches."""
    produce, sizes, lock = ApiHook.produce, list[int](), threading.Lock()

    def wrapped(hook: ApiHook, name: str, records: list[Record]) -> list[dict[str, Any]]:
        with lock:
            sizes.append(len(records))
            third = len(sizes) == 3
        if third:
            happens()
        return produce(hook, name, records)

    monkeypatch.setattr(ApiHook, "produce", wrapped)
    return sizes


def test_both_transports_send_the_same_bytes_to_the_same_partitions(
    stack: Settings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert assert_each_post_is_where_it_was_acknowledged(topic, emulate()) == 0
    through_api = {(partition, value) for (partition, _), value in landed(topic).items()}
    settings = json.loads(os.environ["AIRFLOW_VAR_PINFLOW"])
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({**settings, "transport": "direct"}))
    assert assert_each_post_is_where_it_was_acknowledged(topic, emulate()) == POSTS
    assert {(partition, value) for (partition, _), value in landed(topic).items()} == through_api


@pytest.mark.parametrize("service", ["rest", "gateway", "kafka"])
def test_a_service_killed_between_batches_loses_nothing(
    stack: Settings, topic: str, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    killed = pid_of(stack, service)
    at_the_third_batch(monkeypatch, lambda: os.kill(killed, signal.SIGKILL))
    assert_each_post_is_where_it_was_acknowledged(topic, emulate())
    assert pid_of(stack, service) not in (0, killed)


def test_an_answer_that_comes_too_late_doubles_records_and_loses_none(
    stack: Settings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[int] = []
    produce, lock = ApiHook.produce, threading.Lock()

    def impatient(hook: ApiHook, name: str, records: list[Record]) -> list[dict[str, Any]]:
        answer = produce(hook, name, records)
        with lock:
            late.append(len(records))
            lost = len(late) == 3
        if lost:
            raise api.UnavailableError("the answer came too late")
        return answer

    monkeypatch.setattr(ApiHook, "produce", impatient)
    assert assert_each_post_is_where_it_was_acknowledged(topic, emulate()) == late[2]
