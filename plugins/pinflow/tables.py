"""Stored tables against their CREATE TABLE files: what to add, and what is refused, as it would lose data."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# the form `make contracts` writes, one column a line
_TABLE = re.compile(r"^CREATE TABLE IF NOT EXISTS (?P<name>\S+) \($", re.MULTILINE)
_COLUMN = re.compile(
    r"^    `(?P<name>[^`]+)` (?P<type>\S.*?)(?P<required> NOT NULL)?"
    r" COMMENT (?P<comment>'(?:[^'\\]|\\.)*'),?$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Column:
    """A column as its file has it; the comment stays quoted."""

    name: str
    type: str
    required: bool
    comment: str


@dataclass(frozen=True)
class Table:
    """A table as its file has it, its name quoted."""

    name: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> str:
        """Quoted name of its schema, with the catalog where there is one."""
        return self.name.rpartition(".")[0]


def parse(sql: str) -> Table | None:
    """Read a rendered CREATE TABLE file; None for another statement."""
    head = _TABLE.search(sql)
    if not head:
        return None
    columns = (
        Column(found["name"], found["type"], bool(found["required"]), found["comment"])
        for found in _COLUMN.finditer(sql, head.end())
    )
    return Table(head["name"], tuple(columns))


def stored_columns(rows: Iterable[Sequence[str | None]]) -> dict[str, str]:
    """Read the answer of DESCRIBE TABLE: names and types; what follows the columns says something else."""
    found: dict[str, str] = {}
    for name, kind, *_ in rows:
        if not name or name.startswith("#"):
            break
        found[name] = str(kind)
    return found


def additions(table: Table, stored: dict[str, str]) -> str | None:
    """Return the statement that adds the columns a stored table lacks, each where its file has it."""
    places = ["FIRST", *(f"AFTER `{column.name}`" for column in table.columns)]
    added = [
        f"`{column.name}` {column.type} COMMENT {column.comment} {place}"
        for place, column in zip(places, table.columns, strict=False)
        if column.name not in stored
    ]
    return f"ALTER TABLE {table.name} ADD COLUMNS ({', '.join(added)})" if added else None


def refusals(table: Table, stored: dict[str, str]) -> list[str]:
    """Name what cannot follow the file without losing data, each with its repair."""
    wanted = {column.name: column for column in table.columns}
    removed = [
        f"{name} {kind} is stored and no longer in the contract (put it back there; to give its data up drop "
        "the column by hand)"
        for name, kind in stored.items()
        if name not in wanted
    ]
    retyped = [
        f"{name} is stored as {stored[name]}, the contract says {column.type} (give it its old type back, "
        "and the new type a column of another name)"
        for name, column in wanted.items()
        if name in stored and _plain(stored[name]) != _plain(column.type)
    ]
    required = [
        f"{name} is new and must not be NULL, as it is in the days that are there (leave `nullable: false` "
        "out)"
        for name, column in wanted.items()
        if name not in stored and column.required
    ]
    kept = [name for name in wanted if name in stored]
    others = [name for name in stored if name in wanted]
    order = [f"the order is {', '.join(others)}, the contract says {', '.join(kept)} (keep the order there)"]
    return removed + retyped + required + (order if kept != others else [])


def _plain(kind: str) -> str:
    return kind.replace(" ", "").lower()
