"""What a producer hands on: a small manifest, and beside it the id file that decides."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from pinflow.errors import ManifestError

# one encoder: json.dumps makes a new one each time
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode


Place = tuple[int, int, int]  # an acknowledged record: id, partition, offset
StreamPlace = tuple[int, str, str]  # the same of a stream: id, shard, sequence number


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


@dataclass
class ShardSpan:
    """First and last acknowledged sequence number of one shard, and how many were."""

    first: str
    last: str
    count: int


@dataclass(frozen=True)
class StreamManifest:
    """What one producer sent to a stream; an id of a live run may have been sent several times."""

    table: str
    stream: str
    window_start: str
    window_end: str
    run: str
    selected: int
    count: int
    posts: str
    ids: str
    shards: dict[str, ShardSpan] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as XCom and job parameters carry it."""
        return asdict(self)


def shard_spans(places: Iterable[StreamPlace]) -> dict[str, ShardSpan]:
    """Return first and last sequence number and the count, per shard."""
    found: dict[str, list[int]] = {}
    for _, shard, sequence in places:
        found.setdefault(shard, []).append(int(sequence))
    return {
        shard: ShardSpan(str(min(numbers)), str(max(numbers)), len(numbers))
        for shard, numbers in sorted(found.items())
    }


def spans(places: Iterable[Place]) -> dict[str, Span]:
    """Return first and last offset and the last id, per partition."""
    found: dict[str, Span] = {}
    for ind, partition, offset in places:
        span = found.get(str(partition))
        if span is None:
            found[str(partition)] = Span(offset, offset, ind)
        else:
            span.first = min(span.first, offset)
            if offset > span.last:
                span.last, span.last_id = offset, ind
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def pack_ids(places: Iterable[Place], posts: Mapping[int, str]) -> bytes:
    """Write an id file: ind, post_ts, partition and offset, ordered by place."""
    in_order = sorted(places, key=lambda place: place[1:])
    return _pack(
        f'{{"ind":{ind},"post_ts":"{posts[ind]}","partition":{partition},"offset":{offset}}}'
        for ind, partition, offset in in_order
    )


def pack_stream_ids(places: Iterable[StreamPlace], posts: Mapping[int, str]) -> bytes:
    """Write an id file: ind, post_ts, shard and sequence number, ordered by place."""
    in_order = sorted(places, key=lambda place: (place[1], int(place[2])))
    return _pack(
        f'{{"ind":{ind},"post_ts":"{posts[ind]}","shard":"{shard}","sequence":"{sequence}"}}'
        for ind, shard, sequence in in_order
    )


def pack(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Write rows as gzipped JSON lines, the same bytes for the same rows."""
    return _pack(map(_COMPACT, rows))


def _pack(lines: Iterable[str]) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), compresslevel=1, mtime=0)


def unpack(content: bytes) -> Iterator[dict[str, Any]]:
    """Read gzipped JSON lines."""
    # as one array: a call a line costs three times as much
    yield from json.loads(b"[" + b",".join(gzip.decompress(content).splitlines()) + b"]")
