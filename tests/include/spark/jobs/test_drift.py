"""Fields that come, go, change their name or their type, through clean, audit and publish."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinspark.audit import AuditFailedError
from pinspark.contracts import TABLES
from tests.include.conftest import Lake
from tests.include.landed import Landing, Row, pin_row, wire
from tests.include.spark.jobs.conftest import Run, landings, load

pytestmark = pytest.mark.long


def window(folder: Path, day: str, run: str) -> dict[str, Landing]:
    """Begin a window of one day whose geo and user rows 1 to 3 are as they should be."""
    made = landings(folder, day, f"{day[:-2]}{int(day[-2:]) + 1:02d}", run)
    for ind in (1, 2, 3):
        made["geo"].own(ind)
        made["user"].own(ind)
    return made


def renamed(row: Row, old: str, new: str) -> Row:
    return {(new if name == old else name): value for name, value in row.items()}


def audited(run_job: Run, made: dict[str, Landing]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Clean and audit; give what clean said of pin, and the audit's findings by table and rule."""
    manifests = [made[table].manifest() for table in TABLES]
    said = [run_job("clean", manifest) for manifest in manifests]
    results = json.dumps([{name: one[name] for name in one if name != "log"} for one in said])
    findings = run_job("audit", manifests, cleaned=results)["findings"]
    return said[0], {(found["source_table"], found["rule"]): found for found in findings}


def quarantined(spark: SparkSession, lake: Lake, run: str) -> dict[int, list[str]]:
    rows = spark.table(f"{lake.stage}.pin_rejects").where(f"run = '{run}'").collect()
    return {row.ind: row.reasons for row in rows}


def test_an_unknown_field_is_counted_over_our_rows_reported_and_published_without_it(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path
) -> None:
    made = window(tmp_path, "2019-01-01", "d0000001aaaa")
    pin = made["pin"]
    pin.own(1, wire(pin_row(1, language="en")))
    pin.own(2, wire(pin_row(2, language="de", likes=7)))
    pin.own(3)
    pin.foreign(wire(pin_row(900, language="fr", other=1)))  # somebody else's
    pin.foreign(b"junk")
    done = load(run_job, [made[table].manifest() for table in TABLES])
    said = done["clean"]["pin"]
    assert (said["staged"], said["rejected"], said["drifted"]) == (3, 0, 2)
    assert said["unknown"] == [
        {"name": "language", "type": "STRING", "rows": 2},
        {"name": "likes", "type": "BIGINT", "rows": 1},
    ]
    (warning,) = [line for line in said["log"] if line.startswith("WARNING")]
    assert "pin: 2 rows have unknown fields: 'language' (STRING) in 2 rows" in warning
    found = {(f["source_table"], f["rule"]): f for f in done["audit"]["findings"]}
    unknown = found["pin", "unknown_fields"]
    assert (unknown["action"], unknown["rows"], unknown["failed"]) == ("warn", 3, 2)
    assert "{name: language, type: STRING, wire: text, doc: ...}" in unknown["detail"]
    assert ("pin", "missing_fields") not in found
    assert spark.table(f"{lake.silver}.pin").where("post_date = DATE'2019-01-01'").count() == 3
    assert done["clean"]["user"]["drifted"] == 0


def test_a_required_field_that_some_rows_lack_sends_those_to_quarantine(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path
) -> None:
    made = window(tmp_path, "2019-02-01", "d0000002aaaa")
    made["pin"].own(1, wire({name: value for name, value in pin_row(1).items() if name != "category"}))
    made["pin"].own(2)
    made["pin"].own(3)
    said, found = audited(run_job, made)
    assert (said["staged"], said["rejected"]) == (2, 1)
    assert quarantined(spark, lake, "d0000002aaaa") == {1: ["category: missing"]}
    assert found == {}


@pytest.mark.parametrize(
    ("run", "new", "said"),
    [
        ("d0000003aaaa", "", "category is in no row ("),
        ("d0000003bbbb", "topic", "category is in no row; renamed to 'topic'?"),
    ],
    ids=["missing", "renamed"],
)
def test_a_required_field_that_no_row_has_stops_the_run_before_it_publishes(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path, run: str, new: str, said: str
) -> None:
    made = window(tmp_path, "2019-03-01", run)
    for ind in (1, 2):
        row = renamed(pin_row(ind), "category", new or "x")
        made["pin"].own(ind, wire({name: value for name, value in row.items() if name != "x"}))
    made["pin"].own(3, b'{"index":3,"index":3}')  # cannot be read at all, so it says nothing about fields
    with pytest.raises(AuditFailedError) as error:
        audited(run_job, made)
    text = str(error.value)
    assert "rule missing_fields of pin: 2 of 3 rows fail" in text
    assert said in text
    assert "Repair:" in text
    results = spark.table(f"{lake.ops}.quality_results").where(f"run = '{run}' AND failed > 0").collect()
    assert ("missing_fields", "fail") in {(row.rule, row.action) for row in results}
    assert spark.table(f"{lake.silver}.pin").where("post_date = DATE'2019-03-01'").count() == 0


def test_copies_of_somebody_else_do_not_pass_for_a_changed_source(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path
) -> None:
    made = window(tmp_path, "2019-03-02", "d0000003cccc")
    for ind in (1, 2):
        made["pin"].own(ind)
        made["pin"].foreign(wire({"index": ind}))
    said, found = audited(run_job, made)
    assert (said["staged"], said["rejected"], said["foreign_doubles"]) == (0, 2, 2)
    assert {rule: one["action"] for (_, rule), one in found.items()} == {
        "all_rejected": "warn",
        "foreign_doubles": "warn",
    }
    assert set(quarantined(spark, lake, "d0000003cccc")) == {1, 2}


def test_a_retyped_field_sends_its_rows_to_quarantine(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path
) -> None:
    made = window(tmp_path, "2019-04-01", "d0000004aaaa")
    for ind in (1, 2, 3):
        made["pin"].own(ind, wire(pin_row(ind, follower_count=12000)))
    said, found = audited(run_job, made)
    assert (said["staged"], said["rejected"], said["drifted"]) == (0, 3, 0)
    reasons = ["follower_count: 12000 is not a text"]
    assert quarantined(spark, lake, "d0000004aaaa") == {1: reasons, 2: reasons, 3: reasons}
    assert {rule: one["action"] for (_, rule), one in found.items()} == {"all_rejected": "warn"}


def test_many_and_hostile_names_are_bounded_in_what_is_said(run_job: Run, tmp_path: Path) -> None:
    made = window(tmp_path, "2019-05-01", "d0000005aaaa")
    hostile = "a\nRESULT {}"
    made["pin"].own(1, wire(pin_row(1, **{hostile: 1, **{f"{'n' * 300}{n}": 1 for n in range(300)}})))
    made["pin"].own(2, wire(pin_row(2, **{hostile: 1})))
    said, found = audited(run_job, made)
    assert said["drifted"] == 2
    assert said["unknown"][0] == {"name": hostile, "type": "BIGINT", "rows": 2}
    assert [(field["name"], field["rows"]) for field in said["unknown"][1:]] == [("n" * 32, 1)] * 3
    assert not any(line.startswith("RESULT") for line in said["log"])
    assert found["pin", "unknown_fields"]["failed"] == 2
