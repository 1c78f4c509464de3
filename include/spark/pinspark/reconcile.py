"""Reconcile: what the source holds now against what is published, post by post and summed by day."""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import reduce
from itertools import pairwise

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.contracts import TABLES, Contract, load_contract
from pinspark.delta import check_schema, replace_where
from pinspark.landing import parse_lines, present, read_lines
from pinspark.session import expect_rows
from pinspark.stage import clean_lines
from pinspark.transforms import settle

DIFFERENCES = ("inserted", "changed", "moved", "deleted")
# one DAG run each, and all of them are a parameter of `confirm`: 10,000 bytes at most
MOST_WINDOWS = 60
_PLACES = "ARRAY<STRUCT<partition: INT, offset: BIGINT>>"
_SHOWN = 20

Window = dict[str, str]


class StillStaleError(RuntimeError):
    """Days that were rebuilt and differ from the source nevertheless."""


def reconcile(spark: SparkSession, snapshot: str, silver: str, ops: str) -> list[Row]:
    """Replace ops.stale_days by what differs now; give its rows by day and table."""
    check_schema(spark, ops, tables.STALE_TABLE)
    with present(f"The snapshot {snapshot}", "clear the task that makes it; this one runs again."):
        expect_rows(spark, read_posts(spark, snapshot).count())
        rows = stale_days(spark, snapshot, silver, ops).orderBy("post_date", "source_table").collect()
    schema = ", ".join(f"{column.name} {column.type}" for column in tables.STALE)
    found = spark.createDataFrame([tuple(row) for row in rows], schema)
    replace_where(found, f"{ops}.stale_days", "post_date IS NOT NULL")
    return rows


def stale_days(spark: SparkSession, snapshot: str, silver: str, ops: str) -> DataFrame:
    """Compare the three tables; one row per published day and table that differ."""
    posts = read_posts(spark, snapshot)
    parts = [
        source_rows(spark, snapshot, posts, contract)
        .join(published_rows(spark, silver, contract), "ind", "full_outer")
        .transform(by_day)
        .withColumn("source_table", F.lit(contract.table))
        for contract in map(load_contract, TABLES)
    ]
    published = spark.table(f"{ops}.ledger").select("post_date").distinct()
    differs = reduce(Column.__or__, (F.col(name) > 0 for name in DIFFERENCES))
    days = reduce(DataFrame.unionAll, parts).where(differs).join(published, "post_date", "left_semi")
    return days.select(*tables.STALE_TABLE.names)


def read_posts(spark: SparkSession, snapshot: str) -> DataFrame:
    """Read every post's day, shaped as `settle` takes ids; none was acknowledged anywhere."""
    posts = spark.read.schema("ind INT, post_ts STRING").json(_folder(snapshot, "posts"))
    day = F.substring("post_ts", 1, 10).try_cast("date")  # any year that MySQL knows
    return posts.select("ind", day.alias("post_date"), F.lit(None).cast(_PLACES).alias("acknowledged"))


def _folder(snapshot: str, table: str) -> str:
    return f"{snapshot}/{table}/partition=0/"


def source_rows(spark: SparkSession, snapshot: str, posts: DataFrame, contract: Contract) -> DataFrame:
    """Clean a snapshot as `clean` does what landed; columns ind, source_day, source_hash."""
    clean = _hash(*(F.col("kept")[f"clean_{name}"].alias(name) for name in contract.names))
    is_clean = F.col("kind") == "clean"
    return (
        read_lines(spark, [_folder(snapshot, contract.table)])
        .transform(parse_lines, contract.id)
        .transform(clean_lines, contract)
        .transform(settle, posts, contract)
        .where("kind <> 'foreign'")
        .select(
            F.col("ind").alias("post"),
            F.col("post_date").alias("source_day"),
            F.when(is_clean, clean).alias("clean"),
            F.when(~is_clean, F.col("kept.raw")).alias("raw"),
        )
        .transform(_read_refused, contract)
        .select(F.col("post").alias("ind"), "source_day", F.coalesce("clean", "refused").alias("source_hash"))
    )


def published_rows(spark: SparkSession, silver: str, contract: Contract) -> DataFrame:
    """Read what is published of a table, clean or refused; columns ind, silver_day, silver_hash."""
    clean = spark.table(f"{silver}.`{contract.table}`").select(
        "ind", F.col("post_date").alias("silver_day"), _hash(*contract.names).alias("silver_hash")
    )
    refused = (
        spark.table(f"{silver}.quarantine")
        .where(f"kind = 'own' AND source_table = '{contract.table}'")
        .select(F.col("ind").alias("post"), F.col("post_date").alias("silver_day"), "raw")
        .transform(_read_refused, contract)
        .select("post", "silver_day", "refused")
    )
    return clean.unionAll(refused)


