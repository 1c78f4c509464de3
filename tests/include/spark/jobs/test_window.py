"""The three jobs over landed objects, as a run calls them: explicit parameters in, lines and a RESULT out."""

import json
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinspark.audit import AuditFailedError
from pinspark.checks import load_checks
from pinspark.contracts import TABLES, load_contract
from pinspark.manifest import parse_manifests
from pinspark.stage import LandingIncompleteError
from tests.include.conftest import Lake
from tests.include.landed import ROWS, Landing, Row, geo_row, pin_row, user_row, wire
from tests.include.spark.jobs.conftest import Run, landings, load

# what a contract says as a statement is a check, too
RULES = len(
    {(check.table, check.rule) for check in load_checks()}
    | {(table, rule.name) for table in TABLES for rule in load_contract(table).quality}
    | {(table, rule.rule) for table in TABLES for rule in load_contract(table).row_rules}
)


def stored(spark: SparkSession, lake: Lake, where: str) -> dict[str, list[tuple[Any, ...]]]:
    """Read everything published for some days, without what the next manifest may call differently."""
    found = {}
    for table in (*TABLES, "quarantine"):
        rows = spark.table(f"{lake.silver}.`{table}`").where(where).collect()
        found[table] = sorted((tuple(row) for row in rows), key=repr)
    rows = spark.table(f"{lake.ops}.ledger").where(where).collect()
    return found | {"ledger": sorted(tuple(row) for row in rows)}


def ledger(spark: SparkSession, lake: Lake, day: str) -> dict[str, dict[str, Any]]:
    rows = spark.table(f"{lake.ops}.ledger").where(f"post_date = DATE'{day}'").collect()
    assert len(rows) == len(TABLES)
    return {row.source_table: row.asDict() for row in rows}


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory, run_job: Run) -> tuple[list[Row], dict[str, Any]]:
    """Load 2022-10-14 and 2022-10-15 with everything a shared topic can hold."""
    made = landings(tmp_path_factory.mktemp("nasty"), "2022-10-14", "2022-10-16", "aaaa00000001")
    pin, geo, user = (made[table] for table in TABLES)
    pin.foreign(wire(pin_row(1, title="older, by somebody else")))
    for ind in (1, 2, 3):
        pin.own(ind, wire(pin_row(ind, title=f"ours {ind} \u2028 \r 😀")), "2022-10-15")
    pin.foreign(b'{"index":4,')
    pin.foreign(b"\xff\xfe not UTF-8")
    pin.foreign(wire(pin_row(900)))
    pin.foreign(wire(pin_row(901, title=5)))
    pin.foreign(wire(pin_row(2, title="newer, by somebody else")))
    pin.own(4, wire(pin_row(4, follower_count="many", title=7)), "2022-10-15", 1)
    pin.own(5, None, "2022-10-15", 1)
    pin.copy(1, pin.foreign(b"null", 1) - 1)
    for ind in (1, 2, 3, 4, 5):
        geo.own(ind, wire(geo_row(ind, latitude=100 if ind == 3 else 1.25)), "2022-10-15")
        if ind == 5:
            user.orphan(ind, "2022-10-15")
        else:
            user.own(ind, wire(user_row(ind)), "2022-10-15", ind % 3)
    manifests = [made[table].manifest() for table in TABLES]
    return manifests, load(run_job, manifests)


def test_clean_counts_rows_rejects_doubles_and_junk(nasty: tuple[list[Row], dict[str, Any]]) -> None:
    pin = nasty[1]["clean"]["pin"]
    assert {name: pin[name] for name in ("staged", "rejected", "doubles", "foreign_doubles", "foreign")} == {
        "staged": 4,
        "rejected": 1,
        "doubles": 1,
        "foreign_doubles": 2,
        "foreign": 3,
    }
    (line,) = pin["log"]
    assert line.startswith(
        "pin [2022-10-14, 2022-10-16): 5 acknowledged = 4 staged + 1 rejected; 1 doubles and 2"
    )


