"""The source's columns against those that the contracts expect of it (include/contracts/source.json)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from pinflow.errors import SourceDriftError, SourceError
from pinflow.paths import include_dir

# types whose values arrive as the same JSON type
FAMILIES = {
    "text": {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json", "uuid"},
    "int": {"tinyint", "smallint", "mediumint", "int", "bigint", "year"},
    "float": {"float", "double", "decimal"},
    "datetime": {"datetime", "timestamp"},
}
ACCEPTED = {"text": {"text"}, "int": {"int"}, "float": {"float", "int"}, "datetime": {"datetime"}}
CLEAN_TYPES = {"text": "STRING", "int": "INT", "float": "DOUBLE", "datetime": "TIMESTAMP"}


@dataclass(frozen=True)
class Wanted:
    """A column the contracts read; without a required one a run stops."""

    name: str
    wire: str
    required: bool


@dataclass(frozen=True)
class SourceTable:
    """A table of the source, its id column and what is read of it."""

    frame: str
    table: str
    id: str
    columns: tuple[Wanted, ...]


@dataclass(frozen=True)
class Found:
    """A column the source has."""

    name: str
    type: str
    family: str


@dataclass(frozen=True)
class Drift:
    """What both sides have, by frame, and what differs without stopping a run."""

    columns: dict[str, list[str]]
    warnings: list[str]


@cache
def source_tables() -> dict[str, SourceTable]:
    """Read what is expected of the source, by frame."""
    text = (include_dir() / "contracts" / "source.json").read_text(encoding="utf-8")
    return {
        frame: SourceTable(frame, said["table"], said["id"], tuple(map(_wanted, said["columns"])))
        for frame, said in json.loads(text)["tables"].items()
    }


def _wanted(column: Mapping[str, Any]) -> Wanted:
    return Wanted(column["name"], column["wire"], column["required"])


def compare(rows: Iterable[Mapping[str, str]], where: str) -> Drift:
    """Compare the rows of include/sql/source/columns.sql; one error names all that is missing."""
    found = _found(rows)
    absent = [table.table for table in source_tables().values() if table.table.lower() not in found]
    if absent:
        raise SourceError(
            f"{where} has no such table, or the login may not read it: {', '.join(absent)}.",
            "grant SELECT on it, correct the schema of the connection `pinterest_rds`, or load the tables "
            "(locally `make seed`).",
        )
    columns, warnings, missing = {}, list[str](), list[str]()
    for frame, table in source_tables().items():
        has = found[table.table.lower()]
        columns[frame] = [wanted.name for wanted in table.columns if wanted.name.lower() in has]
        missing += [said for wanted, said in _lacking(table, has) if wanted.required]
        warnings += [said for wanted, said in _lacking(table, has) if not wanted.required]
        warnings += [*_retyped(table, has), *map(partial(_taken_in, table), _added(table, has))]
    if missing:
        raise SourceDriftError(
            f"{where}: {'; '.join(missing)}.",
            "restore the column under its name; or rename its field in include/contracts (`source` and "
            "`from`) or give it `required: false` there, run `make contracts` and upload; then clear this "
            "task.",
        )
    return Drift(columns, warnings)


def _found(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[str, Found]]:
    """Sort what the source has by table and column, both in lower case: MySQL takes any."""
    found: dict[str, dict[str, Found]] = {}
    for row in rows:
        kind = row["data_type"].lower()
        family = next((name for name, kinds in FAMILIES.items() if kind in kinds), kind)
        column = Found(row["column_name"], row["column_type"], family)
        found.setdefault(row["table_name"].lower(), {})[column.name.lower()] = column
    return found


def _added(table: SourceTable, has: dict[str, Found]) -> list[Found]:
    known = {wanted.name.lower() for wanted in table.columns}
    return [column for name, column in has.items() if name not in known]


def _lacking(table: SourceTable, has: dict[str, Found]) -> Iterator[tuple[Wanted, str]]:
    for wanted in table.columns:
        if wanted.name.lower() not in has:
            added = _added(table, has)
            alike = [f"{new.name} {new.type}" for new in added if new.family in ACCEPTED[wanted.wire]]
            said = f"{table.table} has no column {wanted.name}"
            said += "" if wanted.required else "; it may be absent and is NULL then"
            yield wanted, f"{said}; renamed to {' or '.join(alike)}?" if alike else said


def _retyped(table: SourceTable, has: dict[str, Found]) -> Iterator[str]:
    for wanted in table.columns:
        column = has.get(wanted.name.lower())
        if column and column.family not in ACCEPTED[wanted.wire]:
            yield (
                f"{table.table}.{column.name} is {column.type}, the contract expects {wanted.wire}: rows may "
                f"go to quarantine. Repair: change the column back, or `wire` of {wanted.name} in "
                f"include/contracts/{table.frame}.yaml"
            )


def _taken_in(table: SourceTable, column: Found) -> str:
    said = f"{table.table}.{column.name} {column.type} is not in the contract and is not read"
    if column.family not in CLEAN_TYPES:
        return f"{said}; a column of this type cannot be taken in"
    line = f"{{name: {column.name}, type: {CLEAN_TYPES[column.family]}, wire: {column.family}, doc: ...}}"
    return (
        f"{said}. To take it in add `- {line}` to the columns of include/contracts/{table.frame}.yaml, run "
        "`make contracts`, upload, run pinterest_setup"
    )
