"""The ledger: one row per day and table, also for days without a post."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.manifest import Manifest
from pinspark.window import Window

COUNTS = [column.name for column in tables.LEDGER if column.type == "BIGINT"]
SEEN = ("selected", "acknowledged", "silver", "quarantined", "moved")
SUMMED = ("doubles", "foreign_doubles", "foreign")


def ledger_days(window: Window) -> list[Row]:
    """Count every day of the window for the three tables: the ledger's columns and `moved`."""
    held = reduce(DataFrame.unionAll, (_held(window, manifest) for manifest in window.manifests))
    one = F.lit(1)
    parts = [
        _days(window),
        _seen(held, selected=one),
        _seen(_elsewhere(window).join(held, ["source_table", "ind"]), moved=one),
        _seen(_stored_foreign(window), foreign=one),
        *(part for manifest in window.manifests for part in _parts(window, manifest)),
    ]
    posts = reduce(DataFrame.unionAll, parts).groupBy("post_date", "source_table", "ind")
    found = posts.agg(
        *(F.max(name).alias(name) for name in SEEN), *(F.sum(name).alias(name) for name in SUMMED)
    )
    orphan = F.greatest(F.col("selected") - F.col("acknowledged"), F.lit(0))
    by_day = found.withColumn("orphans", orphan).groupBy("post_date", "source_table")
    return by_day.agg(*(F.sum(name).alias(name) for name in (*COUNTS, "moved"))).collect()


def ledger_rows(window: Window, days: list[Row]) -> DataFrame:
    """Lay counted days out as rows of the ledger."""
    schema = ", ".join(f"{column.name} {column.type}" for column in tables.LEDGER)
    values = [tuple(day[name] for name in tables.LEDGER_TABLE.names) for day in days]
    return window.spark.createDataFrame(values, schema)


def ledger_elsewhere(window: Window, manifest: Manifest) -> DataFrame:
    """Count the days outside the window that lose posts to it, as they are without them.

    Columns: post_date, silver, quarantined. What is derived from the rows that stay can be written again.
    """
    gone = window.held(manifest).select("ind").distinct().withColumn("gone", F.lit(True))
    own = window.elsewhere("quarantine").where(f"kind = 'own' AND source_table = '{manifest.table}'")
    places = {"silver": window.elsewhere(manifest.table), "quarantined": own}
    rows = reduce(
        DataFrame.unionAll,
        (rows.select("post_date", "ind", F.lit(place).alias("place")) for place, rows in places.items()),
    )
    stays = F.col("gone").isNull()
    counts = [F.count_if(stays & (F.col("place") == place)).alias(place) for place in places]
    days = rows.join(gone, "ind", "left").groupBy("post_date").agg(*counts, F.max("gone").alias("gone"))
    return days.where("gone").drop("gone")


def ledger_splits(spark: SparkSession, silver: str, names: Sequence[str]) -> DataFrame:
    """Count what is stored: post_date, source_table, silver, quarantined; no row where there is nothing."""
    own = spark.table(f"{silver}.quarantine").where("kind = 'own'").where(F.col("source_table").isin(*names))
    parts = [own.select("post_date", "source_table", F.lit(0).alias("silver"), F.lit(1).alias("quarantined"))]
    for name in names:
        clean = spark.table(f"{silver}.`{name}`").select("post_date", F.lit(name).alias("source_table"))
        parts.append(clean.select("*", F.lit(1), F.lit(0)))
    counts = (F.sum(name).alias(name) for name in ("silver", "quarantined"))
    return reduce(DataFrame.unionAll, parts).groupBy("post_date", "source_table").agg(*counts)


def ledger_totals(window: Window, days: list[Row]) -> list[dict[str, int | str]]:
    """Sum counted days by table."""
    return [
        {
            "source_table": manifest.table,
            **{
                name: sum(day[name] for day in days if day.source_table == manifest.table)
                for name in (*COUNTS, "moved")
            },
        }
        for manifest in window.manifests
    ]


def _days(window: Window) -> DataFrame:
    days = F.sequence(F.lit(window.any.first_day), F.date_sub(F.lit(window.any.end_day), 1))
    names = F.array(*(F.lit(manifest.table) for manifest in window.manifests))
    one = window.spark.range(1).select(
        F.explode(days).alias("post_date"), F.lit(None).cast("int").alias("ind")
    )
    return _seen(one.withColumn("source_table", F.explode(names)))


def _held(window: Window, manifest: Manifest) -> DataFrame:
    return window.held(manifest).withColumn("source_table", F.lit(manifest.table))


def _elsewhere(window: Window) -> DataFrame:
    """Ids of other days, published or refused."""
    own = window.elsewhere("quarantine").where("kind = 'own'").select("source_table", "ind")
    silver = (
        window.elsewhere(manifest.table).select(F.lit(manifest.table).alias("source_table"), "ind")
        for manifest in window.manifests
    )
    return reduce(DataFrame.unionAll, silver, own)


def _stored_foreign(window: Window) -> DataFrame:
    return window.spark.table(f"{window.silver}.quarantine").where(f"kind = 'foreign' AND {window.any.days}")


def _parts(window: Window, manifest: Manifest) -> list[DataFrame]:
    one, table = F.lit(1), F.lit(manifest.table)
    copies = {name: F.col(name) for name in ("doubles", "foreign_doubles")}
    rejected = window.staged(f"{manifest.table}_rejects").where("kind = 'own'")
    return [
        _seen(window.held(manifest, manifest.ids).withColumn("source_table", table), acknowledged=one),
        _seen(window.staged(manifest.table).withColumn("source_table", table), silver=one, **copies),
        _seen(rejected, quarantined=one, **copies),
    ]


def _seen(rows: DataFrame, **values: Column) -> DataFrame:
    counts = [values.get(name, F.lit(0)).cast("bigint").alias(name) for name in (*SEEN, *SUMMED)]
    return rows.select("post_date", "source_table", "ind", *counts)
