"""The operators from the source to the log, with the lake in moto and librdkafka's own brokers."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout

from pinflow.errors import (
    ConnectionMissingError,
    LakeError,
    LandingError,
    ObjectGoneError,
    SourceBehindError,
    SourceUnavailableError,
)
from pinflow.hooks.kafka import AcknowledgedWriter
from pinflow.hooks.lake import LakeHook
from pinflow.hooks.source import SourceHook
from pinflow.manifest import unpack
from pinflow.operators.mysql_to_kafka import MySqlToKafkaOperator
from pinflow.operators.select_posts import SelectPostsOperator
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.sensors.kafka_offsets_s3_key import KafkaOffsetsS3KeySensor
from pinflow.sensors.new_posts import NewPostsSensor
from pinflow.wire import wire

DAY = datetime(2022, 10, 15, tzinfo=UTC)


def context(logical_date: datetime = DAY, try_number: int = 1) -> Any:
    run = SimpleNamespace(
        dag_id="pinterest_batch", run_id="r", run_type="manual", logical_date=logical_date,
        run_after=datetime.now(UTC),
    )  # fmt: skip
    ti = SimpleNamespace(
        dag_id="pinterest_batch", run_id="r", task_id="t", map_index=-1, try_number=try_number
    )
    return {"dag_run": run, "ti": ti, "params": {}}


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the source answers: `posts`, `rows` of any table, and its `newest` post or an error."""
    answers: dict[str, Any] = {"posts": [], "rows": [], "newest": None}

    def newest(_: SourceHook) -> Any:
        if isinstance(answers["newest"], Exception):
            raise answers["newest"]
        return answers["newest"]

    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_RDS", "mysql://u:p@db:3306/pinterest_data")
    monkeypatch.setattr(SourceHook, "compare_columns", lambda _: [])
    monkeypatch.setattr(SourceHook, "posts", lambda _, window: iter(answers["posts"]))
    monkeypatch.setattr(SourceHook, "rows", lambda _, table, ids: iter(answers["rows"]))
    monkeypatch.setattr(SourceHook, "newest_post", newest)
    return answers


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    conn = {"conn_type": "generic", "host": "", "extra": {"test.mock.num.brokers": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA", json.dumps(conn))


def test_the_ids_of_a_window_are_frozen_and_every_record_acknowledged_is_in_the_id_file(
    bucket: str, source: dict[str, Any], brokers: None
) -> None:
    source["posts"] = [{"ind": ind, "post_ts": datetime(2022, 10, 15, ind)} for ind in (1, 2, 3)]
    selected = SelectPostsOperator(task_id="select_posts").execute(context())
    assert (selected["count"], selected["window_start"], selected["window_end"]) == (
        3, "2022-10-15T00:00:00Z", "2022-10-16T00:00:00Z",
    )  # fmt: skip
    assert next(unpack(LakeHook().read(selected["posts"]))) == {
        "ind": 1,
        "post_ts": "2022-10-15T01:00:00Z",
    }

    # id 2 is doubled in the source, id 3 has no row in this table
    source["rows"] = [{"ind": ind, "age": 20} for ind in (1, 2, 2)]
    manifest = MySqlToKafkaOperator(task_id="user", table="user", selected=selected).execute(context())
    assert (manifest["selected"], manifest["count"]) == (3, 2)
    written = list(unpack(LakeHook().read(manifest["ids"])))
    assert sorted(row["ind"] for row in written) == [1, 2, 2]
    assert len({(row["partition"], row["offset"]) for row in written}) == 3
    ends = {str(row["partition"]): row["offset"] for row in written}
    assert {partition: span["last"] for partition, span in manifest["partitions"].items()} == ends


def test_of_a_row_too_large_its_id_size_and_digest_are_sent_and_the_row_is_kept_whole(
    bucket: str,
    source: dict[str, Any],
    brokers: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({"max_row_bytes": 1_000, "transport": "direct"}))
    sent: dict[int, bytes] = {}
    send = AcknowledgedWriter.send

    def seen(self: AcknowledgedWriter, ind: int, value: bytes) -> None:
        sent[ind] = value
        send(self, ind, value)

    monkeypatch.setattr(AcknowledgedWriter, "send", seen)
    source["posts"] = [{"ind": ind, "post_ts": datetime(2022, 10, 15, ind)} for ind in (1, 2, 3)]
    selected = SelectPostsOperator(task_id="select_posts").execute(context())
    # the second is exactly as large as allowed: {"index":2,"title":"..."}
    rows = {ind: {"index": ind, "title": "é" * length} for ind, length in ((1, 1), (2, 489), (3, 490))}
    source["rows"] = list(rows.values())
    manifest = MySqlToKafkaOperator(task_id="pin", table="pin", selected=selected).execute(context())
    assert manifest["count"] == 3
    line = wire(rows[3])
    assert [len(wire(row)) for row in rows.values()] == [24, 1_000, 1_002]
    assert [sent[1], sent[2]] == [wire(rows[1]), wire(rows[2])]
    assert json.loads(sent[3]) == {
        "index": 3,
        "pinflow_oversize": {"bytes": 1_002, "limit": 1_000, "sha256": sha256(line).hexdigest()},
    }
    kept = manifest["ids"].replace("/1.jsonl.gz", "/1.oversize.jsonl.gz")
    assert gzip.decompress(LakeHook().read(kept)) == b'{"ind":3,"row":' + line + b"}\n"
    (warning,) = [line for line in capsys.readouterr().out.splitlines() if "max_row_bytes=1000" in line]
    assert "1 rows of more than" in warning
    assert kept in warning


def test_a_cleared_emulate_whose_ids_are_gone_says_to_select_again(
    bucket: str, source: dict[str, Any]
) -> None:
    selected = {"posts": f"s3://{bucket}/manifests/posts/w/r/1.jsonl.gz", "run": "r", "count": 1}
    emulate = MySqlToKafkaOperator(task_id="pin", table="pin", selected=selected)
    with pytest.raises(
        ObjectGoneError, match=r"1\.jsonl\.gz is no longer.*Repair: clear `select_posts`.*#gone"
    ):
        emulate.execute(context())
    emulate.selected["posts"] = "s3://no-such-bucket/x"
    with pytest.raises(LakeError, match="NoSuchBucket"):
        emulate.execute(context())


@pytest.mark.parametrize(
    ("newest", "logical_date", "done"),
    [
        (datetime(2022, 10, 16), DAY, True),
        (datetime(2022, 10, 15, 23), DAY, True),
        (None, DAY, True),
        (datetime(2022, 10, 15, 23), datetime.now(UTC) + timedelta(days=2), False),
        (SourceUnavailableError("down.", "wait."), DAY, False),
    ],
    ids=["past the end", "old window", "empty source", "window not over", "source down"],
)
def test_the_source_is_waited_for_until_it_is_past_the_window_or_the_window_is_old(
    bucket: str, source: dict[str, Any], newest: Any, logical_date: datetime, done: bool
) -> None:
    source["newest"] = newest
    run = context(logical_date)
    run["dag_run"].run_type = "scheduled"
    assert NewPostsSensor(task_id="wait").poke(run) is done


def test_a_wait_that_ends_in_vain_says_what_to_check(
    bucket: str, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def timeout(*_: Any) -> None:
        raise AirflowSensorTimeout("Sensor has timed out")

    monkeypatch.setattr("airflow.providers.common.compat.sdk.BaseSensorOperator.execute", timeout)
    with pytest.raises(SourceBehindError, match=r"2022-10-15.*Repair: .*runbook\.md#source-behind"):
        NewPostsSensor(task_id="wait").execute(context())
    manifest = {"table": "geo", "topic": "x.geo", "partitions": {}, "window_start": "", "window_end": ""}
    manifest |= {"run": "r", "selected": 1, "count": 1, "posts": "", "ids": ""}
    with pytest.raises(LandingError, match=r"`x\.geo`.*Repair: .*clear emulate\.geo.*runbook\.md#landing"):
        KafkaOffsetsS3KeySensor(task_id="land", manifest=manifest).execute(context())


def test_spark_code_is_uploaded_once(bucket: str) -> None:
    upload = UploadSparkCodeOperator(task_id="upload")
    where = upload.execute(context())
    lake = LakeHook()
    assert lake.exists(where["wheel"])
    assert lake.exists(f"{where['jobs']}/clean.py")
    stored = lake.head_object(where["wheel"].split("/", 3)[3], bucket)["LastModified"]
    assert upload.execute(context()) == where
    assert lake.head_object(where["wheel"].split("/", 3)[3], bucket)["LastModified"] == stored


def test_a_connection_that_is_not_defined_names_itself(bucket: str) -> None:
    with pytest.raises(ConnectionMissingError, match=r"`pinterest_rds` is not defined.*Repair: "):
        SourceHook().get_conn()
