"""The source tables' columns: types from the statements that create them, wire types from the contracts.

A column that a contract has learnt and the local source does not have is left out: it may be absent.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from devstack.config import REPO
from devstack.errors import StackError
from devstack.source.load import SQL, TABLES

EXPECTED = REPO / "include" / "contracts" / "source.json"


@dataclass(frozen=True)
class Column:
    """A column: what the database can hold, and what the contract wants of the wire."""

    name: str
    type: str
    length: int
    wire: str
    nullable: bool
    required: bool


@dataclass(frozen=True)
class Table:
    """A table, its columns in the order of its CREATE TABLE, and the column of its id."""

    name: str
    key: str
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)


@cache
def tables() -> tuple[Table, ...]:
    """Return the three tables in the order of `TABLES`."""
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))["tables"].values()
    by_name = {table["table"]: table for table in expected}
    return tuple(_table(name, by_name[name]) for name in TABLES)


def create_table(text: str) -> tuple[str, dict[str, tuple[str, int]]]:
    """Read a CREATE TABLE statement: its table, and type and length of each column in order."""
    import sqlglot
    from sqlglot import exp

    made = sqlglot.parse_one(text, read="mysql")
    if not isinstance(made, exp.Create) or not isinstance(made.this, exp.Schema):
        raise ValueError("no CREATE TABLE with columns")
    columns = {}
    for column in made.this.expressions:
        if isinstance(column, exp.ColumnDef):
            kind = column.args["kind"]
            columns[column.name] = (
                kind.this.name,
                int(next(iter(kind.expressions), exp.Literal.number(0)).name),
            )
    return made.this.this.name, columns


def _table(name: str, expected: dict[str, Any]) -> Table:
    _, types = create_table((SQL / f"create_{name}.sql").read_text(encoding="utf-8"))
    fields = {field["name"]: field for field in expected["columns"]}
    if unknown := types.keys() - fields.keys():
        raise StackError(
            f"create_{name}.sql has columns that no contract reads: {', '.join(sorted(unknown))}. "
            "Repair: add them to include/contracts and run `make contracts`, or leave them out."
        )
    columns = tuple(
        Column(
            column,
            *kind,
            wire=fields[column]["wire"],
            nullable=fields[column]["nullable"],
            required=fields[column]["required"],
        )
        for column, kind in types.items()
    )
    return Table(name, expected["id"], columns)
