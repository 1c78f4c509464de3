"""A person's own dump: three files, checked as a whole, then put in the place of the source's content."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from devstack.config import Settings
from devstack.errors import StackError
from devstack.source.columns import Column, Table, tables
from devstack.source.dump import csv_rows, jsonl_rows, sql_rows
from devstack.source.dump.faults import Faults, UnreadableError
from devstack.source.dump.record import Record
from devstack.source.dump.values import UnfitError, Value, read, shown
from devstack.source.generate import CHUNK, Chunk, Hashed, Row
from devstack.source.load import replace

FORMATS = {".jsonl": jsonl_rows.rows, ".csv": csv_rows.rows, ".sql": sql_rows.rows}
TYPED = (".jsonl",)  # the others may write a number in quotes
CHUNK_SIZE = 32 * 2**20
LISTING = "seed-mismatches.txt"
POST_TIME = "timestamp"
Say = Callable[[str], None]


class Dump:
    """The files of a folder, and what was seen in them once the chunks are through."""

    def __init__(self, folder: Path, listing: Path | None = None) -> None:
        self.folder = folder
        self.rows: dict[str, int] = {}
        self.span: list[datetime] = []
        self._faults = Faults(listing)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows of one table after the other, until something is wrong; raises at the end then."""
        for at, (table, file) in enumerate(self._files()):
            for rows in self._parts(table, file):
                self._count(file, table, rows)
                if not self._faults:
                    pins, geos, users = (rows if at == n else [] for n in range(3))
                    yield Chunk(pins, geos, users)
        if self._faults:
            raise self._faults.error(self.folder)

    def _files(self) -> list[tuple[Table, Path]]:
        """Find the file of each table; an absent or doubled one is a fault."""
        found = []
        for table in tables():
            files = [
                path for path in (self.folder / f"{table.name}{end}" for end in FORMATS) if path.is_file()
            ]
            if len(files) == 1:
                found.append((table, files[0]))
            else:
                names = " and ".join(path.name for path in files) or "no file"
                self._faults.add(table.name, 0, "", names, f"one of {', '.join(FORMATS)}")
        return found

    def _parts(self, table: Table, file: Path) -> Iterator[list[Row]]:
        """Yield rows by the chunk; one of long texts has fewer of them."""
        rows: list[Row] = []
        size = 0
        for record in self._records(table, file):
            rows.append(record[0])
            size += record[1]
            if len(rows) == CHUNK or size > CHUNK_SIZE:
                yield rows
                rows, size = [], 0
        yield rows

    def _records(self, table: Table, file: Path) -> Iterator[tuple[Row, int]]:
        """Yield checked rows and their sizes; a file that breaks off is a fault."""
        ids: dict[object, int] = {}
        key = table.names.index(table.key)
        try:
            for record in FORMATS[file.suffix](file, table, self._faults):
                row = tuple([self._value(column, file, record) for column in table.columns])
                first = ids.get(row[key])
                if first is not None:
                    found, expected = f"{row[key]} again", f"each id once (line {first} has it)"
                    self._faults.add(file.name, record.line, table.key, found, expected)
                elif row[key] is not None:
                    ids[row[key]] = record.line
                yield row, record.size
        except UnreadableError as error:
            self._faults.add(file.name, error.line, "", error.found, error.expected)
        except OSError as error:
            self._faults.add(file.name, 0, "", str(error), "a file that can be read")

    def _value(self, column: Column, file: Path, record: Record) -> Value:
        if column.name not in record.values:  # missing: told once a file
            return None
        given = record.values[column.name]
        try:
            return read(column, given, typed=file.suffix in TYPED)
        except UnfitError as unfit:
            self._faults.add(file.name, record.line, column.name, shown(given), str(unfit))
            return None

    def _count(self, file: Path, table: Table, rows: list[Row]) -> None:
        self.rows[file.name] = self.rows.get(file.name, 0) + len(rows)
        if POST_TIME in table.names:
            at = table.names.index(POST_TIME)
            times = [row[at] for row in rows if row[at]] + self.span
            self.span = [min(times), max(times)] if times else []


def load(settings: Settings, folder: str, say: Say = print) -> str:
    """Replace the source's content by a dump's; print what was loaded and return the digest of its rows."""
    begun = time.monotonic()
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise StackError(
            f"SOURCE={folder} is no folder. Repair: name the folder that holds the dump's files."
        )
    dump = Dump(path, settings.state_dir / LISTING)
    hashed = Hashed(dump.chunks())
    replace(settings, hashed.chunks())
    counts = ", ".join(f"{count:,} rows of {name}" for name, count in dump.rows.items())
    say(f"Loaded {counts} in {time.monotonic() - begun:.1f} s.")
    if dump.span:
        first, last = dump.span
        say(
            f"Posts from {first:%Y-%m-%d} to {last:%Y-%m-%d} (UTC days, both included). "
            f"Newest post: {last} UTC."
        )
    say(f"SHA-256 of the rows: {hashed.digest}")
    return hashed.digest
