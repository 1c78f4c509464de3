"""Quarantined rows after a repair of the contract: what moves, what stays, and every place where it can stop."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from pinspark import delta, publish, replay
from pinspark.contracts import TABLES, Contract, parse_contract
from tests.include.conftest import Lake, make_lake
from tests.include.landed import Landing, Row, geo_row, pin_row, user_row, wire
from tests.include.spark.jobs.conftest import Run, landings, load

CONTRACTS = Path(__file__).resolve().parents[4] / "include" / "contracts"
REPAIRED = {"pin": "category", "geo": "country", "user": "age"}
State = dict[str, list[Any]]


@pytest.fixture(scope="module")
def lake(spark: SparkSession) -> Lake:
    """Schemas of our own: a replay without params looks at every day."""
    return make_lake(spark, Lake(*(f"`12e8_replay_{name}`" for name in ("stage", "silver", "gold", "ops"))))


@pytest.fixture(scope="module")
def manifests(run_job: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """A published window of three days, poisoned on two of them."""
    made = landings(tmp_path_factory.mktemp("replay"), "2022-10-15", "2022-10-18", "aaaa00000001")
    poison(made, "2022-10-15")
    poison(made, "2022-10-17")
    manifests = [landing.manifest() for landing in made.values()]
    load(run_job, manifests)
    return manifests


@pytest.fixture(scope="module")
def loaded(spark: SparkSession, lake: Lake, manifests: list[Row]) -> dict[str, int]:
    """The version of each table as it was published."""
    return versions(spark, lake)


@pytest.fixture(autouse=True)
def restored(spark: SparkSession, lake: Lake, loaded: dict[str, int]) -> None:
    for table, version in versions(spark, lake).items():
        if version != loaded[table]:
            spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF {loaded[table]}")
            loaded[table] = version + 1


def versions(spark: SparkSession, lake: Lake) -> dict[str, int]:
    tables = [*(f"{lake.silver}.`{table}`" for table in (*TABLES, "quarantine")), f"{lake.ops}.ledger"]
    return {table: spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()[0].version for table in tables}


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


def poison(made: dict[str, Landing], day: str) -> None:
    """Send a day: posts 1 and 2 are good, 3 and 4 can be repaired, 5 and 6 cannot; and foreign junk."""
    pin, geo, user = (made[table] for table in TABLES)
    shift = 100 * int(day[-2:])
    time = {"timestamp": f"{day}T01:02:03"}
    for ind in (shift + 1, shift + 2):
        for landing in made.values():
            landing.own(ind, day=day)
    for ind in (shift + 3, shift + 4):
        pin.own(ind, without(pin_row(ind, title=f"title \u2028 😀 {ind}"), "category"), day)
        geo.own(ind, without(geo_row(ind, **time), "country"), day)
        user.own(ind, without(user_row(ind), "age"), day)
    for ind in (shift + 5, shift + 6):
        pin.own(ind, without(pin_row(ind, title=7), "category"), day)
        geo.own(ind, wire(geo_row(ind, **time)).replace(b'"Cuba"', b'"\xff"'), day)
        user.own(ind, wire(user_row(ind, age="old")), day)
    pin.foreign(b'{"index": no row of anybody ' + day.encode())


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


def choice(days: list[str] | None = None, table: str | None = None, reason: str | None = None) -> str:
    return json.dumps({"days": days, "table": table, "reason": reason})


def test_without_a_repair_nothing_moves_and_nothing_is_written(
    run_job: Run, spark: SparkSession, lake: Lake
) -> None:
    before, written = state(spark, lake), versions(spark, lake)
    result = run_job("replay", choice=choice())
    assert (result["moved"], result["refused"], result["published"], result["inexact"]) == (0, 24, 0, [])
    assert (state(spark, lake), versions(spark, lake)) == (before, written)


def test_exactly_the_repaired_rows_move_and_the_others_get_their_present_reasons(
    run_job: Run, spark: SparkSession, lake: Lake, repair: Callable[[], None]
) -> None:
    before, was = state(spark, lake), quarantined(spark, lake)
    repair()
    result = run_job("replay", choice=choice())
    assert (result["moved"], result["refused"], result["published"], result["inexact"]) == (12, 12, 0, [])
    after = state(spark, lake)
    for table in TABLES:
        assert ids(spark, lake, table) == [1501, 1502, 1503, 1504, 1701, 1702, 1703, 1704]
        assert all(row in after[table] for row in before[table]), "published rows stay as they were"
    (row,) = spark.table(f"{lake.silver}.pin").where("ind = 1504").collect()
    assert (row.title, row.category, row.follower_count) == ("title \u2028 😀 1504", None, 12_000)
    assert row.post_date == date(2022, 10, 15)
    now = quarantined(spark, lake)
    assert set(now) == {(table, ind) for table in TABLES for ind in (1505, 1506, 1705, 1706)}
    assert was["pin", 1505].reasons == ["title: 7 is not a text", "category: missing"]
    assert (now["pin", 1505].reasons, now["pin", 1505].columns) == (["title: 7 is not a text"], ["title"])
    assert now["geo", 1505] == was["geo", 1505]
    assert (now["geo", 1505].reasons, now["geo", 1505].raw[:7]) == (["row: not UTF-8"], "base64:")
    foreign = [row for row in before["quarantine"] if "foreign" in row]
    assert len(foreign) == 2
    assert [row for row in after["quarantine"] if "foreign" in row] == foreign
    assert_exact(spark, lake)
    assert "2022-10-15 pin: 2 moved to silver, were refused for: category: missing" in result["log"]
    still = "2022-10-17 user: 2 still refused for: age: ... is not an INT"
    assert any(line.startswith(still) for line in result["log"])
    assert not any("old" in line for line in result["log"]), "values of rows are no part of the log"
    written = versions(spark, lake)
    assert run_job("replay", choice=choice())["moved"] == 0
    assert versions(spark, lake) == written


@pytest.mark.long
def test_days_table_and_reason_choose_and_their_text_is_no_pattern(
    run_job: Run, spark: SparkSession, lake: Lake, repair: Callable[[], None]
) -> None:
    repair()
    for reason in ("missing' OR '1' = '1", "%missing%", "MISSING"):
        assert run_job("replay", choice=choice(table="pin", reason=reason))["moved"] == 0
    assert run_job("replay", choice=choice(["2022-10-16", "2022-10-16"]))["moved"] == 0
    result = run_job("replay", choice=choice(["2022-10-15", "2022-10-16"], "pin", "category: missing"))
    assert (result["moved"], result["refused"]) == (2, 2)
    assert ids(spark, lake, "pin") == [1501, 1502, 1503, 1504, 1701, 1702]
    assert ids(spark, lake, "geo") == [1501, 1502, 1701, 1702]
    assert run_job("replay", choice=choice(reason="age: missing"))["moved"] == 4
    assert run_job("replay", choice=choice(["2022-10-17", "2022-10-17"]))["moved"] == 4
    assert run_job("replay", choice=choice(table="geo"))["moved"] == 2
    assert_exact(spark, lake)


@pytest.mark.long
def test_a_row_that_would_stop_an_audit_stays_in_quarantine_and_says_why(
    run_job: Run, spark: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = yaml.safe_load((CONTRACTS / "pin.yaml").read_text())
    (field,) = (each for each in data["source"] if each["name"] == "category")
    field["required"] = False
    data["rows"] = [
        {"rule": "not_1503", "expect": "ind <> 1503", "action": "fail", "doc": "nobody is 1503"},
        {"rule": "not_1504", "expect": "ind <> 1504", "action": "warn", "doc": "nobody should be 1504"},
    ]
    stern = parse_contract(data, "pin.yaml")
    monkeypatch.setattr(replay, "load_contract", lambda _: stern)
    result = run_job("replay", choice=choice(table="pin"))
    assert (result["moved"], result["refused"], result["inexact"]) == (3, 5, [])
    assert ids(spark, lake, "pin") == [1501, 1502, 1504, 1701, 1702, 1703, 1704]
    row = quarantined(spark, lake)["pin", 1503]
    assert (row.columns, row.reasons) == (["index"], ["not_1503: nobody is 1503"])
    assert_exact(spark, lake)


@pytest.mark.parametrize("cut", ["settle_quarantine", "follow_tables"])
@pytest.mark.long
def test_a_replay_that_dies_between_two_writes_is_healed_by_the_next(
    run_job: Run, spark: SparkSession, lake: Lake, repair: Callable[[], None], cut: str
) -> None:
    repair()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, cut, _die)
        with pytest.raises(ZeroDivisionError):
            run_job("replay", choice=choice(table="pin"))
    assert run_job("replay", choice=choice(table="pin"))["inexact"] == []
    assert_exact(spark, lake)
    assert ids(spark, lake, "pin") == [1501, 1502, 1503, 1504, 1701, 1702, 1703, 1704]
    assert len(quarantined(spark, lake, "kind = 'own' AND source_table = 'pin'")) == 4


def _die(*_: Any) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("cut", ["publish_repaired", "settle_quarantine", "follow_tables"])
@pytest.mark.long
def test_a_batch_that_publishes_the_days_between_two_writes_leaves_no_half_state(
    run_job: Run,
    spark: SparkSession,
    lake: Lake,
    manifests: list[Row],
    repair: Callable[[], None],
    cut: str,
) -> None:
    repair()
    then, batches = getattr(replay, cut), [manifests]

    def publish_first(*given: Any) -> Any:
        if batches:
            run_job("publish", batches.pop())
        return then(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, cut, publish_first)
        assert run_job("replay", choice=choice(table="user"))["inexact"] == []
    assert_exact(spark, lake)
    run_job("replay", choice=choice(table="user"))
    assert_exact(spark, lake)
    assert ids(spark, lake, "user") == [1501, 1502, 1503, 1504, 1701, 1702, 1703, 1704]


@pytest.mark.long
def test_a_batch_that_was_disturbed_by_a_replay_replaces_its_days_again(
    run_job: Run, spark: SparkSession, lake: Lake, manifests: list[Row], repair: Callable[[], None]
) -> None:
    published = state(spark, lake)
    repair()
    count, disturbers = publish.ledger_days, [run_job]

    def replay_first(*given: Any) -> Any:
        if disturbers:
            assert disturbers.pop()("replay", choice=choice(table="geo"))["moved"] == 4
        return count(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "ledger_days", replay_first)
        run_job("publish", manifests)
    assert not disturbers
    assert state(spark, lake) == published
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "disturbed", lambda *_: True)
        patch.setattr(publish, "TRIES", 1)
        with pytest.raises(publish.PublishDisturbedError, match=r"\[2022-10-15, 2022-10-18\).*Repair: "):
            run_job("publish", manifests)


def test_what_is_published_under_the_id_wins_and_no_post_stands_in_silver_twice(
    run_job: Run, spark: SparkSession, lake: Lake, repair: Callable[[], None]
) -> None:
    spark.sql(
        f"INSERT INTO {lake.silver}.user SELECT 1503, 'Another', 1, date_joined, DATE'2022-10-20' "
        f"FROM {lake.silver}.user WHERE ind = 1501"
    )
    repair()
    result = run_job("replay", choice=choice(table="user"))
    assert (result["moved"], result["published"], result["inexact"]) == (3, 1, [])
    rows = spark.table(f"{lake.silver}.user").where("ind = 1503").collect()
    assert [(row.user_name, row.post_date) for row in rows] == [("Another", date(2022, 10, 20))]
    assert ("user", 1503) in quarantined(spark, lake)
    assert any("1 stay, silver does not hold them" in line for line in result["log"])


def test_an_id_that_is_quarantined_under_two_days_is_published_once_under_the_later(
    run_job: Run, spark: SparkSession, lake: Lake, repair: Callable[[], None]
) -> None:
    spark.sql(
        f"INSERT INTO {lake.silver}.quarantine SELECT source_table, ind, kind, columns, reasons, raw, key, line, "
        f"doubles, foreign_doubles, DATE'2022-10-20' FROM {lake.silver}.quarantine WHERE ind = 1503"
    )
    repair()
    result = run_job("replay", choice=choice(table="geo"))
    assert (result["moved"], result["published"]) == (4, 1)
    rows = spark.table(f"{lake.silver}.geo").where("ind = 1503").collect()
    assert [row.post_date for row in rows] == [date(2022, 10, 20)]


def test_a_write_that_lost_against_another_is_found_anew_and_tried_again(
    run_job: Run, spark: SparkSession, lake: Lake, repair: Callable[[], None]
) -> None:
    repair()
    merge, tried = replay.merge, []

    def lose_first(session: SparkSession, rows: Any, target: str, *given: Any) -> None:
        tried.append(target)
        if tried.count(target) == 1:
            raise RuntimeError("[DELTA_CONCURRENT_APPEND] Transaction conflict detected")
        merge(session, rows, target, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "merge", lose_first)
        patch.setattr(delta, "FIRST_PAUSE_SECONDS", 0)
        assert run_job("replay", choice=choice(table="pin"))["moved"] == 4
    targets = (f"{lake.silver}.`pin`", f"{lake.silver}.quarantine", f"{lake.ops}.ledger")
    assert [tried.count(target) for target in targets] == [2, 2, 2]
    assert_exact(spark, lake)


def test_an_empty_choice_is_said(run_job: Run) -> None:
    result = run_job("replay", choice=choice(["2022-10-16", "2022-10-16"]))
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
