"""What all three formats share: records, and lines that are read one by one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from devstack.source.dump.faults import UnreadableError
from devstack.source.dump.values import Given, shown

# a row of eight full TEXT columns, each byte written as an escape of six, is smaller
LONGEST = 32 * 2**20


class Record(NamedTuple):
    """A row as a file gives it: its first line, its rough size, its values by column."""

    line: int
    size: int
    values: Mapping[str, Given]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbered lines with their ends; bytes that are no UTF-8 become surrogates: they fit no column."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        number = 0
        while line := file.readline(LONGEST):
            number += 1
            if len(line) == LONGEST and not line.endswith("\n"):
                raise too_long(number, line)
            yield number, line


def too_long(line: int, text: str) -> UnreadableError:
    """Say that something does not end."""
    return UnreadableError(line, shown(text), f"an end within {LONGEST:,} characters (an open quote?)")
