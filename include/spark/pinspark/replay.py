"""Replay: quarantined rows through the present contract; those it can read are published.

Three writes, each found anew from what the tables hold at that moment: the repaired rows into silver, the
same rows out of quarantine, the ledger. A crash between two of them leaves rows in both places, or the ledger
behind; running again does what is left. What is published under an id wins: a quarantined row of it stays.

A batch that publishes the same days meanwhile wins: it counts them when it is done, and replaces them again
if another writer came between. Rows replayed by then are in quarantine as before, and can be replayed again.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.contracts import TABLES, Contract, load_contract
from pinspark.delta import check_schema, merge, retry_conflicts
from pinspark.landing import parse_lines, unquoted
from pinspark.ledger import ledger_splits
from pinspark.reasons import rule_problem
from pinspark.stage import clean_lines

MOVED, REFUSED, PUBLISHED = "moved", "refused", "published"
SAID = {
    MOVED: "moved to silver, were refused for",
    REFUSED: "still refused for",
    PUBLISHED: "stay, silver does not hold them as they are cleaned now, were refused for",
}
_SHOWN = 50
# a reason without the value it tells of, so that rows are counted together and no log holds it
_VALUE = r"(?s)^(\w+): .* (is (?:not|outside) )"
_PLACE = ("source_table", "ind", "post_date", "key", "line")


class ReplayError(ValueError):
    """Params of a replay that cannot be used."""


@dataclass(frozen=True)
class Choice:
    """Which quarantined rows to replay: days (both included), tables, and a text within a reason."""

    first: date = date.min
    last: date = date.max
    tables: tuple[str, ...] = TABLES
    reason: str = ""

    @property
    def days(self) -> Column:
        """The condition on post_date."""
        return F.col("post_date").between(F.lit(self.first), F.lit(self.last))


def parse_choice(text: str) -> Choice:
    """Read the params `days`, `table` and `reason`; null is no limit."""
    given: dict[str, Any] = json.loads(text)
    days, table, reason = given.get("days"), given.get("table"), given.get("reason")
    faults = []
    if table is not None and table not in TABLES:
        faults.append(f"table {table!r} is none of {', '.join(TABLES)}")
    if reason is not None and (not isinstance(reason, str) or not reason):
        faults.append(f"reason {reason!r} is no text")
    first, last = date.min, date.max
    if days is not None:
        try:
            first, last = map(date.fromisoformat, days)
        except (TypeError, ValueError):
            faults.append(f"days {days!r} are not a first and a last day")
    if last < first:
        faults.append(f"days end on {last}, before they start on {first}")
    if faults:
        raise ReplayError(
            f"The params cannot be used: {'; '.join(faults)}. Repair: trigger pinterest_replay with days as "
            '["2022-10-15", "2022-10-16"] (UTC, both included), a table, a reason; null stands for all.'
        )
    return Choice(first, last, (table,) if table else TABLES, reason or "")


def replay(spark: SparkSession, silver: str, ops: str, choice: Choice) -> list[Row]:
    """Move what the present contract can read; count by post_date, source_table, outcome and reasons."""
    outcomes: list[Row] = []
    for name in choice.tables:
        contract = load_contract(name)
        check_schema(spark, silver, tables.silver(contract))
        publish_repaired(spark, silver, contract, choice)
        outcomes += settle_quarantine(spark, silver, contract, choice)
    follow_tables(spark, silver, ops, choice)
    return sorted(outcomes)


def cleaned_again(spark: SparkSession, silver: str, contract: Contract, choice: Choice) -> DataFrame:
    """Clean the chosen rows as `clean` does; `post` and `found_*` are what quarantine says of them."""
    reasons = F.lit(True)
    if choice.reason:
        reasons = F.exists("reasons", lambda reason: reason.contains(F.lit(choice.reason)))
    own = (F.col("kind") == "own") & (F.col("source_table") == contract.table) & choice.days & reasons
    lines = (
        spark.table(f"{silver}.quarantine")
        .where(own)
        .withColumnsRenamed({"ind": "post", "columns": "found_columns", "reasons": "found_reasons"})
        .withColumn("raw", unquoted(F.col("raw")))
    )
    cleaned = lines.transform(parse_lines, contract.id).transform(clean_lines, contract)
    return cleaned.transform(stopped, contract)


def stopped(cleaned: DataFrame, contract: Contract) -> DataFrame:
    """Refuse also what breaks a row rule whose action is fail: there is no audit behind a replay."""
    rules = [rule for rule in contract.row_rules if rule.action == "fail"]
    if not rules:
        return cleaned
    found = F.filter(F.array(*(rule_problem(rule, contract) for rule in rules)), lambda one: one.isNotNull())
    return cleaned.withColumn("stops", found).withColumns(
        {
            "columns": F.concat("columns", F.array_compact(F.transform("stops", lambda one: one["column"]))),
            "reasons": F.concat("reasons", F.transform("stops", lambda one: one["reason"])),
        }
    )


def repaired(cleaned: DataFrame, contract: Contract) -> DataFrame:
    """Select the rows that are good now, as silver has them; of several with one id the latest."""
    latest = Window.partitionBy("post").orderBy(*(F.desc(name) for name in ("post_date", "key", "line")))
    rows = cleaned.where(_is_good()).withColumn("rank", F.row_number().over(latest)).where("rank = 1")
    clean = [F.col(f"clean_{name}").alias(name) for name in contract.names]
    return rows.select(*clean, "post_date", "key", "line")


def publish_repaired(spark: SparkSession, silver: str, contract: Contract, choice: Choice) -> None:
    """Insert repaired rows whose id is published nowhere."""
    names = tables.silver(contract).names

    def write() -> None:
        rows = cleaned_again(spark, silver, contract, choice).transform(repaired, contract).select(*names)
        published = spark.table(f"{silver}.`{contract.table}`").select("ind")
        if rows.join(published, "ind", "left_anti").limit(1).collect():
            merge(spark, rows, f"{silver}.`{contract.table}`", ["t.ind = s.ind"], _INSERT)

    retry_conflicts(write)


def settle_quarantine(spark: SparkSession, silver: str, contract: Contract, choice: Choice) -> list[Row]:
    """Delete the rows that silver holds now, give the others their present reasons; count the outcomes."""
    same = [f"t.{name} = s.{name}" for name in _PLACE]

    def write() -> list[Row]:
        rows = outcomes(spark, silver, contract, choice)
        counts = counted(rows).collect()
        if any(row.due for row in counts):
            on = ["t.kind = 'own'", *same]
            merge(spark, rows.where("due"), f"{silver}.quarantine", on, _SETTLE)
        return counts

    return retry_conflicts(write)


def outcomes(spark: SparkSession, silver: str, contract: Contract, choice: Choice) -> DataFrame:
    """Tell of each chosen row whether silver holds it as cleaned now; `due`: quarantine must change."""
    cleaned = cleaned_again(spark, silver, contract, choice)
    values = {**{name: f"clean_{name}" for name in contract.names}, "post_date": "post_date"}
    held = spark.table(f"{silver}.`{contract.table}`").select(*(F.col(n).alias(f"held_{n}") for n in values))
    same = (F.col(f"held_{name}").eqNullSafe(F.col(value)) for name, value in values.items())
    there = reduce(Column.__and__, same, (F.col("held_ind") == F.col("post")) & _is_good())
    outcome = (
        F.when(F.col("held_ind").isNotNull(), MOVED)
        .when(F.size("reasons") > 0, REFUSED)
        .otherwise(PUBLISHED)
        .alias("outcome")
    )
    told = ("post_date", "key", "line", "columns", "reasons", "found_reasons")
    rows = cleaned.join(held, there, "left").select(
        "source_table", F.col("post").alias("ind"), *told, outcome
    )
    changed = (F.col("outcome") == REFUSED) & (F.col("reasons") != F.col("found_reasons"))
    return rows.withColumn("due", (F.col("outcome") == MOVED) | changed)


def _is_good() -> Column:
    return (F.size("reasons") == 0) & (F.col("ind") == F.col("post"))


def counted(rows: DataFrame) -> DataFrame:
    """Count rows by day, table, outcome and reasons."""
    shown = F.when(F.col("outcome") == REFUSED, F.col("reasons")).otherwise(F.col("found_reasons"))
    bare = F.transform(shown, lambda reason: F.regexp_replace(reason, _VALUE, "$1: ... $2"))
    reasons = F.array_join(F.array_sort(F.array_distinct(bare)), "; ").alias("reasons")
    return rows.groupBy("post_date", "source_table", "outcome", reasons).agg(
        F.count(F.lit(1)).alias("rows"), F.count_if("due").alias("due")
    )


def follow_tables(spark: SparkSession, silver: str, ops: str, choice: Choice) -> None:
    """Write down anew how each day's posts are split between silver and quarantine, where the sum holds."""
    off = "t.acknowledged = s.silver + s.quarantined AND t.silver <> s.silver"

    def write() -> None:
        splits = ledger_splits(spark, silver, choice.tables).where(choice.days)
        same = ["t.post_date = s.post_date", "t.source_table = s.source_table"]
        ledger = spark.table(f"{ops}.ledger").alias("t")
        if ledger.join(splits.alias("s"), F.expr(" AND ".join([*same, off]))).limit(1).collect():
            merge(spark, splits, f"{ops}.ledger", same, _FOLLOW.format(off=off))

    retry_conflicts(write)


