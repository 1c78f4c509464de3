"""Quarantined rows after a repair of the contract: what moves, what stays, and every place where it can stop."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from pinspark import publish, replay
from pinspark.contracts import TABLES, Contract, load_contract, parse_contract
from tests.include.conftest import Lake, make_lake
from tests.include.landed import Row, geo_row, pin_row, user_row, wire
from tests.include.spark.jobs.conftest import Run, landings, load

CONTRACTS = Path(__file__).resolve().parents[4] / "include" / "contracts"
REPAIRED = {"pin": "category", "geo": "country", "user": "age"}
State = dict[str, list[Any]]


@pytest.fixture(scope="module")
def lake(spark: SparkSession) -> Lake:
    """Schemas of our own: a replay without params looks at every day."""
    return make_lake(spark, Lake(*(f"`12e8_replay_{name}`" for name in ("stage", "silver", "gold", "ops"))))


@pytest.fixture(autouse=True)
def empty(spark: SparkSession, lake: Lake) -> Iterator[None]:
    yield
    for table in (*(f"{lake.silver}.`{name}`" for name in (*TABLES, "quarantine")), f"{lake.ops}.ledger"):
        spark.sql(f"DELETE FROM {table}")


@pytest.fixture
def repair(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make one field of each frame optional, which was due before."""

    def repaired(table: str) -> Contract:
        data = yaml.safe_load((CONTRACTS / f"{table}.yaml").read_text())
        (field,) = (each for each in data["source"] if each["name"] == REPAIRED[table])
        field["required"] = False
        return parse_contract(data, f"{table}.yaml")

    return lambda: monkeypatch.setattr(replay, "load_contract", repaired)


def without(row: Row, name: str) -> bytes:
    return wire({key: value for key, value in row.items() if key != name})


def publish_poisoned(
    run_job: Run, folder: Path, day: str = "2022-10-15", run: str = "aaaa00000001"
) -> list[Row]:
    """Publish a day: posts 1 and 2 are good, 3 and 4 can be repaired, 5 and 6 cannot; and foreign junk."""
    after = f"{day[:-2]}{int(day[-2:]) + 1:02d}"
    made = landings(folder, day, after, run)
    pin, geo, user = (made[table] for table in TABLES)
    shift = 100 * int(day[-2:])
    time = {"timestamp": f"{day}T01:02:03"}
    for ind in (shift + 1, shift + 2):
        for landing in made.values():
            landing.own(ind)
    for ind in (shift + 3, shift + 4):
        pin.own(ind, without(pin_row(ind, title=f"title \u2028 😀 {ind}"), "category"))
        geo.own(ind, without(geo_row(ind, **time), "country"))
        user.own(ind, without(user_row(ind), "age"))
    for ind in (shift + 5, shift + 6):
        pin.own(ind, without(pin_row(ind, title=7), "category"))
        geo.own(ind, wire(geo_row(ind, **time)).replace(b'"Cuba"', b'"\xff"'))
        user.own(ind, wire(user_row(ind, age="old")))
    pin.foreign(b'{"index": no row of anybody')
    manifests = [landing.manifest() for landing in made.values()]
    load(run_job, manifests)
    return manifests


def state(spark: SparkSession, lake: Lake) -> State:
    found: State = {}
    for table in (*TABLES, "quarantine"):
        found[table] = sorted(map(tuple, spark.table(f"{lake.silver}.`{table}`").collect()), key=repr)
    found["ledger"] = sorted(map(tuple, spark.table(f"{lake.ops}.ledger").collect()), key=repr)
    return found


def quarantined(spark: SparkSession, lake: Lake, where: str = "kind = 'own'") -> dict[tuple[str, int], Any]:
    rows = spark.table(f"{lake.silver}.quarantine").where(where).collect()
    return {(row.source_table, row.ind): row for row in rows}


def ids(spark: SparkSession, lake: Lake, table: str) -> list[int]:
    return sorted(row.ind for row in spark.table(f"{lake.silver}.`{table}`").select("ind").collect())


def assert_exact(spark: SparkSession, lake: Lake, posts: int = 6) -> None:
    """No post is lost, none stands twice, and the ledger says of every day what the tables hold."""
    rows = spark.table(f"{lake.ops}.ledger").where("acknowledged > 0").collect()
    own = quarantined(spark, lake)
    for row in rows:
        silver = spark.table(f"{lake.silver}.`{row.source_table}`").where(
            f"post_date = DATE'{row.post_date}'"
        )
        held = [each.ind for each in silver.collect()]
        refused = [
            ind
            for (table, ind), each in own.items()
            if (table, each.post_date) == (row.source_table, row.post_date)
        ]
        assert (len(held), len(refused)) == (row.silver, row.quarantined)
        assert len({*held, *refused}) == row.acknowledged == row.selected == posts


