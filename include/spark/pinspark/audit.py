"""The audit: every rule of contracts and checks over what a run staged, before anything is published."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.checks import Check, load_checks
from pinspark.contracts import Contract, QualityRule, load_contract
from pinspark.counted import DOUBLES, FOREIGN, REJECTED, STAGED, Counts, count
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
    checks = load_checks()
    counts = count(spark, manifests, contracts, checks, stage)
    findings = []
    for manifest in manifests:
        contract = contracts[manifest.table]
        differences = schema_differences(spark, stage, tables.stage(contract))
        findings += _of_contract(contract, manifest, counts, differences)
        findings += _drift(spark, manifest, contract, stage, counts, cleaned.get(manifest.table, Cleaned()))
        findings += _of_checks([check for check in checks if check.table == manifest.table], counts)
    any_ = manifests[0]
    write_findings(spark, any_.run, any_.start, any_.end, findings, ops)
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
            "clear emulate.<table>; or change the rule in include/contracts (then `make contracts`) or "
            "include/sql/checks, and clear upload_spark_code, so that what follows runs by the changed rule."
        )


def _of_contract(
    contract: Contract, manifest: Manifest, counts: Counts, differences: list[str]
) -> list[Finding]:
    """Lay out the rules of a contract; what it says as a statement is among the checks."""
    table = manifest.table
    of_table = [
        Finding(table, rule.name, rule.action, *_found(rule, manifest, counts, differences))
        for rule in contract.quality
        if rule.rule not in {"unique", *DRIFT}
    ]
    rules = (*contract.counted_rules, *contract.refusing_rules)
    return of_table + [
        Finding(table, r.rule, r.action, *counts.of(table, r.rule), r.doc or r.expect) for r in rules
    ]


def _of_checks(checks: list[Check], counts: Counts) -> list[Finding]:
    return [
        Finding(check.table, check.rule, check.action, *counts.of(check.table, check.rule), check.doc)
        for check in checks
    ]


def _found(
    rule: QualityRule, manifest: Manifest, counts: Counts, differences: list[str]
) -> tuple[int, int, str]:
    staged, rejected, foreign, doubles = (
        counts.number(manifest.table, name) for name in (STAGED, REJECTED, FOREIGN, DOUBLES)
    )
    total = staged + rejected
    match rule.rule:
        case "sums":
            detail = f"{manifest.count} acknowledged, {staged} staged + {rejected} rejected"
            return manifest.count, abs(manifest.count - total), detail
        case "types":
            return staged, len(differences), "; ".join(differences) or "as the contract says"
        case "all_rejected":
            failed = rejected if not staged else 0
            return total, failed, f"{rejected} of {total} rows are in quarantine"
        case "foreign_doubles":
            detail = "copies of our ids at offsets nobody acknowledged to us; the latest offset won"
            return total, doubles, detail
        case "foreign_junk":
            return total, foreign, "lines that are no row of anybody; kept in quarantine"
        case "orphans":
            failed = manifest.selected - manifest.count
            return manifest.selected, failed, f"{manifest.selected} selected, {manifest.count} sent"
        case _:
            return *counts.of(manifest.table, rule.name), rule.doc


def _drift(
    spark: SparkSession, manifest: Manifest, contract: Contract, stage: str, counts: Counts, cleaned: Cleaned
) -> list[Finding]:
    """Apply the rules on fields that came or went; a job of its own only when no row was clean."""
    staged, rejected = (counts.number(manifest.table, name) for name in (STAGED, REJECTED))
    total = staged + rejected
    lost = lost_fields(spark, manifest, stage) if rejected and not staged else {}
    found = {
        "missing_fields": (max(lost.values(), default=0), describe_lost(lost, cleaned, contract)),
        "unknown_fields": (cleaned.drifted, describe_unknown(cleaned, contract)),
    }
    rules = [rule for rule in contract.quality if rule.rule in found]
    return [Finding(manifest.table, rule.name, rule.action, total, *found[rule.rule]) for rule in rules]


def write_findings(
    spark: SparkSession, run: str, start: datetime, end: datetime, findings: list[Finding], ops: str
) -> None:
    """Write a run's results in the place of those of an earlier try."""
    values = [(run, f.source_table, f.rule, f.action, f.rows, f.failed, f.detail) for f in findings]
    results = spark.createDataFrame(values, RESULT)
    dated = results.withColumns({"window_start": F.lit(start), "window_end": F.lit(end)}).select(
        *tables.QUALITY_TABLE.names
    )
    clear_run(spark, f"{ops}.quality_results", run)
    append(dated, f"{ops}.quality_results")
