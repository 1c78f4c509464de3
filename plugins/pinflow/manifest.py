"""What a producer hands on: a small manifest, and beside it the id file that decides."""

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

from pinflow.errors import ManifestError


# one encoder: json.dumps makes a new one each time
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True)
class Post:
    """One frozen id and the moment that decides its window (ISO 8601 UTC)."""

    ind: int
    post_ts: str


class Acknowledged(NamedTuple):
    """One record as the broker acknowledged it."""

    ind: int
    post_ts: str
    partition: int
    offset: int


@dataclass
class Span:
    """First and last acknowledged offset of one partition, and the id at the last."""

    first: int
    last: int
    last_id: int


@dataclass(frozen=True)
class Manifest:
    """What one producer sent for one window; offsets prune, the ids in the id file decide."""

    table: str
    topic: str
    window_start: str
    window_end: str
    run: str
    selected: int
    count: int
    posts: str
    ids: str
    partitions: dict[str, Span] = field(default_factory=dict)
    keys: str | None = None
    objects: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as XCom and job parameters carry it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read a manifest back; raises ManifestError when it is absent or malformed."""
        try:
            spans = {str(p): Span(**span) for p, span in raw["partitions"].items()}
            return cls(**{**raw, "partitions": spans})
        except (KeyError, TypeError, AttributeError) as error:
            raise ManifestError(
                f"The manifest is absent or malformed ({error!r}): {raw!r}.",
                "clear the `emulate` task of this table; everything after it runs again.",
            ) from None


def spans(records: Iterable[Acknowledged]) -> dict[str, Span]:
    """Return first and last offset and the last id, per partition."""
    found: dict[str, Span] = {}
    for record in records:
        span = found.get(str(record.partition))
        if span is None:
            found[str(record.partition)] = Span(record.offset, record.offset, record.ind)
        else:
            span.first = min(span.first, record.offset)
            if record.offset > span.last:
                span.last, span.last_id = record.offset, record.ind
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def pack(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Write rows as gzipped JSON lines, the same bytes for the same rows."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as file:
        for row in rows:
            file.write(_COMPACT(row).encode() + b"\n")
    return buffer.getvalue()


def unpack(content: bytes) -> Iterator[dict[str, Any]]:
    """Read gzipped JSON lines."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        for line in file:
            yield json.loads(line)
