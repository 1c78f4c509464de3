from pathlib import Path

from pyspark.sql import SparkSession

from pinspark.contracts import TABLES
from pinspark.ddl import write
from pinspark.delta import schema_differences
from pinspark.tables import all_tables
from tests.include.conftest import SQL, Lake


def test_statements_in_the_repository_are_what_the_contracts_say(tmp_path: Path) -> None:
    stored = {path.name: path.read_text("utf-8") for path in (SQL / "silver").glob("*.sql")}
    made = {path.name: path.read_text("utf-8") for path in write(tmp_path)}
    assert stored == made, "Repair: make contracts"


def test_writing_removes_statements_nobody_asks_for(tmp_path: Path) -> None:
    (tmp_path / "stage_old.sql").write_text("SELECT 1")
    write(tmp_path)
    assert not (tmp_path / "stage_old.sql").exists()


def test_tables_are_created_as_described_and_creating_them_again_changes_nothing(
    spark: SparkSession, lake: Lake
) -> None:
    for path in (SQL / "silver").glob("*.sql"):
        spark.sql(lake.render(path))
    for table in all_tables():
        assert schema_differences(spark, getattr(lake, table.schema), table) == []


def test_published_tables_are_clustered_by_day_and_commented(spark: SparkSession, lake: Lake) -> None:
    for table in (*TABLES, "quarantine"):
        detail = spark.sql(f"DESCRIBE DETAIL {lake.silver}.`{table}`").collect()[0]
        assert detail.clusteringColumns == ["post_date"]
    assert all(column.doc for table in all_tables() for column in table.columns)
