"""Cleaning by contract: parsed lines in, typed columns and the reasons of refused rows out."""

import sys
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.contracts import Column as CleanColumn
from pinspark.contracts import Contract, Field
from pinspark.landing import NOT_UTF8, quotable
from pinspark.reasons import problem, rule_problem, shown

WHITESPACE = "".join(
    map(
        chr,
        (*range(9, 14), *range(28, 33), 133, 160, 5760, *range(8192, 8203), 8232, 8233, 8239, 8287, 12288),
    )
)
DATETIMES = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}$",
    r"^[0-9]{4}:[0-9]{2}:[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
)
COUNT = r"^([0-9]{1,19}(?:\.[0-9]{1,9})?)([kM]?)$"
JSON_NUMBER = r"^(BIGINT|DECIMAL|DOUBLE)"
TYPED = {"text": "STRING", "int": "BIGINT", "float": "DOUBLE", "datetime": "STRING"}
SHAPES = {
    "text": "STRING",
    "int": "BIGINT",
    "float": r"BIGINT|DECIMAL\([0-9]+,[0-9]+\)",
    "datetime": "STRING",
}
LIMITS = {"int": (-(2**31), 2**31 - 1), "float": (-sys.float_info.max, sys.float_info.max)}
ANY_SHAPE = r"[A-Z]+(?:\([0-9]+,[0-9]+\))?"
KINDS = {"text": "text", "int": "INT", "float": "number", "datetime": "datetime"}


def read_fields(lines: DataFrame, contract: Contract) -> DataFrame:
    """Add `row`, the fields as one struct when every one of them is plainly as the contract says, else NULL.

    Rows without it get `kind_<field>` (JSON type; NULL: no such key) and `text_<field>`; to read
    those field by field is several times dearer.
    """
    schema = ", ".join(f"`{name}` {TYPED[field.wire]}" for name, field in contract.fields.items())
    plain = F.col("fault").isNull() & F.schema_of_variant("doc").rlike(shape(contract))
    typed = lines.withColumn("typed", F.when(plain, F.from_json("raw", schema)))
    good = reduce(Column.__and__, (_in_bounds(field) for field in contract.fields.values()))
    rows = typed.withColumn("row", F.when(good, F.col("typed")))
    leaves: dict[str, Column] = {}
    for name in contract.fields:
        path, other = f"$[0]['{name}']", F.col("row").isNull()
        kind = F.schema_of_variant(F.try_variant_get("doc", path, "variant"))
        leaves[f"kind_{name}"] = F.when(other, kind)
        leaves[f"text_{name}"] = F.when(other, F.try_variant_get("doc", path, "string"))
    return rows.withColumns(leaves)


def shape(contract: Contract) -> str:
    """Return the pattern of the type of a line that holds the contract's fields and no others, in order.

    A field that is not required may be absent, with the comma on its side of the first one that is.
    """
    pattern, begun = "", False
    for field in sorted(contract.source, key=lambda field: field.name):
        kinds = SHAPES[field.wire] + ("|VOID" if field.nullable else "") if field.used else ANY_SHAPE
        part = f"{field.name}: (?:{kinds})"
        part = f", {part}" if begun else part
        if field.required or field.name == contract.id:
            begun = True
        else:
            part = f"(?:{part})?" if begun else f"(?:{part}, )?"
        pattern += part
    return f"^ARRAY<OBJECT<{pattern}>>$"


def _in_bounds(field: Field) -> Column:
    """Tell whether a field of `typed` needs no second look."""
    typed = F.col("typed")[field.name]
    if field.wire == "datetime":
        return typed.isNull() | _datetime(typed).isNotNull()
    if field.wire == "text":
        return F.lit(True) if field.nullable else _trim(typed) != ""
    low, high = LIMITS[field.wire]
    low = low if field.minimum is None else field.minimum
    high = high if field.maximum is None else field.maximum
    return F.coalesce(typed.between(low, high), F.lit(True))


