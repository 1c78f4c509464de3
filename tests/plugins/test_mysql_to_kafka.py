import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from pinflow.errors import KafkaDeliveryError, ManifestError
from pinflow.hooks.kafka import AcknowledgedWriter, KafkaHook
from pinflow.operators.mysql_to_kafka import MySqlToKafkaOperator
from pinflow.wire import wire


def test_a_row_goes_over_the_wire_as_one_json_object_without_a_line_feed() -> None:
    row = {
        "index": 3,
        "title": 'a\n"b" 😀 שלום',
        "latitude": -67.2157,
        "n": None,
        "t": datetime(2020, 8, 28, 3, 52, 47),
    }
    value = wire(row)
    assert b"\n" not in value
    assert json.loads(value) == {**row, "t": "2020-08-28T03:52:47"}
    assert b'"latitude":-67.2157' in value
    assert "😀 שלום".encode() in value


def test_decimals_stay_numbers_and_bytes_become_text() -> None:
    assert wire({"a": Decimal("7"), "b": Decimal("1.5"), "c": b"x"}) == b'{"a":7,"b":1.5,"c":"x"}'


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> KafkaHook:
    """A hook onto librdkafka's own in-process brokers."""
    conn = {"conn_type": "generic", "host": "", "extra": {"test.mock.num.brokers": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA", json.dumps(conn))
    return KafkaHook()


def test_every_acknowledgement_is_reported_with_its_place(kafka: KafkaHook) -> None:
    seen: list[tuple[int, int, int]] = []
    writer = AcknowledgedWriter(kafka.producer(), "t", seen.append)
    for ind in range(500):
        writer.send(ind, b"{}")
    writer.finish()
    assert sorted(ind for ind, _, _ in seen) == list(range(500))
    assert len({(partition, offset) for _, partition, offset in seen}) == 500


def test_one_id_always_goes_to_one_partition(kafka: KafkaHook) -> None:
    seen: list[tuple[int, int, int]] = []
    writer = AcknowledgedWriter(kafka.producer(), "t", seen.append)
    for _ in range(3):
        writer.send(42, b"{}")
    writer.finish()
    assert len({partition for _, partition, _ in seen}) == 1


def test_a_row_too_large_for_the_broker_names_the_settings_to_raise(kafka: KafkaHook) -> None:
    writer = AcknowledgedWriter(kafka.producer(), "t", lambda *_: None)
    with pytest.raises(KafkaDeliveryError, match=r"message\.max\.bytes"):
        writer.send(1, b"x" * 2_000_000)


def test_an_unreachable_broker_is_named_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    conn = {"conn_type": "generic", "host": "127.0.0.1", "port": 1, "extra": {"socket.timeout.ms": 500}}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA", json.dumps(conn))
    monkeypatch.setattr("pinflow.hooks.kafka._SECONDS", 1)
    with pytest.raises(KafkaDeliveryError, match=r"Kafka 127\.0\.0\.1:1 does not answer.*pinterest_kafka"):
        KafkaHook().partitions("12e834567890.pin")


@pytest.mark.parametrize("selected", [None, {}, "x"])
def test_without_selected_ids_it_says_what_to_clear(selected: Any) -> None:
    operator = MySqlToKafkaOperator(task_id="pin", table="pin", selected=selected)
    with pytest.raises(ManifestError, match="clear `select_posts`"):
        operator._selected()