def _hash(*columns: Column | str) -> Column:
    """Hash values as JSON: xxhash64 by itself skips NULLs, so that a value may change its column unseen."""
    return F.xxhash64(F.to_json(F.struct(*columns), {"ignoreNullFields": "false"}))


def _read_refused(rows: DataFrame, contract: Contract) -> DataFrame:
    """Add `refused`: the hash of the JSON value of `raw`, or of its text when it is none.

    The text of a JSON value says too much: a REST proxy may print it anew on its way.
    """
    value = F.coalesce(F.col("doc").cast("string"), "raw").alias("refused")
    return rows.transform(parse_lines, contract.id).withColumn("refused", _hash(value))


def by_day(pairs: DataFrame) -> DataFrame:
    """Count pairs of a source row and a published row under the days they stand on."""
    source, silver = F.col("source_day"), F.col("silver_day")
    both = source.isNotNull() & silver.isNotNull()
    moved = both & (source != silver)
    changed = both & (source == silver) & (F.col("source_hash") != F.col("silver_hash"))
    in_source = _seen(
        source,
        inserted=silver.isNull(),
        changed=changed,
        moved=moved,
        source_rows=F.lit(1),
        source_digest=F.col("source_hash"),
    )
    in_silver = _seen(
        silver,
        deleted=source.isNull(),
        moved=moved,
        silver_rows=F.lit(1),
        silver_digest=F.col("silver_hash"),
    )
    seen = pairs.select(F.inline(F.array(in_source, in_silver))).where("post_date IS NOT NULL")
    sums = [F.sum(column.name).cast(column.type).alias(column.name) for column in _NUMBERS]
    return seen.groupBy("post_date").agg(*sums)


_NUMBERS = [column for column in tables.STALE if column.name not in ("post_date", "source_table")]


def _seen(day: Column, **values: Column) -> Column:
    # a comparison with an absent row is NULL: nothing to count
    numbers = (
        F.coalesce(values.get(column.name, F.lit(0)).cast(column.type), F.lit(0).cast(column.type)).alias(
            column.name
        )
        for column in _NUMBERS
    )
    return F.struct(day.alias("post_date"), *numbers)


def windows(days: Iterable[date], most: int = MOST_WINDOWS) -> list[Window]:
    """Lay days out as contiguous windows, the end excluded; of too many the smallest gaps close."""
    in_order = sorted(set(days))
    gaps = sorted(((b - a, b) for a, b in pairwise(in_order) if b - a > timedelta(days=1)), reverse=True)
    starts = sorted([*in_order[:1], *(after for _, after in gaps[: most - 1])])
    ends = [max(day for day in in_order if day < start) for start in starts[1:]] + in_order[-1:]
    return [
        {"window_start": str(first), "window_end": str(last + timedelta(days=1))}
        for first, last in zip(starts, ends, strict=True)
    ]


def described(rows: list[Row]) -> list[str]:
    """Say what differs, a line a day and table, and how to rebuild each window."""
    if not rows:
        return ["Every published day is as the source has it"]
    lines = [
        f"{row.post_date} {row.source_table}: {row.inserted} inserted, {row.changed} changed, "
        f"{row.moved} moved, {row.deleted} deleted; {row.source_rows} rows in the source, "
        f"{row.silver_rows} published"
        for row in rows
    ]
    more = [f"... and {len(rows) - _SHOWN} more lines in ops.stale_days"] if len(rows) > _SHOWN else []
    return [*lines[:_SHOWN], *more, *map(_command, windows(row.post_date for row in rows))]


def _command(window: Window) -> str:
    first, end = window["window_start"], window["window_end"]
    last = date.fromisoformat(end) - timedelta(days=1)
    return (
        f"Rebuild: make load FROM={first} TO={last}, or trigger pinterest_batch with window_start={first} "
        f"and window_end={end}, or pinterest_maintenance with rebuild"
    )


def require_rebuilt(rows: list[Row], rebuilt: list[Window]) -> None:
    """Raise StillStaleError when a day of a rebuilt window is stale."""
    left = sorted(
        {
            str(row.post_date)
            for row in rows
            for window in rebuilt
            if window["window_start"] <= str(row.post_date) < window["window_end"]
        }
    )
    if left:
        raise StillStaleError(
            f"{len(left)} rebuilt days differ from the source: {', '.join(left[:_SHOWN])}. "
            "Repair: if the source changes at this moment, run pinterest_maintenance with rebuild again "
            "later; if the same days come back, look at ops.stale_days and at the log of their publish."
        )