def read_values(rows: DataFrame, contract: Contract) -> DataFrame:
    """Add `value_<field>`: the field as its wire type, NULL when it cannot be read or is blank."""
    return rows.withColumns(
        {
            f"value_{name}": F.when(F.col("row").isNotNull(), _plain_value(field)).otherwise(_value(field))
            for name, field in contract.fields.items()
        }
    )


def _plain_value(field: Field) -> Column:
    value = F.col("row")[field.name]
    match field.wire:
        case "int":
            return value.cast("int")
        case "float":
            return value
        case "text":
            return F.when(_trim(value) != "", value)
        case _:
            return _datetime(value)


def _value(field: Field) -> Column:
    kind, text = F.col(f"kind_{field.name}"), F.col(f"text_{field.name}")
    if field.wire == "int":
        whole = F.when(kind == "DOUBLE", F.regexp_replace(text, r"\.0$", "")).otherwise(text)
        return F.when(kind.rlike(JSON_NUMBER), F.when(whole.rlike("^-?[0-9]+$"), whole.try_cast("int")))
    if field.wire == "float":
        return F.when(kind.rlike(JSON_NUMBER), text.try_cast("double"))
    filled = F.when((kind == "STRING") & (_trim(text) != ""), text)
    return filled if field.wire == "text" else _datetime(filled)


def _datetime(text: Column) -> Column:
    known = reduce(Column.__or__, (text.rlike(form) for form in DATETIMES))
    iso = F.concat(F.translate(F.substring(text, 1, 10), ":", "-"), F.lit(" "), F.substring(text, 12, 8))
    return F.when(known, iso.try_cast("timestamp"))


def clean_columns(rows: DataFrame, contract: Contract) -> DataFrame:
    """Add the contract's columns, in order, then `columns` and `reasons` of what is refused."""
    made = {f"clean_{column.name}": _clean(column) for column in contract.columns}
    found = rows.withColumns(made)
    found = found.withColumn("problems", _problems(contract))
    return found.withColumn(
        "columns", F.array_compact(F.transform("problems", lambda p: p["column"]))
    ).withColumn("reasons", F.transform("problems", lambda p: p["reason"]))


def _clean(column: CleanColumn) -> Column:
    values = [F.col(f"value_{name}") for name in column.sources]
    if column.rule == "join":
        return F.concat(values[0], F.lit(" "), values[1])
    if column.rule == "pair":
        return F.when(values[0].isNotNull() | values[1].isNotNull(), F.array(*values))
    value = values[0]
    if column.strip_prefix:
        rest = F.substring(value, len(column.strip_prefix) + 1, 2**31 - 1)
        value = F.when(value.startswith(column.strip_prefix), F.when(_trim(rest) != "", rest)).otherwise(
            value
        )
    if column.null_markers:
        value = F.when(_trim(value).isin(*column.null_markers), F.lit(None)).otherwise(value)
    return _count(value) if column.rule == "count" else value


def _trim(text: Column) -> Column:
    return F.btrim(text, F.lit(WHITESPACE))


def _count(text: Column) -> Column:
    number, unit = F.regexp_extract(_trim(text), COUNT, 1), F.regexp_extract(_trim(text), COUNT, 2)
    power = F.when(unit == "k", F.lit("e3")).when(unit == "M", F.lit("e6")).otherwise(F.lit("e0"))
    exact = F.concat(number, power).try_cast("decimal(38,9)")
    return F.when(exact == F.floor(exact), exact.try_cast("bigint"))


def _problems(contract: Contract) -> Column:
    row = F.when(F.col("fault").isNotNull(), problem(F.lit(None), F.concat(F.lit("row: "), "fault")))
    whole = F.coalesce(F.col("fault") == NOT_UTF8, F.lit(True))
    readable = F.col("doc").isNotNull() & F.col("ind").isNotNull() & whole
    fields = [F.when(readable, _field_problem(field)) for field in contract.fields.values()]
    counts = [F.when(readable, _count_problem(c)) for c in contract.columns if c.rule == "count"]
    rules = [rule_problem(rule, contract) for rule in contract.refusing_rules]
    plain = [*counts, *rules] or [row]  # a plain row is a row, so there is nothing to say of that
    return F.when(F.col("row").isNotNull(), _found(*plain)).otherwise(_found(row, *fields, *counts, *rules))


