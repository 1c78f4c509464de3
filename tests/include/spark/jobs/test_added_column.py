"""A column added to a contract: tables altered as setup does it, old days NULL, old lines readable, new ones read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinflow.tables import additions, parse, refusals, stored_columns
from pinspark.contracts import TABLES
from pinspark.delta import SchemaMismatchError, schema_differences
from pinspark.manifest import parse_manifest
from pinspark.stage import stage_table
from pinspark.tables import all_tables, speed_tables
from tests.include.changed import add_lines, contracts_of, copy, make_contracts
from tests.include.conftest import SQL, Lake, make_lake
from tests.include.landed import Row, pin_row, wire
from tests.include.spark.jobs.conftest import Run, landings, load

pytestmark = pytest.mark.long

NEW = ("likes", "language", "read_at")


@pytest.fixture(scope="module")
def lake(spark: SparkSession) -> Lake:
    """A lake of its own, since its tables are altered."""
    return make_lake(spark, Lake(*(f"`12e8_added_{name}`" for name in ("stage", "silver", "gold", "ops"))))


@pytest.fixture(scope="module")
def old_day(run_job: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """A day that was published before the column was known; its landed lines stay."""
    made = landings(tmp_path_factory.mktemp("old"), "2020-01-01", "2020-01-02", "add000000001")
    for landing in made.values():
        landing.own(1)
        landing.own(2)
    made["pin"].own(3, wire(pin_row(3, follower_count="many")))
    made["geo"].own(3)
    made["user"].own(3)
    manifests = [made[table].manifest() for table in TABLES]
    load(run_job, manifests)
    return manifests


@pytest.fixture(scope="module")
def altered(
    spark: SparkSession, lake: Lake, old_day: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """The contract with three lines more, and the statements that setup runs for it."""
    repo = copy(tmp_path_factory.mktemp("changed"))
    add_lines(repo, "pin", "- {name: ind,", "{name: likes, type: INT, wire: int, doc: Likes of the post}")
    add_lines(
        repo,
        "pin",
        "- name: description",
        '{name: language, type: STRING, wire: text, null_markers: [unknown], doc: "Language, the poster\'s"}',
        "{name: read_at, type: TIMESTAMP, wire: datetime, from: [seen], doc: When it was read}",
    )
    make_contracts(repo)
    with contracts_of(repo):
        statements = []
        for path in sorted((repo / "include" / "sql" / "silver").glob("*.sql")):
            table = parse(lake.render(path))
            assert table
            stored = stored_columns(spark.sql(f"DESCRIBE TABLE {table.name}").collect())
            assert refusals(table, stored) == []
            if statement := additions(table, stored):
                statements.append(statement)
                differences = schema_differences(spark, table.schema, described(lake, path.stem))
                assert all(any(name in said for name in NEW) for said in differences)
                spark.sql(statement)
        yield statements


def described(lake: Lake, stem: str) -> Any:
    return next(table for table in (*all_tables(), *speed_tables(lake.user_id)) if table.stem == stem)


def pins(spark: SparkSession, lake: Lake, day: str) -> list[tuple[Any, ...]]:
    rows = spark.table(f"{lake.silver}.pin").where(f"post_date = DATE'{day}'").orderBy("ind")
    return [(row.ind, row.title, row.likes, row.language, row.read_at) for row in rows.collect()]


def test_first_and_after_put_the_columns_where_the_contract_has_them(
    spark: SparkSession, lake: Lake, altered: list[str]
) -> None:
    assert len(altered) == 3  # stage.pin, silver.pin and the table of the stream
    assert all(" FIRST" in statement and " AFTER `title`" in statement for statement in altered)
    for table in (*all_tables(), *speed_tables(lake.user_id)):
        assert schema_differences(spark, getattr(lake, table.schema), table) == []
    assert spark.table(f"{lake.silver}.pin").columns[:2] == ["likes", "ind"]
    comments = {row.col_name: row.comment for row in spark.sql(f"DESCRIBE TABLE {lake.silver}.pin").collect()}
    assert comments["language"] == "Language, the poster's"
    detail = spark.sql(f"DESCRIBE DETAIL {lake.silver}.pin").collect()[0]
    assert detail.clusteringColumns == ["post_date"]


def test_old_days_are_null_in_the_new_columns_and_the_same_in_the_others(
    spark: SparkSession, lake: Lake, altered: list[str]
) -> None:
    assert pins(spark, lake, "2020-01-01") == [
        (1, "title 1", None, None, None), (2, "title 2", None, None, None),
    ]  # fmt: skip


def test_old_lines_are_cleaned_again_and_none_of_them_goes_to_quarantine(
    spark: SparkSession, lake: Lake, run_job: Run, old_day: list[Row], altered: list[str]
) -> None:
    done = load(run_job, old_day)
    assert [(done["clean"][table]["staged"], done["clean"][table]["rejected"]) for table in TABLES] == [
        (2, 1), (3, 0), (3, 0),
    ]  # fmt: skip
    assert done["audit"]["findings"] == []
    assert pins(spark, lake, "2020-01-01") == [
        (1, "title 1", None, None, None), (2, "title 2", None, None, None),
    ]  # fmt: skip


def test_lines_that_have_the_field_fill_the_column_and_a_bad_value_goes_to_quarantine(
    spark: SparkSession, lake: Lake, run_job: Run, altered: list[str], tmp_path: Path
) -> None:
    made = landings(tmp_path, "2020-01-02", "2020-01-03", "add000000002")
    seen = "2020-01-02T03:04:05"
    made["pin"].own(10, wire(pin_row(10, language="en", likes=5, seen=seen)))
    made["pin"].own(11, wire(pin_row(11, language=" unknown ", likes=None, seen="")))
    made["pin"].own(12)
    made["pin"].own(13, wire(pin_row(13, likes="many")))
    for ind in (10, 11, 12, 13):
        made["geo"].own(ind)
        made["user"].own(ind)
    done = load(run_job, [made[table].manifest() for table in TABLES])
    assert done["audit"]["findings"] == []
    assert done["clean"]["pin"]["drifted"] == 0
    found = pins(spark, lake, "2020-01-02")
    assert [row[:4] for row in found] == [
        (10, "title 10", 5, "en"), (11, "title 11", None, None), (12, "title 12", None, None),
    ]  # fmt: skip
    assert [str(row[4])[:19] if row[4] else None for row in found] == [seen.replace("T", " "), None, None]
    refused = spark.table(f"{lake.silver}.quarantine").where("post_date = DATE'2020-01-02'").collect()
    assert [(row.ind, row.reasons) for row in refused] == [(13, ["likes: 'many' is not an INT"])]


def test_without_setup_the_run_stops_in_clean_and_names_the_columns_and_setup(
    spark: SparkSession, lake: Lake, altered: list[str], tmp_path: Path
) -> None:
    old = Lake(stage=f"{lake.stage[:-1]}_old`")
    spark.sql(f"CREATE SCHEMA {old.stage}")
    for name in ("stage_pin", "stage_pin_rejects"):
        spark.sql(old.render(SQL / "silver" / f"{name}.sql"))
    pin = landings(tmp_path, "2020-01-03", "2020-01-04", "add000000003")["pin"]
    pin.own(20)
    wanted = r"likes INT is missing; language STRING is missing.*Repair: run pinterest_setup"
    with pytest.raises(SchemaMismatchError, match=wanted):
        stage_table(spark, parse_manifest(pin.manifest()), old.stage)
    assert spark.table(f"{old.stage}.pin").count() == 0