def commits(spark: SparkSession, lake: Lake) -> list[int]:
    tables = [*(f"{lake.silver}.`{table}`" for table in (*TABLES, "quarantine")), f"{lake.ops}.ledger"]
    return [spark.sql(f"DESCRIBE HISTORY {table}").count() for table in tables]


def choice(days: list[str] | None = None, table: str | None = None, reason: str | None = None) -> str:
    return json.dumps({"days": days, "table": table, "reason": reason})


def test_without_a_repair_nothing_moves_and_nothing_is_written(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    publish_poisoned(run_job, tmp_path)
    before, versions = state(spark, lake), commits(spark, lake)
    result = run_job("replay", choice=choice())
    assert (result["moved"], result["refused"], result["published"], result["inexact"]) == (0, 12, 0, [])
    assert (state(spark, lake), commits(spark, lake)) == (before, versions)


def test_exactly_the_repaired_rows_move_and_the_others_get_their_present_reasons(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None]
) -> None:
    publish_poisoned(run_job, tmp_path)
    before, was = state(spark, lake), quarantined(spark, lake)
    repair()
    result = run_job("replay", choice=choice())
    assert (result["moved"], result["refused"], result["published"], result["inexact"]) == (6, 6, 0, [])
    for table in TABLES:
        assert ids(spark, lake, table) == [1501, 1502, 1503, 1504]
        assert set(before[table]) <= set(state(spark, lake)[table]), "published rows stay as they were"
    (row,) = spark.table(f"{lake.silver}.pin").where("ind = 1504").collect()
    assert (row.title, row.category, row.follower_count) == ("title \u2028 😀 1504", None, 12_000)
    assert row.post_date == date(2022, 10, 15)
    now = quarantined(spark, lake)
    assert set(now) == {(table, ind) for table in TABLES for ind in (1505, 1506)}
    assert was["pin", 1505].reasons == ["title: 7 is not a text", "category: missing"]
    assert (now["pin", 1505].reasons, now["pin", 1505].columns) == (["title: 7 is not a text"], ["title"])
    assert now["geo", 1505] == was["geo", 1505]
    assert (now["geo", 1505].reasons, now["geo", 1505].raw[:7]) == (["row: not UTF-8"], "base64:")
    foreign = spark.table(f"{lake.silver}.quarantine").where("kind = 'foreign'").collect()
    assert [line.raw for line in foreign] == ['{"index": no row of anybody']
    assert_exact(spark, lake)
    assert "2022-10-15 pin: 2 moved to silver, were refused for: category: missing" in result["log"]
    assert any(
        line.startswith("2022-10-15 user: 2 still refused for: age: ... is not an INT")
        for line in result["log"]
    )
    assert not any("old" in line for line in result["log"]), "values of rows are no part of the log"
    versions = commits(spark, lake)
    assert run_job("replay", choice=choice())["moved"] == 0
    assert commits(spark, lake) == versions


def test_days_table_and_reason_choose_and_their_text_is_no_pattern(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None]
) -> None:
    publish_poisoned(run_job, tmp_path / "15")
    publish_poisoned(run_job, tmp_path / "17", "2022-10-17", "aaaa00000002")
    repair()
    for reason in ("missing' OR '1' = '1", "%missing%", "category. missing", "MISSING"):
        assert run_job("replay", choice=choice(reason=reason))["moved"] == 0
    assert run_job("replay", choice=choice(["2022-10-16", "2022-10-16"]))["moved"] == 0
    result = run_job("replay", choice=choice(["2022-10-15", "2022-10-16"], "pin", "category: missing"))
    assert (result["moved"], result["refused"]) == (2, 2)
    assert ids(spark, lake, "pin") == [1501, 1502, 1503, 1504, 1701, 1702]
    assert ids(spark, lake, "geo") == [1501, 1502, 1701, 1702]
    assert_exact(spark, lake)
    assert run_job("replay", choice=choice(reason="age: missing"))["moved"] == 4
    assert run_job("replay", choice=choice(["2022-10-17", "2022-10-17"]))["moved"] == 4
    assert run_job("replay", choice=choice(table="geo"))["moved"] == 2
    assert_exact(spark, lake)


@pytest.mark.parametrize("cut", ["settle_quarantine", "follow_tables"])
def test_a_replay_that_dies_between_two_writes_is_healed_by_the_next(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None], cut: str
) -> None:
    publish_poisoned(run_job, tmp_path)
    repair()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, cut, _die)
        with pytest.raises(ZeroDivisionError):
            run_job("replay", choice=choice())
    result = run_job("replay", choice=choice())
    assert result["inexact"] == []
    assert_exact(spark, lake)
    for table in TABLES:
        assert ids(spark, lake, table) == [1501, 1502, 1503, 1504]
    assert len(quarantined(spark, lake)) == 6


