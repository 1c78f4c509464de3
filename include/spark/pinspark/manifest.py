"""The manifest of one producer: what was selected, acknowledged and landed for a window."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pinspark.contracts import TABLES

REPAIR = "Repair: clear the emulate task of this table, so that it writes a new manifest."


class ManifestError(ValueError):
    """A manifest that cannot be used."""


@dataclass(frozen=True)
class Manifest:
    """What Spark needs of a manifest; the window is half open and holds whole UTC days."""

    table: str
    topic: str
    start: datetime
    end: datetime
    run: str
    selected: int
    count: int
    posts: str
    ids: str
    keys: str

    @property
    def first_day(self) -> date:
        """First day of the window."""
        return self.start.date()

    @property
    def end_day(self) -> date:
        """Day after the last one of the window."""
        return self.end.date()

    @property
    def days(self) -> str:
        """SQL condition of the window's days, as every replaced table uses it."""
        return f"post_date >= DATE'{self.first_day}' AND post_date < DATE'{self.end_day}'"

    @property
    def of_run(self) -> str:
        """SQL condition of the rows this run staged."""
        return f"run = '{self.run}'"


def parse_manifest(data: Any) -> Manifest:
    """Read a manifest as the producer returned it, with the keys the landing task added."""
    if not isinstance(data, dict):
        raise ManifestError(f"A manifest is due, this came: {data!r}. {REPAIR}")
    names = (
        "table",
        "topic",
        "window_start",
        "window_end",
        "run",
        "selected",
        "count",
        "posts",
        "ids",
        "keys",
    )
    missing = [name for name in names if data.get(name) is None]
    if missing:
        raise ManifestError(f"Manifest of {data.get('table')!r} lacks {', '.join(missing)}. {REPAIR}")
    start, end = _instant(data["window_start"]), _instant(data["window_end"])
    faults = [] if data["table"] in TABLES else [f"table {data['table']!r} is none of {', '.join(TABLES)}"]
    if start >= end or any((t.hour, t.minute, t.second, t.microsecond) != (0, 0, 0, 0) for t in (start, end)):
        faults.append(f"window {data['window_start']} to {data['window_end']} is not whole UTC days")
    if not str(data["run"]).isalnum():
        faults.append(f"run {data['run']!r} is no run hash")
    if faults:
        raise ManifestError(f"Manifest of {data['table']!r}: {'; '.join(faults)}. {REPAIR}")
    texts = (str(data[name]) for name in ("posts", "ids", "keys"))
    counts = (int(data["selected"]), int(data["count"]))
    return Manifest(data["table"], data["topic"], start, end, str(data["run"]), *counts, *texts)


def parse_manifests(text: str) -> list[Manifest]:
    """Read the three manifests of a window; they must be of one run and one window."""
    manifests = sorted(
        (parse_manifest(data) for data in json.loads(text)), key=lambda m: TABLES.index(m.table)
    )
    if tuple(m.table for m in manifests) != TABLES:
        found = ", ".join(m.table for m in manifests)
        raise ManifestError(f"Manifests of {', '.join(TABLES)} are due, these came: {found}. {REPAIR}")
    if len({(m.run, m.start, m.end) for m in manifests}) != 1:
        raise ManifestError(f"The three manifests are of different runs or windows. {REPAIR}")
    return manifests


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