def test_silver_holds_the_latest_copy_of_our_posts_and_nobody_elses(
    spark: SparkSession, lake: Lake, nasty: tuple[list[Row], dict[str, Any]]
) -> None:
    rows = spark.table(f"{lake.silver}.pin").where("post_date = DATE'2022-10-15'").collect()
    assert {row.ind: row.title for row in rows} == {
        1: "ours 1 \u2028 \r 😀",
        2: "newer, by somebody else",
        3: "ours 3 \u2028 \r 😀",
        5: "title 5",
    }


def test_quarantine_holds_raw_text_columns_reasons_and_place(
    spark: SparkSession, lake: Lake, nasty: tuple[list[Row], dict[str, Any]]
) -> None:
    rows = spark.table(f"{lake.silver}.quarantine").where(
        "source_table = 'pin' AND post_date < DATE'2022-10-16'"
    )
    own, *foreign = sorted(rows.collect(), key=lambda row: (row.kind == "foreign", row.key, row.line))
    assert [own.ind, own.kind, own.columns, own.post_date] == [
        4,
        "own",
        ["title", "follower_count"],
        date(2022, 10, 15),
    ]
    assert own.reasons == [
        "title: 7 is not a text",
        "follower_count: 'many' is not a BIGINT (digits, then k or M)",
    ]
    assert own.raw.encode() == wire(pin_row(4, follower_count="many", title=7))
    assert own.key.endswith(
        "/topics/12e834567890.pin/partition=1/12e834567890.pin+1+00000000000000000040.json"
    )
    assert own.line == 0
    assert sorted(row.raw for row in foreign) == ["base64://4gbm90IFVURi04", "null", '{"index":4,']
    assert {(row.ind, row.post_date) for row in foreign} == {(None, date(2022, 10, 14))}


def test_the_ledger_has_a_row_for_every_day_and_the_sums_hold(
    spark: SparkSession, lake: Lake, nasty: tuple[list[Row], dict[str, Any]]
) -> None:
    empty, full = ledger(spark, lake, "2022-10-14"), ledger(spark, lake, "2022-10-15")
    for row in (*empty.values(), *full.values()):
        assert row["acknowledged"] == row["silver"] + row["quarantined"]
        assert row["orphans"] == row["selected"] - row["acknowledged"]
    assert [full[table]["silver"] for table in TABLES] == [4, 4, 4]
    assert [full[table]["quarantined"] for table in TABLES] == [1, 1, 0]
    assert [full["pin"]["doubles"], full["pin"]["foreign_doubles"], full["pin"]["foreign"]] == [1, 2, 0]
    assert [empty["pin"]["selected"], empty["pin"]["foreign"], empty["geo"]["foreign"]] == [0, 3, 0]
    assert full["user"]["orphans"] == 1


def test_the_audit_warns_of_foreign_rows_junk_and_orphans_and_fails_nothing(
    spark: SparkSession, lake: Lake, nasty: tuple[list[Row], dict[str, Any]]
) -> None:
    found = {
        (f["source_table"], f["rule"]): (f["action"], f["failed"]) for f in nasty[1]["audit"]["findings"]
    }
    assert found == {
        ("pin", "foreign_doubles"): ("warn", 2),
        ("pin", "foreign_junk"): ("warn", 3),
        ("user", "orphans"): ("warn", 1),
    }
    results = spark.table(f"{lake.ops}.quality_results").where("run = 'aaaa00000001'").collect()
    assert len(results) == RULES
    assert {row.window_start.astimezone(UTC).isoformat() for row in results} == {"2022-10-14T00:00:00+00:00"}


@pytest.mark.long  # e2e backfills a loaded day too
def test_a_second_pass_of_a_window_writes_the_same_rows(
    spark: SparkSession, lake: Lake, run_job: Run, nasty: tuple[list[Row], dict[str, Any]]
) -> None:
    days = "post_date < DATE'2022-10-16'"
    before = stored(spark, lake, days)
    load(run_job, nasty[0])
    assert stored(spark, lake, days) == before
    assert spark.table(f"{lake.ops}.quality_results").where("run = 'aaaa00000001'").count() == RULES