def _found(*problems: Column) -> Column:
    return F.filter(F.array(*problems), lambda found: found.isNotNull())


def _field_problem(field: Field) -> Column:
    kind, text, value = (F.col(f"{part}_{field.name}") for part in ("kind", "text", "value"))
    name = F.lit(field.name)
    blank = (kind == "STRING") & (_trim(text) == "") & F.lit(field.wire in ("text", "datetime"))
    empty = (kind == "VOID") | blank
    reason = F.when(kind.isNull(), F.lit("missing") if field.required else F.lit(None))
    reason = reason.when(empty, F.lit(None) if field.nullable else F.lit("is NULL and must not be"))
    reason = reason.when(
        value.isNull(),
        F.concat(
            shown(kind, text, field.pii),
            F.lit(f" is not a{'n' if field.wire == 'int' else ''} {KINDS[field.wire]}"),
        ),
    )
    outside = F.lit(False)
    if field.minimum is not None:
        outside = outside | (value < field.minimum)
    if field.maximum is not None:
        outside = outside | (value > field.maximum)
    bounds = F.lit(f" is outside [{field.minimum}, {field.maximum}]")
    reason = reason.when(outside, F.concat(shown(kind, text, field.pii), bounds))
    return F.when(reason.isNotNull(), problem(name, F.concat(name, F.lit(": "), reason)))


def _count_problem(column: CleanColumn) -> Column:
    (name,) = column.sources
    value = F.col(f"value_{name}")
    unread = (
        value.isNotNull() & F.col(f"clean_{column.name}").isNull() & ~_trim(value).isin(*column.null_markers)
    )
    reason = F.concat(
        F.lit(f"{name}: "),
        shown(F.lit("STRING"), value, column.pii),
        F.lit(f" is not a {column.type} (digits, then k or M)"),
    )
    return F.when(unread, problem(F.lit(name), reason))


def settle(cleaned: DataFrame, ids: DataFrame, contract: Contract) -> DataFrame:
    """Keep one copy of each of our posts, and every line that is no row of anybody; drop other people's rows.

    The latest copy by (offset, partition) wins. A copy at an offset not acknowledged for this id is a
    foreign double, whichever copy wins; an id that was read once has no double, wherever it stood. Columns:
    ind, post_date, kind (clean, own or foreign), kept (the row), doubles, foreign_doubles.
    """
    junk = F.when(F.col("ind").isNull(), F.struct("key", "line"))
    raw = F.when(F.size("reasons") > 0, quotable(F.col("raw"))).alias("raw")
    kept = F.struct(
        *(f"clean_{name}" for name in contract.names), "columns", "reasons", raw, "unknown", "key", "line"
    )
    order = F.struct("offset", "partition", "key", "line")
    known = F.coalesce(F.array_contains("acknowledged", F.struct("partition", "offset")), F.lit(False))
    copies = (
        cleaned.join(ids, "ind", "left")
        .where(F.col("post_date").isNotNull() | F.col("ind").isNull())
        .select(
            "ind",
            junk.alias("junk"),
            "post_date",
            kept.alias("kept"),
            order.alias("order"),
            known.alias("known"),
        )
    )
    counted = copies.groupBy("ind", "junk", "post_date").agg(
        F.max_by("kept", "order").alias("kept"),
        F.count(F.lit(1)).alias("copies"),
        F.count_if(~F.col("known")).alias("unknown"),
    )
    foreign = F.least("unknown", F.col("copies") - 1).cast("int")
    dropped = (F.col("copies") - 1).cast("int")
    kind = F.when(F.col("ind").isNull(), "foreign").when(F.size("kept.reasons") > 0, "own").otherwise("clean")
    return counted.select(
        "ind",
        "post_date",
        kind.alias("kind"),
        "kept",
        (dropped - foreign).alias("doubles"),
        foreign.alias("foreign_doubles"),
    )
