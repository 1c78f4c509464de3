"""Streams and shards as the service knows them; moments are milliseconds since 1970."""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field

from devstack.kinesis.limits import ShardLimits
from devstack.kinesis.sequence import LAST, Sequence

ACCOUNT = "000000000000"
HASH_KEYS = 2**128
HOUR = 3_600_000
RETENTION_HOURS = 24
CREATING, ACTIVE, UPDATING, DELETING = "CREATING", "ACTIVE", "UPDATING", "DELETING"
PROVISIONED, ON_DEMAND = "PROVISIONED", "ON_DEMAND"
ON_DEMAND_SHARDS = 4


def shard_id(number: int) -> str:
    """Name a shard by its number in the stream."""
    return f"shardId-{number:012}"


def over_rate(stream: "Stream", shard: "Shard") -> str:
    """Say that a shard was asked for more than it gives in a second."""
    return f"Rate exceeded for shard {shard.id} in stream {stream.name} under account {ACCOUNT}."


def hash_key(partition_key: str) -> int:
    """Return where a partition key falls among all hash keys."""
    digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest)


def even_ranges(count: int) -> list[tuple[int, int]]:
    """Divide all hash keys by `count`; the last range takes the rest."""
    step = HASH_KEYS // count
    starts = [number * step for number in range(count)]
    return [(start, end - 1) for start, end in zip(starts, [*starts[1:], HASH_KEYS], strict=True)]


@dataclass(eq=False)
class Shard:
    """A range of hash keys; its records have the indices `first` to `next_index - 1`, without gaps."""

    key: int
    number: int
    epoch: int
    first_hash: int
    last_hash: int
    opened: int
    parent: int | None = None
    adjacent_parent: int | None = None
    closed: int | None = None
    first: int = 1
    next_index: int = 1
    arrival: int = 0
    limits: ShardLimits = field(default_factory=ShardLimits, repr=False)

    @property
    def id(self) -> str:
        """The shard's name in its stream."""
        return shard_id(self.number)

    def sequence(self, index: int) -> str:
        """Return the sequence number of a place in the shard; 0 is the shard's own first."""
        return str(Sequence(self.epoch, index, self.number))

    def hash_range(self) -> dict[str, str]:
        """Describe the range of hash keys."""
        return {"StartingHashKey": str(self.first_hash), "EndingHashKey": str(self.last_hash)}

    def describe(self) -> dict[str, object]:
        """Describe the shard as the API does; what there is not is left out."""
        sequences = {"StartingSequenceNumber": self.sequence(0)}
        if self.closed is not None:
            sequences["EndingSequenceNumber"] = self.sequence(LAST)
        found: dict[str, object] = {
            "ShardId": self.id,
            "HashKeyRange": self.hash_range(),
            "SequenceNumberRange": sequences,
        }
        if self.parent is not None:
            found["ParentShardId"] = shard_id(self.parent)
        if self.adjacent_parent is not None:
            found["AdjacentParentShardId"] = shard_id(self.adjacent_parent)
        return found


@dataclass(eq=False)
class Stream:
    """A stream with its shards by number; `until` is when a passing state ends."""

    key: int
    name: str
    created: int
    mode: str
    state: str
    until: int
    shards: list[Shard]
    retention_hours: int = RETENTION_HOURS

    def __post_init__(self) -> None:
        self.route()

    def route(self) -> None:
        """Learn again which shards are open."""
        self.open = sorted((s for s in self.shards if s.closed is None), key=lambda s: s.last_hash)
        self._ends = [shard.last_hash for shard in self.open]

    def shard_of(self, key: int) -> Shard:
        """Return the open shard of a hash key."""
        return self.open[bisect_left(self._ends, key)]

    def oldest(self, now: int) -> int:
        """Return the moment before which records are trimmed."""
        return now - self.retention_hours * HOUR

    def listed(self, now: int) -> list[Shard]:
        """Return the shards but those that closed before everything that is kept."""
        oldest = self.oldest(now)
        return [shard for shard in self.shards if shard.closed is None or shard.closed >= oldest]

    def shard(self, name: str | None, now: int) -> Shard | None:
        """Return a listed shard by name."""
        return next((shard for shard in self.listed(now) if shard.id == name), None)
