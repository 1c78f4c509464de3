"""Rows of a section, read from Spark as plain values."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import batched
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase
from pyspark.sql.types import DataType, DateType, TimestampType

from pinspark.report.labels import order
from pinspark.report.sections import Section
from pinspark.session import together

# a page is for people: what is longer is not read to its end
MOST_ROWS = 50_000
AT_ONCE = 4
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Answer:
    """Columns and rows of a section; `dates` are the columns that hold days."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    dates: frozenset[str] = frozenset()
    cut: bool = False

    def column(self, name: str) -> list[Value]:
        """Values of one column."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]


def read_answers(spark: SparkSession, sections: list[Section]) -> dict[str, Answer]:
    """Read every section, a few at a time: the table it is kept in, or what its statement gives."""
    found: list[Answer] = []
    for some in batched(sections, AT_ONCE):
        found += together(*(partial(_read, spark, section) for section in some))
    return {section.name: answer for section, answer in zip(sections, found, strict=True)}


def _read(spark: SparkSession, section: Section) -> Answer:
    return read(spark.table(section.table) if section.table else spark.sql(section.sql), bool(section.table))


def read(frame: DataFrame, sort: bool = True) -> Answer:
    """Read rows with days and times as text; those of a table come in the order of their columns."""
    fields = frame.schema.fields
    shown = frame.select(*(_plain(field.name, field.dataType) for field in fields))
    rows = [tuple(map(_value, row)) for row in shown.limit(MOST_ROWS + 1).collect()]
    cut, rows = len(rows) > MOST_ROWS, rows[:MOST_ROWS]
    ordered = sorted(rows, key=lambda row: [order(value) for value in row]) if sort else rows
    dates = frozenset(field.name for field in fields if isinstance(field.dataType, DateType))
    return Answer(tuple(field.name for field in fields), tuple(ordered), dates, cut)


def _plain(name: str, kind: DataType) -> Column:
    column = F.col(f"`{name.replace('`', '``')}`")
    if isinstance(kind, TimestampType):
        return F.date_format(column, "yyyy-MM-dd HH:mm:ss").alias(name)
    return column


def _value(value: Any) -> Value:
    """Turn a list into its text and a day into its date; other numbers and texts stay."""
    if isinstance(value, (list, tuple)):
        return "; ".join(str(item) for item in value)
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
