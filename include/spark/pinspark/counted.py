"""What the audit counts, all of it in one query: staged rows by rule, refused rows by reason, every check."""

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.checks import REPAIR, Check, CheckError
from pinspark.contracts import Contract, QualityRule
from pinspark.manifest import Manifest

# names of the counts that are no rule's
STAGED, REJECTED, FOREIGN, DOUBLES, READ = "#staged", "#rejected", "#foreign", "#foreign_doubles", "#read"


@dataclass(frozen=True)
class Counts:
    """Rows looked at and rows that fail, by table and rule; a table without rows has nothing to count."""

    found: dict[tuple[str, str], tuple[int, int]]

    def of(self, table: str, rule: str) -> tuple[int, int]:
        """Rows looked at and rows that fail."""
        return self.found.get((table, rule), (0, 0))

    def number(self, table: str, name: str) -> int:
        """One of the counts that are no rule's."""
        return self.of(table, name)[0]


def count(
    spark: SparkSession,
    manifests: list[Manifest],
    contracts: dict[str, Contract],
    checks: list[Check],
    stage: str,
) -> Counts:
    """Count everything the rules need in one query."""
    parts = [_of_table(spark, manifest, contracts[manifest.table], stage) for manifest in manifests]
    parts += [check.counts(spark, manifests[0], stage) for check in checks]
    rows = reduce(DataFrame.unionAll, parts).collect()
    found = {(row.source_table, row.name): (row.rows, row.failed or 0) for row in rows}
    for check in checks:
        times = sum((row.source_table, row.name) == (check.table, check.rule) for row in rows)
        if times != 1:
            raise CheckError(f"{check.file} gives {times} rows, not one. {REPAIR}")
    return Counts(found)


def _of_table(spark: SparkSession, manifest: Manifest, contract: Contract, stage: str) -> DataFrame:
    """Count one table's staged and refused rows; columns source_table, name, rows, failed."""
    clean = spark.table(f"{stage}.`{manifest.table}`").where(manifest.of_run)
    refused = spark.table(f"{stage}.`{manifest.table}_rejects`").where(manifest.of_run)
    on_clean = {
        rule.name: breaks for rule in contract.quality if (breaks := _breaks(rule, manifest)) is not None
    }
    on_clean |= {rule.rule: ~F.coalesce(F.expr(rule.expect), F.lit(True)) for rule in contract.counted_rules}
    on_refused = {rule.rule: _says(rule.rule) for rule in contract.refusing_rules}
    names = [*on_clean, *on_refused]

    def marked(rows: DataFrame, kind: Column, marks: dict[str, Column]) -> DataFrame:
        flags = [
            marks.get(name, F.lit(False)).cast("int").alias(f"rule_{number}")
            for number, name in enumerate(names)
        ]
        read = (kind == "clean") | ((kind == "own") & ~marks.get(READ, F.lit(False)))
        return rows.select(kind.alias("kind"), read.alias("read"), "foreign_doubles", *flags)

    marks = marked(clean, F.lit("clean"), on_clean).unionAll(
        marked(refused, F.col("kind"), on_refused | {READ: _says("row")})
    )
    counted = marks.agg(
        *(F.count_if(F.col("kind") == kind).alias(name) for name, kind in _KINDS.items()),
        F.coalesce(F.sum("foreign_doubles"), F.lit(0)).alias(DOUBLES),
        F.count_if("read").alias(READ),
        *(F.sum(f"rule_{number}").alias(f"rule_{number}") for number in range(len(names))),
    )
    none = F.lit(0).cast("bigint")
    lines = [_line(name, F.col(f"`{name}`"), none) for name in (*_KINDS, DOUBLES, READ)]
    lines += [
        _line(name, F.col(f"`{READ if name in on_refused else STAGED}`"), F.col(f"rule_{number}"))
        for number, name in enumerate(names)
    ]
    return counted.select(F.inline(F.array(*lines))).select(
        F.lit(manifest.table).alias("source_table"), "name", "rows", "failed"
    )


_KINDS = {STAGED: "clean", REJECTED: "own", FOREIGN: "foreign"}


def _line(name: str, rows: Column, failed: Column) -> Column:
    return F.struct(F.lit(name).alias("name"), rows.alias("rows"), failed.alias("failed"))


def _says(rule: str) -> Column:
    """Tell whether a refused row has a reason of this rule; no field's reason begins as a rule's does."""
    return F.coalesce(F.exists("reasons", lambda reason: reason.startswith(f"{rule}: ")), F.lit(False))


def _breaks(rule: QualityRule, manifest: Manifest) -> Column | None:
    """Tell whether a staged row breaks a rule on its columns; the other rules need no look at the rows."""
    match rule.rule:
        case "in_window":
            return ~F.coalesce(F.expr(manifest.days), F.lit(False))
        case "on_day":
            return F.coalesce(F.to_date(rule.columns[0]) != F.col("post_date"), F.lit(False))
        case _:
            return None
