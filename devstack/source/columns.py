"""The source tables' columns: types from the statements that create them, wire types from the contracts."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import yaml

from devstack.config import REPO
from devstack.source.load import SQL, TABLES

CONTRACTS = REPO / "include" / "contracts"


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
    contracts = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in CONTRACTS.glob("*.yaml")]
    return tuple(_table(name, contracts) for name in TABLES)


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


def _table(name: str, contracts: list[dict[str, Any]]) -> Table:
    _, types = create_table((SQL / f"create_{name}.sql").read_text(encoding="utf-8"))
    contract = next(one for one in contracts if {field["name"] for field in one["source"]} == types.keys())
    fields = {field["name"]: field for field in contract["source"]}
    columns = tuple(
        Column(
            column,
            *kind,
            wire=fields[column]["wire"],
            nullable=fields[column].get("nullable", True),
            required=fields[column].get("required", True),
        )
        for column, kind in types.items()
    )
    return Table(name, contract["id"], columns)
