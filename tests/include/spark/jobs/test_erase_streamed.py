"""One user leaves the speed layer too, also one whom only a stream has delivered."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinspark.optimize import drop_doubles
from tests.include.conftest import Lake, make_lake
from tests.include.landed import user_row, wire
from tests.include.spark.jobs.conftest import Run
from tests.include.spark.jobs.test_erase import NAMESAKE, ZOE, digest

pytestmark = pytest.mark.long

PLACE = ("shardId-000000000000", None)


@pytest.fixture(scope="module")
def lake(spark: SparkSession) -> Lake:
    """Schemas of our own: a user is looked for everywhere."""
    names = (f"`12e8_streamed_{name}`" for name in ("stage", "silver", "gold", "ops"))
    return make_lake(spark, Lake(*names, user_id="0ec6d756577b"))


def put(spark: SparkSession, table: str, schema: str, *rows: tuple[Any, ...]) -> None:
    placed = [(*row[:-1], PLACE[0], row[-1]) for row in rows]
    made = spark.createDataFrame(placed, f"{schema}, shard_id STRING, sequence_number STRING")
    made.write.format("delta").mode("append").saveAsTable(table)


def inds(spark: SparkSession, table: str) -> list[int | None]:
    return sorted((row.ind for row in spark.table(table).collect()), key=lambda ind: (ind is None, ind))


def user(who: dict[str, Any], ind: int, sequence: str) -> tuple[Any, ...]:
    name = f"{who['first_name']} {who['last_name']}"
    return (ind, name, who["age"], who["date_joined"].replace("T", " "), sequence)


def test_a_user_of_the_speed_layer_alone_leaves_it_and_a_namesake_stays(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path
) -> None:
    pin, users, refused = (
        f"{lake.silver}.`{lake.user_id}_{name}`" for name in ("pin_table", "user_table", "quarantine")
    )
    schema = "ind INT, user_name STRING, age INT, date_joined STRING"
    # 3 was hers before it became the namesake's
    rows = [user(ZOE, 1, "9"), user(ZOE, 1, "10"), user(NAMESAKE, 2, "11"), user(ZOE, 3, "12")]
    placed = [(*row[:-1], PLACE[0], row[-1]) for row in rows]
    made = spark.createDataFrame(placed, f"{schema}, shard_id STRING, sequence_number STRING")
    made.withColumn("date_joined", made.date_joined.cast("timestamp")).write.format("delta").mode(
        "append"
    ).saveAsTable(users)
    published = spark.createDataFrame(
        [(3, "Zoë Abbott", NAMESAKE["age"], "2016-01-02 00:00:00", "2022-10-15")],
        f"{schema}, post_date STRING",
    )
    published.selectExpr(
        "ind", "user_name", "age", "CAST(date_joined AS TIMESTAMP)", "CAST(post_date AS DATE)"
    ).write.format("delta").mode("append").saveAsTable(f"{lake.silver}.`user`")
    put(spark, pin, "ind INT, title STRING", (1, "hers", "1"), (2, "another's", "2"))
    kinds = "source_table STRING, ind INT, kind STRING, raw STRING"
    put(
        spark,
        refused,
        kinds,
        ("user", 1, "own", wire(user_row(1, **ZOE)).decode(), "3"),
        ("user", 2, "own", wire(user_row(2, **NAMESAKE)).decode(), "4"),
        ("pin", None, "foreign", '{"ind":1,"title":"cut', "5"),
        ("pin", None, "foreign", "junk of nobody", "6"),
    )
    wanted = {"name_sha256": digest(), "age": ZOE["age"]}
    found = run_job("find_user", wanted=json.dumps(wanted), objects="[]")
    assert found["posts"] == [1]
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"ind": 1}\n')
    told = {name: value for name, value in found.items() if name not in ("posts", "log")}
    done = run_job("erase", posts=str(posts), found=json.dumps(told), name_sha256=digest())
    streamed = {
        name.split("_", 1)[1]: rows for name, rows in done["rows"].items() if lake.user_id in name and rows
    }
    assert streamed == {"quarantine": 2, "pin_table": 1, "user_table": 3}
    assert inds(spark, pin) == [2]
    assert inds(spark, users) == [2]
    assert inds(spark, refused) == [2, None]
    again = run_job("erase", posts=str(posts), found=json.dumps(told), name_sha256=digest())
    assert not any(again["rows"].values())


def test_the_newest_row_of_a_post_stays_whatever_the_length_of_its_number(
    spark: SparkSession, lake: Lake
) -> None:
    table = f"{lake.silver}.`{lake.user_id}_pin_table`"
    rows = [(7, "old", "9"), (7, "new", "10"), (7, "new", "10"), (8, "one", "1")]
    put(spark, table, "ind INT, title STRING", *rows)
    before = len(inds(spark, table))
    assert drop_doubles(spark, table) == 2
    kept = {row.ind: row.title for row in spark.table(table).where("ind > 6").collect()}
    assert kept == {7: "new", 8: "one"}
    assert len(inds(spark, table)) == before - 2
    assert drop_doubles(spark, table) == 0
