"""Clean one table of a window and stage it: rows for silver, refused lines for quarantine."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinspark import tables
from pinspark.contracts import Contract, load_contract
from pinspark.delta import replace_where
from pinspark.landing import parse_lines, quotable, read_ids, read_keys, read_lines
from pinspark.manifest import Manifest
from pinspark.session import together
from pinspark.transforms import clean_columns, latest_copies, read_fields, read_values

SAMPLE = 10


class LandingIncomplete(RuntimeError):
    """Acknowledged ids that no landed object holds."""


@dataclass(frozen=True)
class Staged:
    """What a run staged for one table."""

    staged: int
    rejected: int
    doubles: int
    foreign_doubles: int
    foreign: int


def stage_table(spark: SparkSession, manifest: Manifest, schema: str) -> Staged:
    """Replace this run's rows in the stage tables and make sure that no acknowledged id is missing."""
    contract = load_contract(manifest.table)
    parsed = parse_lines(read_lines(spark, read_keys(spark, manifest)), contract.id)
    ids = read_ids(spark, manifest.ids)
    rows = latest_copies(parsed.transform(clean_lines, contract), ids, contract)
    clean = staged_rows(rows, manifest, contract)
    refused = own_rejects(rows, manifest).unionByName(foreign_rejects(parsed, manifest))
    together(
        lambda: replace_where(clean, f"{schema}.`{manifest.table}`", manifest.of_run),
        lambda: replace_where(refused, f"{schema}.`{manifest.table}_rejects`", manifest.of_run),
    )
    result = read_staged(spark, manifest, schema)
    if result.staged + result.rejected != manifest.count:
        raise LandingIncomplete(_missing(spark, manifest, schema, result))
    return result


def clean_lines(parsed: DataFrame, contract: Contract) -> DataFrame:
    """Chain the steps from parsed lines to clean columns and reasons."""
    return parsed.transform(read_fields, contract).transform(read_values, contract).transform(clean_columns, contract)


def staged_rows(rows: DataFrame, manifest: Manifest, contract: Contract) -> DataFrame:
    """Select the rows without a reason, as the stage table has them."""
    clean = [F.col("kept")[f"clean_{name}"].alias(name) for name in contract.names]
    good = rows.where(F.size("kept.reasons") == 0)
    return good.select(*clean, "post_date", F.lit(manifest.run).alias("run"), "doubles", "foreign_doubles")


def own_rejects(rows: DataFrame, manifest: Manifest) -> DataFrame:
    """Select our rows that could not be read, with every reason."""
    parts = [F.col("kept")[name].alias(name) for name in ("columns", "reasons", "raw", "key", "line")]
    return rows.where(F.size("kept.reasons") > 0).select(
        F.lit(manifest.table).alias("source_table"),
        "ind",
        F.lit("own").alias("kind"),
        *parts,
        "doubles",
        "foreign_doubles",
        "post_date",
        F.lit(manifest.run).alias("run"),
    )


def foreign_rejects(parsed: DataFrame, manifest: Manifest) -> DataFrame:
    """Select the lines that are no row of anybody, under the window's first day."""
    return parsed.where(F.col("ind").isNull()).select(
        F.lit(manifest.table).alias("source_table"),
        F.lit(None).cast("int").alias("ind"),
        F.lit("foreign").alias("kind"),
        F.array().cast("array<string>").alias("columns"),
        F.array(F.concat(F.lit("row: "), "fault")).alias("reasons"),
        quotable(F.col("raw")).alias("raw"),
        "key",
        "line",
        F.lit(0).alias("doubles"),
        F.lit(0).alias("foreign_doubles"),
        F.lit(manifest.first_day).alias("post_date"),
        F.lit(manifest.run).alias("run"),
    )


def read_staged(spark: SparkSession, manifest: Manifest, schema: str) -> Staged:
    """Count what this run staged."""
    names = ("kind", "doubles", "foreign_doubles")
    clean = spark.table(f"{schema}.`{manifest.table}`").where(manifest.of_run).withColumn("kind", F.lit("clean"))
    refused = spark.table(f"{schema}.`{manifest.table}_rejects`").where(manifest.of_run)
    both = clean.select(*names).unionAll(refused.select(*names))
    counts = [F.count_if(F.col("kind") == kind) for kind in ("clean", "own")]
    sums = [F.coalesce(F.sum(name), F.lit(0)) for name in names[1:]]
    row = both.agg(*counts, *sums, F.count_if(F.col("kind") == "foreign")).collect()[0]
    return Staged(*(int(value) for value in row))


def _missing(spark: SparkSession, manifest: Manifest, schema: str, found: Staged) -> str:
    clean = spark.table(f"{schema}.`{manifest.table}`").where(manifest.of_run).select("ind")
    own = spark.table(f"{schema}.`{manifest.table}_rejects`").where(manifest.of_run).where("kind = 'own'").select("ind")
    lost = read_ids(spark, manifest.ids).join(clean.unionAll(own), "ind", "left_anti")
    sample = [row.ind for row in lost.select("ind").orderBy("ind").limit(SAMPLE).collect()]
    return (
        f"{manifest.table}: {manifest.count} posts were acknowledged, {found.staged + found.rejected} were found in the "
        f"landed objects of {manifest.keys}; missing: {sample or 'none, so the id file and the manifest disagree'}. "
        f"Repair: let the task retry, it reads the objects again; when they stay missing, check the sink and clear "
        f"land.{manifest.table}, or clear emulate.{manifest.table} to send the window again."
    )
