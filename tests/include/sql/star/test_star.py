"""The star as a function of silver: the same for any order of windows, and whole for any row."""

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from pinspark.contracts import TABLES
from pinspark.delta import append, replace_where
from pinspark.session import together
from tests.include.conftest import SQL, Lake, build_star, make_lake

FIRST = date(2022, 3, 1)
DAYS = 10
Row = dict[str, Any]


@pytest.fixture(scope="module")
def lake(spark: SparkSession) -> Lake:
    names = ("stage", "silver", "gold", "ops")
    return make_lake(spark, Lake(**{name: f"`7e1_{name}`" for name in names}))


@pytest.fixture(autouse=True)
def _empty(spark: SparkSession, lake: Lake) -> Iterator[None]:
    yield
    for table in TABLES:
        spark.sql(f"DELETE FROM {lake.silver}.`{table}`")


def post(ind: int, day: date, **changed: Any) -> Row:
    """Make a post of one of seven posters, whose followers, user and place are the poster's."""
    poster = ind % 7
    at = datetime(day.year, day.month, day.day, ind % 24, 30, tzinfo=UTC)
    made = {
        "ind": ind,
        "post_date": day,
        "category": f"category {ind % 3}",
        "poster_name": f"poster {poster}",
        "follower_count": 1000 + poster + ind % 2,
        "country": f"land {poster % 4}",
        "coordinates": [float(poster), -1.5],
        "timestamp": at,
        "user_name": f"user {poster % 5}",
        "age": 20 + poster,
        "date_joined": datetime(2016, 1, 1 + poster, tzinfo=UTC),
    }
    return made | changed


def publish(spark: SparkSession, lake: Lake, day: date, posts: list[Row], *tables: str) -> None:
    """Replace a day of silver."""
    together(*(partial(_replace, spark, lake, day, posts, table) for table in tables or TABLES))


def _replace(spark: SparkSession, lake: Lake, day: date, posts: list[Row], table: str) -> None:
    schema = spark.table(f"{lake.silver}.`{table}`").schema
    rows = spark.createDataFrame([[row.get(name) for name in schema.names] for row in posts], schema)
    replace_where(rows, f"{lake.silver}.`{table}`", f"post_date = DATE'{day}'")


def digests(spark: SparkSession, lake: Lake, tables: list[str]) -> dict[str, str]:
    """SHA-256 of each table as sorted CSV."""
    found = {}
    for table in tables:
        rows = spark.table(f"{lake.gold}.`{table}`").collect()
        lines = sorted(",".join(map(repr, row)) for row in rows)
        assert lines, f"{table} is empty"
        found[table] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return found


def ask(spark: SparkSession, query: str, lake: Lake) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in spark.sql(query.format(gold=lake.gold, silver=lake.silver)).collect()]


