"""A source database of a test's own, and what it holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack import supervise
from devstack.config import Settings
from devstack.source.load import TABLES, connected


@contextmanager
def database(folder: Path, port_offset: int) -> Iterator[Settings]:
    """Run MariaDB with its state below a folder."""
    settings = Settings(state_dir=folder / "state", port_offset=port_offset)
    try:
        supervise.up(settings, ["mysql"])
        yield settings
    finally:
        supervise.reset(settings)


def contents(settings: Settings) -> list[list[tuple[Any, ...]]]:
    """Return the rows of the three tables, each ordered by id."""
    found = []
    with connected(settings) as cursor:
        for name in TABLES:
            cursor.execute(f"SELECT * FROM {name}")
            found.append(sorted(cursor.fetchall()))
    return found