@pytest.mark.long  # e2e moves a post and runs an empty window too
def test_a_moved_post_is_found_in_its_new_day_only_and_an_empty_window_is_cleared(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path, nasty: tuple[list[Row], dict[str, Any]]
) -> None:
    made = landings(tmp_path, "2022-10-16", "2022-10-17", "bbbb00000001")
    made["geo"].own(
        6, b'{"ind":6,"timestamp":"2022-10-16T00:00:00","latitude":0,"longitude":0,"country":"\xff"}'
    )
    for table, landing in made.items():
        for ind in (4, 5):
            landing.own(ind, wire(ROWS[table](ind)))
    totals = load(run_job, [landing.manifest() for landing in made.values()])["publish"]["tables"]
    assert {total["source_table"]: total["moved"] for total in totals} == {"pin": 2, "geo": 2, "user": 1}
    for table in TABLES:
        rows = spark.table(f"{lake.silver}.`{table}`").where("ind IN (4, 5)").collect()
        assert {(row.ind, row.post_date) for row in rows} == {
            (4, date(2022, 10, 16)),
            (5, date(2022, 10, 16)),
        }
    own = spark.table(f"{lake.silver}.quarantine").where("ind IN (4, 6)").collect()
    assert [(row.ind, row.source_table, row.reasons, row.raw[:7]) for row in own] == [
        (6, "geo", ["row: not UTF-8"], "base64:")
    ]

    emptied = landings(tmp_path / "empty", "2022-10-16", "2022-10-17", "bbbb00000002")
    done = load(run_job, [landing.manifest() for landing in emptied.values()])
    assert done["audit"]["findings"] == []
    left = stored(spark, lake, "post_date = DATE'2022-10-16'")
    assert [left[table] for table in (*TABLES, "quarantine")] == [[], [], [], []]
    assert len(left["ledger"]) == 3
    assert spark.table(f"{lake.silver}.pin").where("post_date = DATE'2022-10-15'").count() == 3

    # the day that lost posts is as if it had never had them
    left_behind = ledger(spark, lake, "2022-10-15")
    counts = ("selected", "acknowledged", "orphans", "silver", "quarantined")
    assert {table: tuple(row[name] for name in counts) for table, row in left_behind.items()} == {
        "pin": (3, 3, 0, 3, 0),
        "geo": (3, 3, 0, 2, 1),
        "user": (4, 3, 1, 3, 0),
    }

    versions = commits(spark, lake)
    load(run_job, [landing.manifest() for landing in emptied.values()])
    assert commits(spark, lake) == versions  # nothing to write, nothing to remove


@pytest.mark.long  # minutes
def test_junk_of_an_earlier_run_stays_in_quarantine_and_in_the_ledger(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path
) -> None:
    first = landings(tmp_path, "2022-11-01", "2022-11-02", "aaaa00000002")
    first["pin"].foreign(b"junk of the first run")
    for landing in first.values():
        landing.own(80)
    load(run_job, [landing.manifest() for landing in first.values()])
    again = landings(tmp_path, "2022-11-01", "2022-11-02", "aaaa00000003")
    for landing in again.values():
        landing.own(80)
    again["pin"].foreign(b"junk of the second run")
    load(run_job, [landing.manifest(first_offset=90) for landing in again.values()])
    rows = spark.table(f"{lake.silver}.quarantine").where("post_date = DATE'2022-11-01'").collect()
    assert sorted(row.raw for row in rows) == ["junk of the first run", "junk of the second run"]
    assert ledger(spark, lake, "2022-11-01")["pin"]["foreign"] == 2


def test_a_time_of_another_day_is_warned_of(run_job: Run, tmp_path: Path) -> None:
    made = landings(tmp_path, "2022-11-03", "2022-11-04", "aaaa00000004")
    for landing in made.values():
        landing.own(
            81, wire(geo_row(81, timestamp="2021-01-01T00:00:00")) if landing.table == "geo" else None
        )
    manifests = [landing.manifest() for landing in made.values()]
    for manifest in manifests:
        run_job("clean", manifest)
    findings = run_job("audit", manifests)["findings"]
    assert [(f["source_table"], f["rule"], f["action"], f["failed"]) for f in findings] == [
        ("geo", "on_day(timestamp)", "warn", 1)
    ]