def _die(*_: Any) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("cut", ["publish_repaired", "settle_quarantine", "follow_tables"])
def test_a_batch_that_publishes_the_day_between_two_writes_leaves_no_half_state(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None], cut: str
) -> None:
    manifests = publish_poisoned(run_job, tmp_path)
    repair()
    then = getattr(replay, cut)

    def publish_first(*given: Any) -> Any:
        run_job("publish", manifests)
        return then(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, cut, publish_first)
        assert run_job("replay", choice=choice())["inexact"] == []
    assert_exact(spark, lake)
    run_job("replay", choice=choice())
    assert_exact(spark, lake)
    assert ids(spark, lake, "user") == [1501, 1502, 1503, 1504]


def test_a_batch_that_was_disturbed_by_a_replay_replaces_its_days_again(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None]
) -> None:
    manifests = publish_poisoned(run_job, tmp_path)
    published = state(spark, lake)
    repair()
    count, disturbers = publish.ledger_days, [run_job]

    def replay_first(*given: Any) -> Any:
        if disturbers:
            assert disturbers.pop()("replay", choice=choice())["moved"] == 6
        return count(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "ledger_days", replay_first)
        run_job("publish", manifests)
    assert state(spark, lake) == published
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "disturbed", lambda *_: True)
        with pytest.raises(publish.PublishDisturbedError, match=r"\[2022-10-15, 2022-10-16\).*Repair: "):
            run_job("publish", manifests)


def test_what_is_published_under_the_id_wins_and_no_post_stands_in_silver_twice(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None]
) -> None:
    publish_poisoned(run_job, tmp_path)
    spark.sql(
        f"INSERT INTO {lake.silver}.user "
        "SELECT 1503, 'Another', 1, date_joined, DATE'2022-10-17' FROM "
        f"{lake.silver}.user WHERE ind = 1501"
    )
    repair()
    result = run_job("replay", choice=choice())
    assert (result["moved"], result["published"]) == (5, 1)
    rows = spark.table(f"{lake.silver}.user").where("ind = 1503").collect()
    assert [(row.user_name, row.post_date) for row in rows] == [("Another", date(2022, 10, 17))]
    assert ("user", 1503) in quarantined(spark, lake)
    assert result["inexact"] == []


def test_an_id_that_is_quarantined_under_two_days_is_published_once_under_the_later(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None]
) -> None:
    publish_poisoned(run_job, tmp_path)
    spark.sql(
        f"INSERT INTO {lake.silver}.quarantine SELECT source_table, ind, kind, columns, reasons, raw, key, line, "
        f"doubles, foreign_doubles, DATE'2022-10-20' FROM {lake.silver}.quarantine WHERE ind = 1503"
    )
    repair()
    result = run_job("replay", choice=choice())
    assert (result["moved"], result["published"]) == (6, 3)
    for table in TABLES:
        rows = spark.table(f"{lake.silver}.`{table}`").where("ind = 1503").collect()
        assert [row.post_date for row in rows] == [date(2022, 10, 20)]


def test_a_write_that_lost_against_another_is_found_anew_and_tried_again(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, repair: Callable[[], None]
) -> None:
    publish_poisoned(run_job, tmp_path)
    repair()
    merge, tried = replay.merge, []

    def lose_first(session: SparkSession, rows: Any, target: str, *given: Any) -> None:
        tried.append(target)
        if tried.count(target) == 1:
            raise RuntimeError("[DELTA_CONCURRENT_APPEND] Transaction conflict detected")
        merge(session, rows, target, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "merge", lose_first)
        patch.setattr("time.sleep", lambda _: None)
        assert run_job("replay", choice=choice())["moved"] == 6
    assert tried.count(f"{lake.silver}.`pin`") == tried.count(f"{lake.ops}.ledger") == 2
    assert_exact(spark, lake)


def test_an_empty_quarantine_is_said(run_job: Run) -> None:
    result = run_job("replay", choice=choice())
    assert result["log"] == ["No row in quarantine is of these days, table and reason"]


def test_params_that_make_no_choice_are_refused_all_at_once() -> None:
    with pytest.raises(replay.ReplayError) as error:
        replay.parse_choice(
            json.dumps({"days": ["2022-10-16", "2022-10-15"], "table": "posts", "reason": ""})
        )
    for part in (
        "'posts' is none of pin, geo, user",
        "reason '' is no text",
        "before they start",
        "Repair: ",
    ):
        assert part in str(error.value)
    for days in (["2022-10-15"], ["2022-10-15", "yesterday"], "2022-10-15", [1, 2], ["2022-10-15'--", "x"]):
        with pytest.raises(replay.ReplayError, match="are not a first and a last day"):
            replay.parse_choice(json.dumps({"days": days}))
    assert replay.parse_choice("{}") == replay.Choice()
    assert load_contract("pin").table == "pin"
