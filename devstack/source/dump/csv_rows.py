r"""Rows of a .csv file after RFC 4180: a header, commas; an empty field without quotes, or `\N`, is NULL."""

import re
from collections.abc import Iterator
from pathlib import Path

from devstack.source.columns import Table
from devstack.source.dump.faults import Faults, UnreadableError
from devstack.source.dump.record import LONGEST, Record, lines, too_long
from devstack.source.dump.values import Given, shown

# not the csv module: in Python 3.12 it cannot tell `""`, a text, from nothing, which is NULL
_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n?\Z)')
NULLS = ("", "\\N")


def rows(path: Path, table: Table, faults: Faults) -> Iterator[Record]:
    """Yield the rows; what cannot be read is added to the faults."""
    header: list[str] = []
    for line, text in _records(path):
        fields = _fields(text)
        if fields is None:
            faults.add(
                path.name, line, "", shown(text), "fields after RFC 4180 (quotes doubled, within quotes)"
            )
        elif not header:
            header = [field or "" for field in fields]
            faults.names(table, path.name, line, header)
        elif len(fields) != len(header):
            faults.add(path.name, line, "", f"{len(fields)} fields", f"{len(header)}, as the header has")
        else:
            yield Record(line, len(text), dict(zip(header, fields, strict=True)))
    if not header:
        raise UnreadableError(1, "no header", f"a line {','.join(table.names)}")


def _records(path: Path) -> Iterator[tuple[int, str]]:
    """Join the lines of a record: within one that goes on, the number of quotes is odd."""
    begun, text, is_open = 0, "", False
    parts: list[str] = []
    size = 0
    for number, line in lines(path):
        begun = begun or number
        parts.append(line)
        size += len(line)
        is_open ^= line.count('"') % 2 == 1
        if size > LONGEST:
            raise too_long(begun, parts[0])
        if not is_open:
            text = "".join(parts)
            if text.strip("\r\n"):
                yield begun, text
            begun, parts, size = 0, [], 0
    if parts:
        raise UnreadableError(begun, shown(parts[0]), "a quote that is closed before the file ends")


def _fields(record: str) -> list[Given] | None:
    fields: list[Given] = []
    at = 0
    while found := _FIELD.match(record, at):
        quoted, plain, end = found.groups()
        if quoted is not None:
            fields.append(quoted.replace('""', '"'))
        else:
            fields.append(None if plain in NULLS else plain)
        at = found.end()
        if end != ",":
            return fields
    return None