_INSERT = "WHEN NOT MATCHED THEN INSERT *"
_SETTLE = (
    f"WHEN MATCHED AND s.outcome = '{MOVED}' THEN DELETE "
    "WHEN MATCHED THEN UPDATE SET columns = s.columns, reasons = s.reasons"
)
_FOLLOW = "WHEN MATCHED AND {off} THEN UPDATE SET silver = s.silver, quarantined = s.quarantined"


def inexact_days(spark: SparkSession, silver: str, ops: str, choice: Choice) -> list[Row]:
    """List the days whose ledger is not what the tables hold."""
    splits = ledger_splits(spark, silver, choice.tables).where(choice.days)
    ledger = spark.table(f"{ops}.ledger").where(choice.days & F.col("source_table").isin(*choice.tables))
    found = ledger.alias("t").join(splits.alias("s"), ["post_date", "source_table"], "left")
    held = F.coalesce("s.silver", F.lit(0)), F.coalesce("s.quarantined", F.lit(0))
    off = (F.col("t.silver") != held[0]) | (F.col("t.quarantined") != held[1])
    off = off | (F.col("t.acknowledged") != held[0] + held[1])
    return found.where(off).select("post_date", "source_table").orderBy("post_date", "source_table").collect()


def described(rows: list[Row]) -> list[str]:
    """Say what became of the rows, a line a day, table, outcome and reasons."""
    lines = [
        f"{row.post_date} {row.source_table}: {row.rows} {SAID[row.outcome]}: {row.reasons}" for row in rows
    ]
    more = [f"... and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    return [*lines[:_SHOWN], *more] or ["No row in quarantine is of these days, table and reason"]