def commits(spark: SparkSession, lake: Lake) -> dict[str, int]:
    tables = [f"{schema}.`{table}`" for table in TABLES for schema in (lake.stage, lake.silver)]
    return {table: spark.sql(f"DESCRIBE HISTORY {table}").count() for table in tables}


def test_a_window_of_garbage_is_green_with_a_warning(run_job: Run, tmp_path: Path) -> None:
    made = landings(tmp_path, "2021-01-01", "2021-01-02", "cccc00000001")
    bad = {
        "pin": pin_row(50, follower_count="x"),
        "geo": geo_row(50, timestamp="x"),
        "user": user_row(50, age="x"),
    }
    for table, landing in made.items():
        landing.own(50, wire(bad[table]))
    manifests = [landing.manifest() for landing in made.values()]
    cleaned = [run_job("clean", manifest) for manifest in manifests]
    assert [(done["staged"], done["rejected"]) for done in cleaned] == [(0, 1)] * 3
    findings = run_job("audit", manifests)["findings"]
    assert {(f["rule"], f["action"], f["failed"]) for f in findings} == {("all_rejected", "warn", 1)}


def test_a_missing_id_fails_with_count_sample_and_repair_and_a_retry_heals(
    run_job: Run, tmp_path: Path
) -> None:
    landing = Landing(tmp_path, "user", "2021-02-01", "2021-02-02", "dddd00000001")
    landing.own(60)
    landing.acknowledge(61, 0, 1)
    with pytest.raises(
        LandingIncompleteError, match=r"2 posts were acknowledged, 1 were found.*\[61\].*Repair:"
    ):
        run_job("clean", landing.manifest())
    landing.foreign(wire(user_row(61)))
    assert run_job("clean", landing.manifest())["staged"] == 2


def test_a_failed_rule_is_written_down_and_named_and_nothing_is_published(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    made = landings(tmp_path, "2021-03-01", "2021-03-02", "eeee00000001")
    for landing in made.values():
        landing.own(70)
    manifests = [landing.manifest() for landing in made.values()]
    for manifest in manifests:
        run_job("clean", manifest)
    spark.sql(f"INSERT INTO {lake.stage}.geo SELECT * FROM {lake.stage}.geo WHERE run = 'eeee00000001'")
    with pytest.raises(AuditFailedError, match=r"sums of geo: 1 of 1.*unique\(ind\) of geo: 1 of 2.*Repair:"):
        run_job("audit", manifests)
    results = spark.table(f"{lake.ops}.quality_results").where("run = 'eeee00000001' AND failed > 0")
    assert {(row.source_table, row.rule, row.action) for row in results.collect()} == {
        ("geo", "sums", "fail"),
        ("geo", "unique(ind)", "fail"),
    }


def test_manifests_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    made = landings(tmp_path, "2021-03-01", "2021-03-02", "ffff00000001")
    manifests = [landing.manifest() for landing in made.values()]
    with pytest.raises(ValueError, match=r"pin, geo.*Repair:"):
        parse_manifests(json.dumps(manifests[:2]))
    with pytest.raises(ValueError, match=r"different runs.*Repair:"):
        parse_manifests(json.dumps([*manifests[:2], manifests[2] | {"run": "ffff00000002"}]))
    with pytest.raises(ValueError, match=r"A manifest is due, this came: None.*Repair:"):
        parse_manifests("[null]")
    with pytest.raises(ValueError, match=r"lacks keys.*Repair:"):
        parse_manifests(json.dumps([*manifests[:2], manifests[2] | {"keys": None}]))
    with pytest.raises(ValueError, match=r"not whole UTC days.*Repair:"):
        parse_manifests(json.dumps([*manifests[:2], manifests[2] | {"window_end": "2021-03-01T12:00:00Z"}]))
