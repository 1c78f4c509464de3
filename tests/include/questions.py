"""The cases of the questions, and post_wide as tests make it; asked in SQL, in PySpark, and of the check."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, SparkSession

from tests.answers import Post
from tests.include.conftest import SQL, Lake

CASES = Path(__file__).parent / "sql" / "analytics"
QUESTIONS = sorted(path.stem for path in (SQL / "analytics").glob("*.sql"))
POST_WIDE = (
    "ind INT, post_ts TIMESTAMP, post_date DATE, category STRING, unique_id STRING, title STRING, description STRING, "
    "poster_name STRING, follower_count BIGINT, tag_list STRING, is_image_or_video STRING, image_src STRING, "
    "save_location STRING, country STRING, latitude DOUBLE, longitude DOUBLE, user_name STRING, age INT, "
    "date_joined TIMESTAMP, layer STRING"
)
NAMES = [column.split()[0] for column in POST_WIDE.split(", ")]
# what the independent check knows of a post, in the order of its fields
CHECKED = (
    *("category", "poster_name", "follower_count", "country"),
    *("post_ts", "user_name", "age", "date_joined", "is_image_or_video"),
)


def cases() -> list[Path]:
    """Return every YAML case; its folder is its question."""
    return sorted(CASES.glob("*/*.yaml"))


def read_case(case: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows of post_wide that are given, and the columns and rows that are expected."""
    content = yaml.safe_load(case.read_text("utf-8"))
    unknown = {name for row in content["given"] for name in row} - set(NAMES)
    assert not unknown, f"{case}: post_wide has no {unknown}"
    return content["given"], content["expect"]


def frame_of(spark: SparkSession, rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Make post_wide; what a row leaves out is NULL, but its `ind` is its place."""
    values = [[_utc({"ind": n, **row}.get(name)) for name in NAMES] for n, row in enumerate(rows)]
    return spark.createDataFrame(values, POST_WIDE)


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def in_sql(spark: SparkSession, question: str, post_wide: DataFrame) -> DataFrame:
    """Ask the question's SQL file of these rows."""
    post_wide.createOrReplaceTempView("post_wide_case")
    text = Lake().render(SQL / "analytics" / f"{question}.sql")
    return spark.sql(text.replace(f"{Lake().gold}.post_wide", "post_wide_case"))


def row_of(post: Post) -> dict[str, Any]:
    """Return a post of the independent check as a row of post_wide."""
    return dict(zip(CHECKED, vars(post).values(), strict=True))


def posts_of(post_wide: DataFrame) -> list[Post]:
    """Return rows of post_wide as posts of the independent check."""
    columns = [column.to_pylist() for column in post_wide.select(*CHECKED).toArrow().columns]
    return [Post(*values) for values in zip(*columns, strict=True)]
