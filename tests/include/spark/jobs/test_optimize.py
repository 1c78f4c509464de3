from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinspark import optimize
from pinspark.optimize import OptimizeError, optimize_tables
from pinspark.tables import LEDGER_TABLE, QUALITY_TABLE, STALE_TABLE
from tests.include.conftest import Lake

USER_ID = "12e834567890"
SCHEMAS = {name: f"`12e8_optimize_{name}`" for name in ("stage", "silver", "gold", "ops")}


@pytest.fixture(scope="module")
def ops(spark: SparkSession, lake: Lake) -> Iterator[str]:
    """Three tables of ops, the middle one gone; a table and a view in gold."""
    for schema in SCHEMAS.values():
        spark.sql(f"CREATE SCHEMA {schema}")
    for table in (LEDGER_TABLE, STALE_TABLE):
        spark.sql(f"CREATE TABLE {SCHEMAS['ops']}.{table.name} LIKE {lake.ops}.{table.name}")
    spark.sql(f"CREATE TABLE {SCHEMAS['gold']}.`2nd` USING DELTA AS SELECT 1 AS n")
    spark.sql(f"CREATE OR REPLACE TABLE {SCHEMAS['gold']}.`2nd` USING DELTA AS SELECT 2 AS n")
    spark.sql(f"CREATE VIEW {SCHEMAS['gold']}.seen AS SELECT 1 AS n")
    for day in range(1, 4):
        spark.sql(
            f"INSERT INTO {SCHEMAS['ops']}.ledger SELECT DATE'2022-10-0{day}', 'pin', 1, 1, 0, 1, 0, 0, 0, 0"
        )
    yield SCHEMAS["ops"]
    spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")


def files(spark: SparkSession, table: str) -> int:
    location = spark.sql(f"DESCRIBE DETAIL {table}").collect()[0].location
    return len(list(Path(location.removeprefix("file:")).glob("**/*.parquet")))


def test_a_bad_table_is_named_at_the_end_and_hides_no_other(
    spark: SparkSession, ops: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(optimize, "all_tables", lambda: [LEDGER_TABLE, QUALITY_TABLE, STALE_TABLE])
    monkeypatch.setattr(optimize, "speed_tables", lambda user_id: [] if user_id == USER_ID else None)
    before = spark.table(f"{ops}.ledger").collect()
    with pytest.raises(OptimizeError, match=r"1 of 4 tables failed\. .*quality_results.*Repair: "):
        optimize_tables(spark, SCHEMAS, USER_ID, 168)
    said = capsys.readouterr().out
    assert f"{ops}.`ledger`: 3 files became 1" in said
    assert f"{ops}.`stale_days`: 0 files became 0" in said
    assert f"{SCHEMAS['gold']}.`2nd`: made anew each time" in said
    assert "seen" not in said
    assert spark.sql(f"DESCRIBE DETAIL {ops}.ledger").collect()[0].numFiles == 1
    assert files(spark, f"{ops}.ledger") > 1  # a week's files stay
    assert sorted(spark.table(f"{ops}.ledger").collect()) == sorted(before)


def test_files_leave_early_when_the_settings_say_so(
    spark: SparkSession, ops: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimize, "all_tables", lambda: [LEDGER_TABLE])
    monkeypatch.setattr(optimize, "speed_tables", lambda _: [])
    assert optimize_tables(spark, SCHEMAS, USER_ID, 0) == 2
    assert files(spark, f"{ops}.ledger") == 1
    assert files(spark, f"{SCHEMAS['gold']}.`2nd`") == 1
