"""What may leave the lake: decided by age, and never the newest object of a partition."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from pinflow.paths import start_offset


class Stored(NamedTuple):
    """An object of the lake and when it was written."""

    key: str
    modified: datetime


def expired(objects: Iterable[Stored], before: datetime) -> Iterator[str]:
    """Yield the keys written before a moment."""
    return (stored.key for stored in objects if stored.modified < before)


def expired_landed(objects: Iterable[Stored], before: datetime) -> Iterator[str]:
    """Yield the sink's old keys, but not the newest of a folder: `land` waits for what follows it."""
    for _, folder in groupby(objects, key=lambda stored: stored.key.rpartition("/")[0]):
        newest: tuple[int, Stored] | None = None
        for stored in folder:
            offset = start_offset(stored.key)
            if offset is None:
                continue
            older, newest = sorted((newest or (-1, stored), (offset, stored)))
            if older[0] >= 0 and older[1].modified < before:
                yield older[1].key
