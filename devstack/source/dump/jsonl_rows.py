"""Rows of a .jsonl file: one JSON object a line; numbers keep their digits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devstack.source.columns import Table
from devstack.source.dump.faults import Faults
from devstack.source.dump.record import Record, lines
from devstack.source.dump.values import Given, Number, Other, shown


def rows(path: Path, table: Table, faults: Faults) -> Iterator[Record]:
    """Yield the rows; what cannot be read is added to the faults."""
    names = set(table.names)
    for number, line in lines(path):
        if line.isspace():
            continue
        try:
            found = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            faults.add(path.name, number, "", shown(line.rstrip("\r\n")), f"a JSON object ({_why(error)})")
            continue
        if not isinstance(found, dict):
            faults.add(path.name, number, "", shown(line.rstrip("\r\n")), "a JSON object")
            continue
        if found.keys() != names:
            faults.names(table, path.name, number, found)
        yield Record(number, len(line), {name: _given(value) for name, value in found.items()})


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, character {error.pos}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _given(value: Any) -> Given:
    if value is None or isinstance(value, str):
        return value
    return Other(json.dumps(value))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


_DECODER = json.JSONDecoder(
    parse_int=Number, parse_float=Number, parse_constant=Other, object_pairs_hook=_object
)