def test_ten_windows_in_any_order_some_twice_equal_one_star_of_all(spark: SparkSession, lake: Lake) -> None:
    chance = random.Random(1)  # noqa: S311 - an order of windows
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    final = {day: [post(20 * n + i, day) for i in range(12)] for n, day in enumerate(days)}
    order = [*days, *chance.sample(days, 4)]
    chance.shuffle(order)
    left = {day: order.count(day) for day in days}
    for number, day in enumerate(order):
        left[day] -= 1
        # followers as they were, and a post that has gone since, until the day runs for the last time
        older = [row | {"follower_count": row["follower_count"] - 1} for row in final[day]]
        gone = post(10_000 + days.index(day), day, poster_name="gone", user_name="gone", country="gone")
        publish(spark, lake, day, [*older, gone] if left[day] else final[day])
        if number in (0, len(order) // 2):
            build_star(spark, lake)  # what is built then must leave nothing behind
    star = build_star(spark, lake)
    one_by_one = digests(spark, lake, star)
    for table in TABLES:
        spark.sql(f"DELETE FROM {lake.silver}.`{table}`")
    for table in TABLES:
        every = [row for day in days for row in final[day]]
        schema = spark.table(f"{lake.silver}.`{table}`").schema
        rows = [[row.get(name) for name in schema.names] for row in every]
        append(spark.createDataFrame(rows, schema), f"{lake.silver}.`{table}`")
    assert digests(spark, lake, build_star(spark, lake)) == one_by_one
    assert len(ask(spark, "SELECT * FROM {gold}.dim_poster WHERE poster_name IS NOT NULL", lake)) > 7


def test_spans_of_a_poster_follow_one_another_and_hold_what_was_measured(
    spark: SparkSession, lake: Lake
) -> None:
    def at(hour: int) -> datetime:
        return datetime(2022, 3, 1, hour, tzinfo=UTC)

    counts = [(1, 1, 10), (2, 2, 10), (3, 3, None), (4, 4, 12), (5, 5, 10), (6, 5, 11), (7, 6, 11)]
    mine = [post(i, FIRST, poster_name="Ann", follower_count=n, timestamp=at(h)) for i, h, n in counts]
    unknown = [post(20, FIRST, poster_name="Bob", follower_count=None, timestamp=at(9))]
    nobody = [post(21, FIRST, poster_name=None, follower_count=5)]
    publish(spark, lake, FIRST, [*mine, *unknown, *nobody])
    build_star(spark, lake)
    spans = ask(
        spark,
        "SELECT poster_name, follower_count, HOUR(valid_from), HOUR(valid_to) FROM {gold}.dim_poster "
        "ORDER BY poster_name, valid_from",
        lake,
    )
    assert spans == [
        (None, None, None, None),
        ("Ann", 10, 1, 4),
        ("Ann", 12, 4, 5),
        ("Ann", 11, 5, None),
        ("Bob", None, 9, None),
    ]
    assert ask(spark, "SELECT ind, follower_count FROM {gold}.post_wide ORDER BY ind", lake) == [
        *((ind, count) for ind, _, count in counts),
        (20, None),
        (21, 5),
    ]


def hostile() -> list[Row]:
    """Rows whose natural keys are easily mixed up, NULL in part or whole, and posts that lack a frame."""
    return [
        post(1, FIRST, category=None, poster_name=None, country=None, coordinates=None, user_name=None),
        post(2, FIRST, category="null", poster_name="null", country="null", user_name="null"),
        post(3, FIRST, coordinates=[-0.0, 0.0]),
        post(4, FIRST, coordinates=[0.0, -0.0]),
        post(5, FIRST, coordinates=[None, 1.5]),
        post(6, FIRST, user_name='a","age":1', age=None),
        post(7, FIRST, user_name="a", age=1, date_joined=None),
        post(8, FIRST, user_name="a", age=1),
        post(9, FIRST, user_name="a", age=2),
        post(10, FIRST, poster_name="\u202eevil 😀 e\u0301", category='it\'s \\ "quoted"'),
        post(11, FIRST, timestamp=datetime(2022, 3, 1, tzinfo=UTC)),
    ]


def test_every_key_of_a_post_is_one_row_of_its_dimension(spark: SparkSession, lake: Lake) -> None:
    publish(spark, lake, FIRST, hostile())
    publish(spark, lake, FIRST + timedelta(days=1), [post(31, FIRST + timedelta(days=1))], "geo", "user")
    publish(spark, lake, FIRST + timedelta(days=2), [post(30, FIRST + timedelta(days=2))], "pin")
    build_star(spark, lake)
    lost = (
        "SELECT ind FROM {gold}.fact_post WHERE post_date NOT IN (SELECT calendar_date FROM {gold}.dim_date)"
    )
    assert not ask(spark, lost, lake)
    for name, where in (
        ("category", ""),
        ("location", ""),
        ("user", ""),
        ("poster", "WHERE valid_to IS NULL"),
    ):
        keys = f"SELECT {name}_key FROM {{gold}}.dim_{name} {where}"
        assert not ask(spark, f"{keys} GROUP BY {name}_key HAVING COUNT(*) > 1", lake), name
        lost = f"SELECT ind FROM {{gold}}.fact_post WHERE {name}_key NOT IN ({keys})"
        assert not ask(spark, lost, lake), name
    assert len(ask(spark, "SELECT * FROM {gold}.dim_user WHERE user_name = 'a'", lake)) == 3
    assert ask(
        spark, "SELECT COUNT(*), COUNT(DISTINCT calendar_date), MIN(calendar_date) FROM {gold}.dim_date", lake
    ) == [(9, 9, date(2016, 1, 2))]


def test_post_wide_gives_back_what_the_frames_say(spark: SparkSession, lake: Lake) -> None:
    publish(spark, lake, FIRST, hostile())
    publish(spark, lake, FIRST + timedelta(days=1), [post(30, FIRST + timedelta(days=1))], "pin")
    publish(spark, lake, FIRST + timedelta(days=2), [post(31, FIRST + timedelta(days=2))], "geo", "user")
    build_star(spark, lake)
    columns = (
        "ind, post_date, category, title, poster_name, follower_count, country, latitude, longitude, "
        "user_name, age, date_joined"
    )
    wide = ask(spark, f"SELECT {columns}, `post_ts` FROM {{gold}}.post_wide ORDER BY ind", lake)
    frames = ask(
        spark,
        "SELECT ind, post_date, category, title, poster_name, follower_count, country, coordinates[0] + 0D, "
        "coordinates[1] + 0D, user_name, age, date_joined, `timestamp` FROM {silver}.pin FULL OUTER JOIN "
        "{silver}.geo USING (ind, post_date) FULL OUTER JOIN {silver}.`user` USING (ind, post_date) ORDER BY ind",
        lake,
    )
    assert wide == frames
    assert len(wide) == len(hostile()) + 2


def test_no_post_gives_a_star_without_posts(spark: SparkSession, lake: Lake) -> None:
    build_star(spark, lake)
    assert ask(spark, "SELECT * FROM {gold}.post_wide", lake) == []
    assert ask(spark, "SELECT * FROM {gold}.dim_date", lake) == []


def test_every_column_of_the_star_is_described(spark: SparkSession, lake: Lake) -> None:
    described = yaml.safe_load((SQL.parent / "contracts" / "star.yaml").read_text("utf-8"))
    assert sorted(described) == sorted(path.stem for path in (SQL / "star").glob("*.sql"))
    build_star(spark, lake)
    for name, table in described.items():
        stored = spark.table(f"{lake.gold}.`{name}`").schema
        made = {field.name: field.dataType.simpleString().upper() for field in stored}
        assert {column: said["type"] for column, said in table["columns"].items()} == made, name
        assert {*table["key"], *table.get("refers", {})} <= set(made)
