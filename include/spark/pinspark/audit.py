"""The audit: every quality rule of the contracts over what a run staged, before anything is published."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.contracts import Contract, QualityRule, load_contract
from pinspark.delta import append, clear_run, schema_differences
from pinspark.drift import Cleaned, describe_lost, describe_unknown, lost_fields
from pinspark.manifest import Manifest

RESULT = (
    "run STRING, source_table STRING, rule STRING, action STRING, rows BIGINT, failed BIGINT, detail STRING"
)
DRIFT = ("missing_fields", "unknown_fields")
NOTHING_SAID: Mapping[str, Cleaned] = {}


class AuditFailedError(RuntimeError):
    """A rule whose action is fail does not hold."""


@dataclass(frozen=True)
class Finding:
    """The result of one rule for one table."""

    source_table: str
    rule: str
    action: str
    rows: int
    failed: int
    detail: str


def audit_tables(
    spark: SparkSession,
    manifests: list[Manifest],
    stage: str,
    ops: str,
    cleaned: Mapping[str, Cleaned] = NOTHING_SAID,
) -> list[Finding]:
    """Apply every rule, write the results once, and give them back; `cleaned` is what clean said by table."""
    contracts = {manifest.table: load_contract(manifest.table) for manifest in manifests}
    counts = _counts(spark, manifests, contracts, stage)
    differences = {
        name: schema_differences(spark, stage, tables.stage(contract)) for name, contract in contracts.items()
    }
    findings = [
        _finding(rule, number, manifest, counts[manifest.table], differences[manifest.table])
        for manifest in manifests
        for number, rule in enumerate(contracts[manifest.table].quality)
        if rule.rule not in DRIFT
    ]
    for manifest in manifests:
        contract, said = contracts[manifest.table], cleaned.get(manifest.table, Cleaned())
        findings += _drift(spark, manifest, contract, stage, counts[manifest.table], said)
    _write(spark, manifests[0], findings, ops)
    return findings


def require(findings: list[Finding], manifest: Manifest) -> None:
    """Raise one error that names every broken `fail` rule."""
    broken = [f for f in findings if f.failed and f.action == "fail"]
    if broken:
        found = "; ".join(
            f"rule {f.rule} of {f.source_table}: {f.failed} of {f.rows} rows fail, {f.detail}" for f in broken
        )
        raise AuditFailedError(
            f"Nothing of [{manifest.first_day}, {manifest.end_day}) was published. {found}. "
            f"Repair: look at the rows of stage.<table> where {manifest.of_run}, correct the source and "
            "clear emulate.<table>; or change the rule's action in include/contracts."
        )


def _counts(
    spark: SparkSession, manifests: list[Manifest], contracts: dict[str, Contract], stage: str
) -> dict[str, Row]:
    """Count everything the rules need in one query: a row a table."""
    width = max(len(contract.quality) for contract in contracts.values())
    parts = [_marked(spark, manifest, contracts[manifest.table], stage, width) for manifest in manifests]
    marked = reduce(DataFrame.unionAll, parts)
    kinds = {"staged": "clean", "rejected": "own", "foreign": "foreign"}
    counted = marked.groupBy("source_table").agg(
        *(F.count_if(F.col("kind") == kind).alias(name) for name, kind in kinds.items()),
        F.sum("foreign_doubles").alias("foreign_doubles"),
        F.count_distinct("key").alias("keys"),
        *(F.sum(f"rule_{number}").alias(f"rule_{number}") for number in range(width)),
    )
    rows = {row.source_table: row for row in counted.collect()}
    nothing = Row(**dict.fromkeys(counted.columns, 0))
    return {manifest.table: rows.get(manifest.table, nothing) for manifest in manifests}


def _marked(spark: SparkSession, manifest: Manifest, contract: Contract, stage: str, width: int) -> DataFrame:
    """Give a row a staged line: its kind, its key when it is clean, and 1 for every rule it breaks."""
    rules = [_broken(rule, manifest) for rule in contract.quality] + [F.lit(False)] * width
    marks = [rule.cast("int").alias(f"rule_{number}") for number, rule in enumerate(rules[:width])]
    none = [F.lit(0).alias(f"rule_{number}") for number in range(width)]
    key = F.concat_ws(",", *(F.col(name).cast("string") for name in contract.key))
    table = F.lit(manifest.table).alias("source_table")
    clean = spark.table(f"{stage}.`{manifest.table}`").where(manifest.of_run)
    refused = spark.table(f"{stage}.`{manifest.table}_rejects`").where(manifest.of_run)
    return clean.select(
        table, F.lit("clean").alias("kind"), key.alias("key"), "foreign_doubles", *marks
    ).unionAll(refused.select(table, "kind", F.lit(None).cast("string"), "foreign_doubles", *none))


def _broken(rule: QualityRule, manifest: Manifest) -> Column:
    """Tell whether a staged row breaks a rule on its columns; the other rules need no look at the rows."""
    if rule.rule == "in_window":
        return ~F.coalesce(F.expr(manifest.days), F.lit(False))
    if rule.rule == "on_day":
        return F.coalesce(F.to_date(rule.columns[0]) != F.col("post_date"), F.lit(False))
    if rule.rule != "range":
        return F.lit(False)
    value = F.expr(rule.columns[0])
    low = F.lit(False) if rule.minimum is None else value < rule.minimum
    high = F.lit(False) if rule.maximum is None else value > rule.maximum
    return F.coalesce(low | high, F.lit(False))


def _finding(rule: QualityRule, number: int, manifest: Manifest, row: Row, differences: list[str]) -> Finding:
    total = row.staged + row.rejected
    match rule.rule:
        case "sums":
            detail = f"{manifest.count} acknowledged, {row.staged} staged + {row.rejected} rejected"
            found = manifest.count, abs(manifest.count - total), detail
        case "unique":
            found = row.staged, row.staged - row["keys"], rule.doc
        case "types":
            found = row.staged, len(differences), "; ".join(differences) or "as the contract says"
        case "all_rejected":
            failed = row.rejected if not row.staged else 0
            found = total, failed, f"{row.rejected} of {total} rows are in quarantine"
        case "foreign_doubles":
            detail = "copies of our ids at offsets nobody acknowledged to us; the latest offset won"
            found = total, row.foreign_doubles, detail
        case "foreign_junk":
            found = total, row.foreign, "lines that are no row of anybody; kept in quarantine"
        case "orphans":
            failed = manifest.selected - manifest.count
            found = manifest.selected, failed, f"{manifest.selected} selected, {manifest.count} sent"
        case _:
            found = row.staged, row[f"rule_{number}"], rule.doc
    return Finding(manifest.table, rule.name, rule.action, *found)


def _drift(
    spark: SparkSession, manifest: Manifest, contract: Contract, stage: str, row: Row, cleaned: Cleaned
) -> list[Finding]:
    """Apply the rules on fields that came or went; a job of its own only when no row was clean."""
    total = row.staged + row.rejected
    lost = lost_fields(spark, manifest, stage) if row.rejected and not row.staged else {}
    found = {
        "missing_fields": (max(lost.values(), default=0), describe_lost(lost, cleaned, contract)),
        "unknown_fields": (cleaned.drifted, describe_unknown(cleaned, contract)),
    }
    rules = [rule for rule in contract.quality if rule.rule in found]
    return [Finding(manifest.table, rule.name, rule.action, total, *found[rule.rule]) for rule in rules]


def _write(spark: SparkSession, manifest: Manifest, findings: list[Finding], ops: str) -> None:
    values = [(manifest.run, f.source_table, f.rule, f.action, f.rows, f.failed, f.detail) for f in findings]
    results = spark.createDataFrame(values, RESULT)
    dated = results.withColumns(
        {"window_start": F.lit(manifest.start), "window_end": F.lit(manifest.end)}
    ).select(*tables.QUALITY_TABLE.names)
    clear_run(spark, f"{ops}.quality_results", manifest)
    append(dated, f"{ops}.quality_results")
