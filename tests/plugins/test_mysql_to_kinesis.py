"""The operators from the source to the streams, with the lake in moto and the local Kinesis endpoint."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pinflow import live
from pinflow.errors import LiveError
from pinflow.hooks.lake import LakeHook
from pinflow.hooks.source import KEY, SourceHook
from pinflow.hooks.stream_writer import StreamWriter
from pinflow.manifest import unpack
from pinflow.operators.mysql_to_kinesis import MySqlToKinesisOperator
from pinflow.operators.select_stream_posts import SelectStreamPostsOperator
from pinflow.sensors.new_posts import NewPostsSensor
from pinflow.window import Window
from tests.devstack.kinesis.conftest import Kinesis
from tests.plugins.streams import Arrived, endpoint, fill

HOUR = datetime(2022, 10, 15, 13, tzinfo=UTC)
USERS = "streaming-12e834567890-user"


def context(run_id: str = "r", **params: Any) -> Any:
    run = SimpleNamespace(
        dag_id="pinterest_stream", run_id=run_id, run_type="manual", logical_date=HOUR,
        run_after=datetime.now(UTC),
    )  # fmt: skip
    ti = SimpleNamespace(dag_id="pinterest_stream", run_id=run_id, task_id="t", map_index=-1, try_number=1)
    return {"dag_run": run, "ti": ti, "params": params}


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> dict[int, datetime]:
    """Posts by id; each table has a row for each of them, in the order of the ids."""
    posts: dict[int, datetime] = {}

    def window_posts(_: SourceHook, window: Window) -> Iterator[dict[str, Any]]:
        for ind, post_ts in posts.items():
            if window.start <= post_ts.replace(tzinfo=UTC) < window.end:
                yield {"ind": ind, "post_ts": post_ts}

    def table_rows(_: SourceHook, table: str, ids: Collection[int]) -> Iterator[dict[str, Any]]:
        yield from ({KEY[table]: ind, "age": ind % 60} for ind in sorted(posts) if ind in ids)

    def every_post(_: SourceHook) -> Iterator[dict[str, Any]]:
        yield from ({"ind": ind, "post_ts": post_ts} for ind, post_ts in posts.items())

    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_RDS", "mysql://u:p@db:3306/pinterest_data")
    monkeypatch.setattr(SourceHook, "compare_columns", lambda _: [])
    monkeypatch.setattr(SourceHook, "posts", window_posts)
    monkeypatch.setattr(SourceHook, "rows", table_rows)
    monkeypatch.setattr(SourceHook, "every_post", every_post)
    return posts


@pytest.fixture
def service(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinesis]:
    with endpoint(tmp_path, monkeypatch, lake=True) as served:
        served.client.create_stream(StreamName=USERS, ShardCount=2)
        yield served


def posts_of_the_hour(source: dict[int, datetime], count: int) -> None:
    source |= {ind: datetime(2022, 10, 15, 13) + timedelta(seconds=ind) for ind in range(1, count + 1)}
    source |= {0: datetime(2022, 10, 15, 12, 59, 59), 9_999: datetime(2022, 10, 15, 14)}


def select(**params: Any) -> dict[str, Any]:
    selected: dict[str, Any] = SelectStreamPostsOperator(task_id="select_posts").execute(context(**params))
    return selected


def frozen(selected: dict[str, Any]) -> list[int]:
    return [post["ind"] for post in unpack(LakeHook().read(selected["posts"]))]


def emulate(selected: dict[str, Any], **params: Any) -> dict[str, Any]:
    operator = MySqlToKinesisOperator(task_id="user", table="user", selected=selected)
    # a clock of its own, so that nothing here waits
    operator.clock, operator.sleep = (lambda: 0.0), lambda _: None
    manifest: dict[str, Any] = operator.execute(context(**params))
    return manifest


def test_the_posts_of_an_hour_reach_every_shard_and_the_id_file_holds_their_places(
    service: Kinesis, source: dict[int, datetime], capsys: pytest.CaptureFixture[str]
) -> None:
    posts_of_the_hour(source, 100)
    fill(service, USERS, 990, key="0")
    selected = select()
    assert (selected["count"], selected["window_start"], selected["window_end"]) == (
        100, "2022-10-15T13:00:00Z", "2022-10-15T14:00:00Z",
    )  # fmt: skip
    assert "seconds" not in selected
    manifest = emulate(selected)
    assert {k: v for k, v in manifest.items() if k not in ("shards", "ids")} == {
        "table": "user",
        "stream": USERS,
        "window_start": "2022-10-15T13:00:00Z",
        "window_end": "2022-10-15T14:00:00Z",
        "run": selected["run"],
        "selected": 100,
        "count": 100,
        "posts": selected["posts"],
    }
    assert manifest["ids"].endswith(
        f"manifests/user/20221015T130000Z_20221015T140000Z/{selected['run']}/1.jsonl.gz"
    )
    written = list(unpack(LakeHook().read(manifest["ids"])))
    assert set(written[0]) == {"ind", "post_ts", "shard", "sequence"}
    arrived = Arrived(service, USERS)
    assert {(row["ind"], row["shard"], row["sequence"]) for row in written} <= arrived.places()
    assert arrived.ids() == Counter({0: 990, **dict.fromkeys(range(1, 101), 1)})
    assert next(row for row in written if row["ind"] == 7)["post_ts"] == "2022-10-15T13:00:07Z"
    assert json.loads(arrived.of(7)[0]) == {"ind": 7, "age": 7}
    assert set(manifest["shards"]) == {"shardId-000000000000", "shardId-000000000001"}
    for shard, span in manifest["shards"].items():
        numbers = [int(row["sequence"]) for row in written if row["shard"] == shard]
        assert span == {"first": str(min(numbers)), "last": str(max(numbers)), "count": len(numbers)}
    said = capsys.readouterr().out
    assert "'count':" in said
    resent = next(line for line in said.splitlines() if "records were sent again" in line)
    assert "user: 0 records" not in resent


def test_an_empty_hour_hands_on_an_empty_manifest(service: Kinesis, source: dict[int, datetime]) -> None:
    manifest = emulate(select())
    assert (manifest["selected"], manifest["count"], manifest["shards"]) == (0, 0, {})
    assert list(unpack(LakeHook().read(manifest["ids"]))) == []


def test_an_hour_at_a_rate_is_sent_whole(service: Kinesis, source: dict[int, datetime]) -> None:
    posts_of_the_hour(source, 30)
    assert emulate(select(), rate=10)["count"] == 30
    assert Arrived(service, USERS).ids() == Counter(range(1, 31))


def test_a_row_too_large_goes_as_its_size_and_digest(
    service: Kinesis, source: dict[int, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({"max_row_bytes": 1_000, "transport": "direct"}))
    posts_of_the_hour(source, 1)
    monkeypatch.setattr(SourceHook, "rows", lambda *_: iter([{"ind": 1, "first_name": "x" * 1_000}]))
    manifest = emulate(select())
    (sent,) = Arrived(service, USERS).of(1)
    assert json.loads(sent)["pinflow_oversize"]["limit"] == 1_000
    assert LakeHook().exists(manifest["ids"].replace("/1.jsonl.gz", "/1.oversize.jsonl.gz"))


def test_two_live_runs_draw_different_sequences_of_all_posts_and_each_is_sent_in_its_order(
    service: Kinesis, source: dict[int, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    source |= {ind: datetime(2018, 1, 1) + timedelta(days=ind) for ind in range(1_000)}
    params = {"mode": "live", "rate": 10, "seconds": 5}
    runs = [select(run_id=run_id, **params) for run_id in ("one", "two")]
    orders = [frozen(selected) for selected in runs]
    assert orders[0] != orders[1]
    assert all(len(order) == len(set(order)) == 50 for order in orders)
    assert runs[0]["seconds"] == 5
    assert (runs[0]["window_start"], runs[0]["count"]) == ("2022-10-15T13:00:00Z", 50)

    sent: list[int] = []
    send = StreamWriter.send

    def seen(self: StreamWriter, ind: int, value: bytes) -> None:
        sent.append(ind)
        send(self, ind, value)

    monkeypatch.setattr(StreamWriter, "send", seen)
    for selected, order in zip(runs, orders, strict=True):
        sent.clear()
        manifest = emulate(selected, **params)
        assert sent == order
        assert (manifest["selected"], manifest["count"]) == (50, 50)
    assert Arrived(service, USERS).ids() == Counter(orders[0]) + Counter(orders[1])


def test_a_live_run_over_few_posts_sends_them_again(service: Kinesis, source: dict[int, datetime]) -> None:
    source |= {ind: datetime(2018, 1, 1) for ind in range(3)}
    params = {"mode": "live", "rate": 10, "seconds": 1}
    selected = select(**params)
    assert selected["count"] == 3
    manifest = emulate(selected, **params)
    assert (manifest["selected"], manifest["count"]) == (3, 3)
    assert sum(span["count"] for span in manifest["shards"].values()) == 10
    assert Arrived(service, USERS).ids() == Counter(frozen(selected))


def test_a_live_run_is_paced_and_ends_when_its_time_is_over(
    service: Kinesis, source: dict[int, datetime], capsys: pytest.CaptureFixture[str]
) -> None:
    source |= {ind: datetime(2018, 1, 1) for ind in range(200)}
    params = {"mode": "live", "rate": 10, "seconds": 20}
    operator = MySqlToKinesisOperator(task_id="user", table="user", selected=select(**params))
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    operator.clock, operator.sleep = (lambda: now[0]), sleep
    assert operator.execute(context(**params))["count"] == 200
    assert slept == [0.2] * 99
    capsys.readouterr()

    def stalls() -> float:  # each look at the clock finds a second gone
        now[0] += 1
        return now[0]

    operator.clock = stalls
    manifest = operator.execute(context(**params))
    assert 0 < manifest["count"] < 200
    said = capsys.readouterr().out
    assert f"of 200 rows were not sent in {20 + live.GRACE_SECONDS:g} s. Repair: lower the rate" in said


def test_the_rate_of_the_task_goes_before_the_one_of_the_run(
    service: Kinesis, source: dict[int, datetime]
) -> None:
    posts_of_the_hour(source, 10)
    operator = MySqlToKinesisOperator(task_id="user", table="user", selected=select(), rate="5")
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    operator.clock, operator.sleep = (lambda: now[0]), sleep
    operator.execute(context(rate=1_000))
    assert round(now[0], 6) == 1.8
    operator.rate = "fast"
    with pytest.raises(LiveError, match="'fast'"):
        operator.execute(context())


def test_a_live_run_waits_for_no_window(service: Kinesis, source: dict[int, datetime]) -> None:
    assert NewPostsSensor(task_id="wait", span="hour").poke(context(mode="live", rate=1, seconds=1)) is True
    with pytest.raises(LiveError):
        NewPostsSensor(task_id="wait", span="hour").poke(context(mode="lively"))


def test_the_source_is_waited_for_until_the_hour_is_over(
    service: Kinesis, source: dict[int, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = context()
    run["dag_run"].run_type = "scheduled"
    run["dag_run"].logical_date = datetime.now(UTC) + timedelta(hours=1)
    newest = Window.hour(run["dag_run"].logical_date).end.replace(tzinfo=None)
    monkeypatch.setattr(SourceHook, "newest_post", lambda _: newest - timedelta(seconds=1))
    assert NewPostsSensor(task_id="wait", span="hour").poke(run) is False
    monkeypatch.setattr(SourceHook, "newest_post", lambda _: newest + timedelta(hours=1))
    assert NewPostsSensor(task_id="wait", span="hour").poke(run) is True
    assert NewPostsSensor(task_id="wait").span == "day"
