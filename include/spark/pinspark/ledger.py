"""The ledger: one row per day and table, also for days without a post."""

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.manifest import Manifest

if TYPE_CHECKING:
    from pinspark.publish import Window

COUNTS = [column.name for column in tables.LEDGER if column.type == "BIGINT"]
SEEN = ("selected", "acknowledged", "silver", "quarantined", "moved")
SUMMED = ("doubles", "foreign_doubles", "foreign")


def ledger_rows(window: "Window") -> DataFrame:
    """Count every day of the window for the three tables, in the ledger's columns."""
    parts = [_days(window), *(part for manifest in window.manifests for part in _parts(window, manifest))]
    posts = reduce(DataFrame.unionAll, parts).groupBy("post_date", "source_table", "ind")
    found = posts.agg(
        *(F.max(name).alias(name) for name in SEEN), *(F.sum(name).alias(name) for name in SUMMED)
    )
    orphan = F.greatest(F.col("selected") - F.col("acknowledged"), F.lit(0))
    by_day = found.withColumn("orphans", orphan).groupBy("post_date", "source_table")
    return by_day.agg(*(F.sum(name).alias(name) for name in COUNTS)).select(*tables.LEDGER_TABLE.names)


def ledger_totals(window: "Window") -> list[dict[str, int | str]]:
    """Sum the window's days by table."""
    stored = window.spark.table(f"{window.ops}.ledger").where(window.any.days)
    rows = stored.groupBy("source_table").agg(*(F.sum(name).alias(name) for name in COUNTS)).collect()
    found = {row.source_table: row.asDict() for row in rows}
    return [found[manifest.table] for manifest in window.manifests]


def _days(window: "Window") -> DataFrame:
    days = F.sequence(F.lit(window.any.first_day), F.date_sub(F.lit(window.any.end_day), 1))
    names = F.array(*(F.lit(manifest.table) for manifest in window.manifests))
    one = window.spark.range(1).select(
        F.explode(days).alias("post_date"), F.lit(None).cast("int").alias("ind")
    )
    return _seen(one, F.explode(names), {})


def _parts(window: "Window", manifest: Manifest) -> list[DataFrame]:
    one, table = F.lit(1), F.lit(manifest.table)
    held, rejected = window.held(manifest), window.staged(f"{manifest.table}_rejects").where("kind = 'own'")
    acknowledged = window.held(manifest, manifest.ids)
    copies = {name: F.col(name) for name in ("doubles", "foreign_doubles")}
    foreign = window.spark.table(f"{window.silver}.quarantine").where(window.any.days)
    foreign = foreign.where(f"kind = 'foreign' AND source_table = '{manifest.table}'")
    return [
        _seen(held, table, {"selected": one}),
        _seen(acknowledged, table, {"acknowledged": one}),
        _seen(window.staged(manifest.table), table, {"silver": one, **copies}),
        _seen(rejected, table, {"quarantined": one, **copies}),
        _seen(_moved(window, manifest).join(held, "ind"), table, {"moved": one}),
        _seen(foreign, table, {"foreign": one}),
    ]


def _moved(window: "Window", manifest: Manifest) -> DataFrame:
    own = f"kind = 'own' AND source_table = '{manifest.table}'"
    silver = window.elsewhere(manifest.table).select("ind")
    return silver.unionAll(window.elsewhere("quarantine").where(own).select("ind"))


def _seen(rows: DataFrame, table: Column, values: dict[str, Column]) -> DataFrame:
    counts = [values.get(name, F.lit(0)).cast("bigint").alias(name) for name in (*SEEN, *SUMMED)]
    return rows.select("post_date", table.alias("source_table"), "ind", *counts)
