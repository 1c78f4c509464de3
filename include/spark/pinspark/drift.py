"""Drift of what arrives: fields that no contract knows, and required fields that no row has any more."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.contracts import Contract
from pinspark.landing import OVERSIZE
from pinspark.manifest import Manifest

MOST_OF_A_ROW = 50
# a result is a parameter of the audit: 10,000 bytes at most, and a character may become twelve
MOST_NAMED = 4
SHOWN = 32
MISSING = ": missing"
# JSON types that can be read as a field
ALIKE = {
    "text": {"STRING"},
    "int": {"BIGINT"},
    "float": {"BIGINT", "DECIMAL", "DOUBLE"},
    "datetime": {"STRING"},
}
CLEAN = {"STRING": ("STRING", "text"), "BIGINT": ("INT", "int"), "DECIMAL": ("DOUBLE", "float")}


@dataclass(frozen=True)
class Unknown:
    """A field of our rows that the contract does not know: its JSON type and the rows that have it."""

    name: str
    type: str
    rows: int


@dataclass(frozen=True)
class Cleaned:
    """What clean said of a table: rows with unknown fields, and the most frequent of these."""

    drifted: int = 0
    unknown: tuple[Unknown, ...] = ()


def unknown_fields(rows: DataFrame, contract: Contract) -> DataFrame:
    """Add `unknown`: name to JSON type of the fields outside the contract; NULL for a row without any.

    Only lines that are not plainly as the contract says are looked at.
    """
    known = [*(field.name for field in contract.source), OVERSIZE]
    values = F.try_variant_get("doc", "$[0]", "MAP<STRING,VARIANT>")
    others = F.map_filter(values, lambda name, _: ~name.isin(known))
    types = F.transform_values(others, lambda _, value: F.schema_of_variant(value))
    few = F.map_from_entries(F.slice(F.map_entries(types), 1, MOST_OF_A_ROW))
    return rows.withColumn("unknown", F.when(F.col("row").isNull(), F.when(F.size(others) > 0, few)))


def count_unknown(settled: DataFrame) -> list[Unknown]:
    """Count the unknown fields of our rows, the most frequent ones."""
    kind = F.regexp_extract("type", "^[A-Z]+", 0)
    named = (
        settled.where("kind <> 'foreign'")
        .select(F.explode("kept.unknown").alias("name", "type"))
        .groupBy("name")
        .agg(F.max(F.when(kind != "VOID", kind)).alias("type"), F.count(F.lit(1)).alias("rows"))
        .orderBy(F.desc("rows"), "name")
        .limit(MOST_NAMED)
    )
    return [Unknown(row["name"][:SHOWN], row["type"] or "VOID", row["rows"]) for row in named.collect()]


def parse_cleaned(results: Sequence[Mapping[str, Any] | None]) -> dict[str, Cleaned]:
    """Read what the clean jobs of a window returned, by table."""
    return {
        str(result["table"]): Cleaned(
            int(result.get("drifted", 0)), tuple(Unknown(**field) for field in result.get("unknown", ()))
        )
        for result in results
        if result
    }


def lost_fields(spark: SparkSession, manifest: Manifest, stage: str) -> dict[str, int]:
    """Return the required fields that none of a run's refused rows has, with the rows that were read.

    Asked only of a run that staged nothing: a row without a required field is refused. A row that somebody
    else sent, too, tells nothing, for his copy may be the one that was read.
    """
    rejects = spark.table(f"{stage}.`{manifest.table}_rejects`").where(manifest.of_run)
    own = rejects.where("kind = 'own' AND foreign_doubles = 0")
    read = own.where(~F.get("reasons", F.lit(0)).startswith("row: "))
    reasons = read.select(F.explode("reasons").alias("reason")).where(F.col("reason").endswith(MISSING))
    counts = reasons.groupBy("reason").count().collect()
    rows = read.count() if counts else 0
    return {row.reason.removesuffix(MISSING): rows for row in counts if row["count"] == rows}


def describe_unknown(cleaned: Cleaned, contract: Contract) -> str:
    """Name the unknown fields and the line that takes the first of them in."""
    if not cleaned.unknown:
        return "no field outside the contract"
    named = ", ".join(f"{field.name!r} ({field.type}) in {field.rows} rows" for field in cleaned.unknown)
    first = cleaned.unknown[0]
    kind, wire = CLEAN.get(first.type, ("STRING", "text"))
    name = first.name if first.name.isidentifier() else json.dumps(first.name)
    line = f"- {{name: {name}, type: {kind}, wire: {wire}, doc: ...}}"
    return (
        f"{named}; the landed lines keep them. To take one in add `{line}` to the columns of "
        f"include/contracts/{contract.table}.yaml and run `make contracts`"
    )


def describe_lost(lost: Mapping[str, int], cleaned: Cleaned, contract: Contract) -> str:
    """Name the fields that no row has, each with the unknown ones that look like it."""
    said = []
    for name in lost:
        alike = [field.name for field in cleaned.unknown if field.type in ALIKE[contract.fields[name].wire]]
        said.append(
            f"{name} is in no row" + (f"; renamed to {' or '.join(map(repr, alike))}?" if alike else "")
        )
    if not said:
        return "every required field is in some row"
    return (
        f"{'; '.join(said)} (a renamed field is renamed in include/contracts/{contract.table}.yaml, in "
        "`source` and `from`)"
    )
