"""Copy what the source holds now into the lake, for a comparison with what is published."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow import paths
from pinflow.hooks.lake import LakeHook
from pinflow.hooks.source import KEY, SourceHook
from pinflow.settings import TABLES, load_settings
from pinflow.window import iso_utc
from pinflow.wire import fit, wire

if TYPE_CHECKING:
    from airflow.sdk import Context

# held in memory, here and where it is read
PART_BYTES = 8_000_000
Part = tuple[int, list[bytes]]  # number of its first line, lines


def parts(lines: Iterable[bytes], most: int = PART_BYTES) -> Iterator[Part]:
    """Cut lines into parts of bounded size; one empty part when there is none."""
    first, part, size = 0, list[bytes](), 0
    for line in lines:
        if part and size + len(line) > most:
            yield first, part
            first, part, size = first + len(part), [], 0
        part.append(line)
        size += len(line)
    yield first, part


class MySqlToLakeOperator(BaseOperator):
    """Write every post's id and time, and every row of the three tables as it would go over the wire.

    The four scans need not be of one moment: what changes between them has changed, and is found so.
    Returns the snapshot's folder; a try has one of its own. Raises SourceError, SourceDriftError,
    SourceUnavailableError or LakeError.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#d9f0dd"

    def execute(self, context: "Context") -> str:
        """Read, write, return where."""
        settings, lake, ti = load_settings(), LakeHook(), context["ti"]
        source = SourceHook(settings.shift_days)
        for warning in source.compare_columns():
            self.log.warning("%s: %s", source.where(), warning)
        prefix = paths.snapshot_prefix(paths.run_hash_of(context), ti.task_id, ti.try_number)
        folder = f"s3://{settings.bucket}/{prefix}"
        counts = {"posts": _write(lake, folder, "posts", map(_post, source.every_post()))}
        for table in TABLES:
            lines = _lines(table, source.every_row(table), settings.max_row_bytes)
            counts[table] = _write(lake, folder, table, lines)
        self.log.info("Rows of %s: %s; snapshot in %s", source.where(), counts, folder)
        return folder


def _post(row: dict[str, Any]) -> bytes:
    return wire({"ind": int(row["ind"]), "post_ts": iso_utc(row["post_ts"])})


def _lines(table: str, rows: Iterable[dict[str, Any]], most: int) -> Iterator[bytes]:
    key = KEY[table]
    return (fit(key, int(row[key]), wire(row), most) for row in rows)


def _write(lake: LakeHook, folder: str, table: str, lines: Iterable[bytes]) -> int:
    count = 0
    for first, part in parts(lines):
        content = b"".join(line + b"\n" for line in part)
        key = paths.snapshot_key(table, first)
        lake.write(f"{folder}/{key}", gzip.compress(content, compresslevel=1, mtime=0))
        count = first + len(part)
    return count
