"""All mismatches of a dump, told in one error."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from devstack.errors import StackError
from devstack.source.columns import Table

MOST = 50


class UnreadableError(ValueError):
    """From this line on a file cannot be read."""

    def __init__(self, line: int, found: str, expected: str) -> None:
        super().__init__(found)
        self.line, self.found, self.expected = line, found, expected


class Faults:
    """Mismatches in the order they were found; a column that is missing or unknown counts once a file.

    The first ones are kept for the error; `listing`, where given, is the file that takes all of them.
    """

    def __init__(self, listing: Path | None = None) -> None:
        self.lines: list[str] = []
        self.listing = listing
        self._file: IO[str] | None = None
        self.counts: Counter[str] = Counter()
        self._columns: set[tuple[str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self.counts)

    def add(self, file: str, line: int, column: str, found: str, expected: str) -> None:
        """Note a mismatch; line 0 means the file as a whole, no column the line as a whole."""
        self.counts[file] += 1
        where = ", ".join(
            [file, *([f"line {line}"] if line else []), *([f"column {column}"] if column else [])]
        )
        text = f"{where}: found {found}, expected {expected}"
        if self.counts.total() <= MOST:
            self.lines.append(f"  {text}")
        if self.listing:
            if not self._file:
                self.listing.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.listing.open("w", encoding="utf-8")
            self._file.write(f"{text}\n")

    def names(self, table: Table, file: str, line: int, given: Iterable[str]) -> None:
        """Compare the columns that a file has with those of its table."""
        counts = Counter(list(given))  # a mapping would be taken for counts
        for name, times in counts.items():
            if name not in table.names:
                self._column(file, line, name, "an unknown column", f"only {', '.join(table.names)}")
            elif times > 1:
                self._column(file, line, name, f"this column {times} times", "it once")
        for column in table.columns:
            if column.required and column.name not in counts:
                self._column(file, line, column.name, "no such column", f"one ({column.type})")

    def _column(self, file: str, line: int, name: str, found: str, expected: str) -> None:
        if (file, name) not in self._columns:
            self._columns.add((file, name))
            self.add(file, line, repr(name) if not name.isidentifier() else name, found, expected)

    def error(self, folder: Path) -> StackError:
        """Return the one error."""
        if self._file:
            self._file.close()
        total, cut = self.counts.total(), ""
        if total > len(self.lines):
            files = ", ".join(f"{count:,} in {file}" for file, count in self.counts.items())
            place = f"; all of them are in {self.listing}" if self.listing else ""
            cut = f"\n  ... and {total - len(self.lines):,} more ({files}){place}"
        listed = "\n".join(self.lines)
        return StackError(
            f"the dump in {folder} does not fit the source; nothing was changed. "
            f"{total:,} {'mismatch' if total == 1 else 'mismatches'}:\n{listed}{cut}\n"
            "Repair: correct these places (docs/how-to/own-data.md says what is taken), then seed again."
        )
