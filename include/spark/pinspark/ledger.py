"""The ledger: one row per day and table, also for days without a post."""

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinspark import tables
from pinspark.landing import read_ids
from pinspark.manifest import Manifest

if TYPE_CHECKING:
    from pinspark.publish import Window

COUNTS = [column.name for column in tables.LEDGER if column.type == "BIGINT"]


def ledger_rows(window: "Window") -> DataFrame:
    """Count every day of the window for the three tables, in the ledger's columns."""
    parts = [_days(window), *(part for manifest in window.manifests for part in _parts(window, manifest))]
    counted = reduce(DataFrame.unionAll, parts).groupBy("post_date", "source_table")
    return counted.agg(*(F.sum(name).alias(name) for name in COUNTS)).select(*tables.LEDGER_TABLE.names)


def ledger_totals(window: "Window") -> list[dict[str, int | str]]:
    """Sum the window's days by table."""
    stored = window.spark.table(f"{window.ops}.ledger").where(window.any.days)
    rows = stored.groupBy("source_table").agg(*(F.sum(name).alias(name) for name in COUNTS)).collect()
    return [row.asDict() for row in sorted(rows, key=lambda row: [m.table for m in window.manifests].index(row.source_table))]


def _days(window: "Window") -> DataFrame:
    first, end = window.any.first_day, window.any.end_day
    days = F.sequence(F.lit(first), F.date_sub(F.lit(end), 1))
    names = F.array(*(F.lit(manifest.table) for manifest in window.manifests))
    one = window.spark.range(1).select(F.explode(days).alias("post_date"))
    return _counted(one.withColumn("source_table", F.explode(names)), {})


def _parts(window: "Window", manifest: Manifest) -> list[DataFrame]:
    one, table = F.lit(1), F.lit(manifest.table)
    held = window.held(manifest)
    acknowledged = read_ids(window.spark, manifest.ids)
    clean = window.staged(manifest.table)
    refused = window.staged(f"{manifest.table}_rejects").where("kind = 'own'")
    doubles: dict[str, Column] = {name: F.col(name) for name in ("doubles", "foreign_doubles")}
    parts = [
        _counted(held.withColumn("source_table", table), {"selected": one, "orphans": one}),
        _counted(acknowledged.withColumn("source_table", table), {"acknowledged": one, "orphans": F.lit(-1)}),
        _counted(clean.withColumn("source_table", table), {"silver": one, **doubles}),
        _counted(refused, {"quarantined": one, **doubles}),
        _counted(_moved(window, manifest, held).withColumn("source_table", table), {"moved": one}),
    ]
    foreign = window.spark.table(f"{window.silver}.quarantine").where(window.any.days)
    foreign = foreign.where(f"kind = 'foreign' AND source_table = '{manifest.table}'")
    return [*parts, _counted(foreign, {"foreign": one})]


def _moved(window: "Window", manifest: Manifest, held: DataFrame) -> DataFrame:
    silver = window.elsewhere(manifest.table).select("ind")
    own = f"kind = 'own' AND source_table = '{manifest.table}'"
    both = silver.unionAll(window.elsewhere("quarantine").where(own).select("ind"))
    return held.join(both, "ind", "left_semi")


def _counted(rows: DataFrame, counts: dict[str, Column]) -> DataFrame:
    values = [counts.get(name, F.lit(0)).cast("bigint").alias(name) for name in COUNTS]
    return rows.select("post_date", "source_table", *values)
