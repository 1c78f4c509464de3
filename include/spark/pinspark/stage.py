"""Clean one table of a window and stage it: rows for silver, refused lines for quarantine."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.contracts import Contract, load_contract
from pinspark.delta import append, check_schema, clear_run
from pinspark.drift import Unknown, count_unknown, unknown_fields
from pinspark.landing import parse_lines, present, read_ids, read_keys, read_lines
from pinspark.manifest import Manifest
from pinspark.session import expect_rows, together
from pinspark.transforms import clean_columns, read_fields, read_values, settle

SAMPLE = 10


class LandingIncompleteError(RuntimeError):
    """Acknowledged ids that no landed object holds."""


@dataclass(frozen=True)
class Staged:
    """What a run staged for one table."""

    staged: int
    rejected: int
    doubles: int
    foreign_doubles: int
    foreign: int
    drifted: int
    unknown: tuple[Unknown, ...] = ()


def stage_table(spark: SparkSession, manifest: Manifest, schema: str) -> Staged:
    """Replace this run's rows in the stage tables and make sure that no acknowledged id is missing."""
    contract = load_contract(manifest.table)
    expect_rows(spark, manifest.count)
    rows, rejects = f"{schema}.`{manifest.table}`", f"{schema}.`{manifest.table}_rejects`"
    together(*(partial(clear_run, spark, table, manifest.run) for table in (rows, rejects)))
    if not manifest.count:
        return Staged(0, 0, 0, 0, 0, 0)
    with _landed(manifest):
        settled = settled_rows(spark, manifest, contract)
        counts = Observation("settled")
        try:
            append(staged_rows(settled.observe(counts, *_counts()), manifest, contract), rows)
        except Exception:
            check_schema(spark, schema, tables.stage(contract))  # asked only when it may be the reason
            raise
        result = Staged(**{name: int(value or 0) for name, value in counts.get.items()}, unknown=())
        if result.rejected or result.foreign:
            append(rejected_rows(settled, manifest), rejects)
        if result.drifted:
            result = replace(result, unknown=tuple(count_unknown(settled)))
    if result.staged + result.rejected != manifest.count:
        raise LandingIncompleteError(_missing(spark, manifest, schema, result))
    return result


def _landed(manifest: Manifest) -> AbstractContextManager[None]:
    return present(
        f"{manifest.table} [{manifest.first_day}, {manifest.end_day}): what landed for run {manifest.run}",
        f"clear emulate.{manifest.table}, which sends the window again; if its ids are gone too, clear "
        "select_posts.",
    )


def settled_rows(spark: SparkSession, manifest: Manifest, contract: Contract) -> DataFrame:
    """Chain the steps from the manifest's objects to one row a post or junk line."""
    return (
        read_lines(spark, read_keys(spark, manifest))
        .transform(parse_lines, contract.id)
        .transform(clean_lines, contract)
        .transform(settle, read_ids(spark, manifest.ids), contract)
    )


def _counts() -> list[Column]:
    kind = F.col("kind")
    return [
        F.count_if(kind == "clean").alias("staged"),
        F.count_if(kind == "own").alias("rejected"),
        F.sum("doubles").alias("doubles"),
        F.sum("foreign_doubles").alias("foreign_doubles"),
        F.count_if(kind == "foreign").alias("foreign"),
        F.count_if((kind != "foreign") & F.col("kept.unknown").isNotNull()).alias("drifted"),
    ]


def clean_lines(parsed: DataFrame, contract: Contract) -> DataFrame:
    """Chain the steps from parsed lines to clean columns, reasons and unknown fields."""
    return (
        parsed.transform(read_fields, contract)
        .transform(unknown_fields, contract)
        .transform(read_values, contract)
        .transform(clean_columns, contract)
    )


def staged_rows(settled: DataFrame, manifest: Manifest, contract: Contract) -> DataFrame:
    """Select the rows without a reason, as the stage table has them."""
    clean = [F.col("kept")[f"clean_{name}"].alias(name) for name in contract.names]
    good = settled.where("kind = 'clean'")
    return good.select(*clean, "post_date", F.lit(manifest.run).alias("run"), "doubles", "foreign_doubles")


def rejected_rows(settled: DataFrame, manifest: Manifest) -> DataFrame:
    """Select what could not be read, with every reason; a line of nobody stands under the first day."""
    return settled.where("kind <> 'clean'").select(
        F.lit(manifest.table).alias("source_table"),
        "ind",
        "kind",
        *(F.col("kept")[name].alias(name) for name in ("columns", "reasons", "raw", "key", "line")),
        "doubles",
        "foreign_doubles",
        F.coalesce("post_date", F.lit(manifest.first_day)).alias("post_date"),
        F.lit(manifest.run).alias("run"),
    )


def _missing(spark: SparkSession, manifest: Manifest, schema: str, found: Staged) -> str:
    clean = spark.table(f"{schema}.`{manifest.table}`").where(manifest.of_run).select("ind")
    own = (
        spark.table(f"{schema}.`{manifest.table}_rejects`")
        .where(manifest.of_run)
        .where("kind = 'own'")
        .select("ind")
    )
    lost = read_ids(spark, manifest.ids).join(clean.unionAll(own), "ind", "left_anti")
    sample = [row.ind for row in lost.select("ind").orderBy("ind").limit(SAMPLE).collect()]
    number = found.staged + found.rejected
    if not sample and (erased := manifest.count - read_ids(spark, manifest.ids).count()) > 0:
        return (
            f"{manifest.table}: {erased} of the {manifest.count} posts of this window have been erased since "
            "(pinterest_maintenance, param erase). Repair: clear select_posts, so that the window runs anew."
        )
    return (
        f"{manifest.table}: {manifest.count} posts were acknowledged, {number} were found in the objects of "
        f"{manifest.keys}; missing: {sample or 'none, so the id file and the manifest disagree'}. "
        "Repair: let the task retry, it reads the objects again; when they stay missing, check the sink "
        f"and clear land.{manifest.table}, or clear emulate.{manifest.table} to send the window again."
    )
