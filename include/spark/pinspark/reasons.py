"""Why a row is refused: one problem a field that cannot be read, one a rule that does not hold."""

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.contracts import Contract
from pinspark.expectations import renamed
from pinspark.row_rules import RowRule

SHOWN = 60
MASK = "***"


def problem(column: Column, reason: Column) -> Column:
    """Pair the field that a reason is about, if it is about one, with the reason."""
    return F.struct(column.cast("string").alias("column"), reason.alias("reason"))


def shown(kind: Column, text: Column, pii: bool) -> Column:
    """Quote a value as reasons do: cut when it is long, masked when it is personal."""
    if pii:  # the JSON type may be told, but an object's also holds its keys
        return F.concat(F.lit(f"{MASK} ("), F.regexp_extract(kind, "^[A-Z]+", 0), F.lit(")"))
    cut = F.when(F.length(text) > SHOWN, F.concat(F.substring(text, 1, SHOWN), F.lit("..."))).otherwise(text)
    return F.when(kind == "STRING", F.concat(F.lit("'"), cut, F.lit("'"))).otherwise(F.coalesce(cut, kind))


def rule_problem(rule: RowRule, contract: Contract) -> Column:
    """Say that a row breaks a rule; a line that is no row is not looked at, which the audit counts on."""
    holds = F.coalesce(F.expr(renamed(rule.expect, lambda name: f"clean_{name}")), F.lit(True))
    fields = [name for column in contract.columns if column.name in rule.columns for name in column.sources]
    field = F.lit(fields[0] if len(fields) == 1 else None)
    return F.when(F.col("fault").isNull() & ~holds, problem(field, F.lit(rule.reason)))
