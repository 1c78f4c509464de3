"""The bodies of requests; what may be absent is None, and what AWS knows besides is passed over."""

import msgspec


def _wire(name: str) -> str:
    return "".join("ARN" if part == "arn" else part.title() for part in name.split("_"))


class _Body(msgspec.Struct, rename=_wire):
    pass


class StreamModeDetails(_Body):
    """How a stream's capacity is given."""

    stream_mode: str | None = None


class CreateStream(_Body):
    """Create a stream; provisioned when no mode is given."""

    stream_name: str | None = None
    shard_count: int | None = None
    stream_mode_details: StreamModeDetails | None = None


class OnStream(_Body):
    """A stream by name, ARN or both."""

    stream_name: str | None = None
    stream_arn: str | None = None


class DeleteStream(OnStream):
    """Delete a stream with its records."""


class DescribeStreamSummary(OnStream):
    """Describe a stream without its shards."""


class DescribeStream(OnStream):
    """Describe a stream and a page of its shards."""

    limit: int | None = None
    exclusive_start_shard_id: str | None = None


class ListStreams(_Body):
    """List a page of streams by name."""

    limit: int | None = None
    exclusive_start_stream_name: str | None = None
    next_token: str | None = None


class ShardFilter(_Body):
    """Which shards to list; `timestamp` in seconds."""

    type: str | None = None
    shard_id: str | None = None
    timestamp: float | None = None


class ListShards(OnStream):
    """List a page of shards."""

    next_token: str | None = None
    exclusive_start_shard_id: str | None = None
    max_results: int | None = None
    stream_creation_timestamp: float | None = None
    shard_filter: ShardFilter | None = None


class Entry(_Body):
    """One record to put; `data` travels as Base64."""

    data: bytes | None = None
    partition_key: str | None = None
    explicit_hash_key: str | None = None


class PutRecord(OnStream):
    """Put one record; a shard's records are always in the order of their puts."""

    data: bytes | None = None
    partition_key: str | None = None
    explicit_hash_key: str | None = None
    sequence_number_for_ordering: str | None = None


class PutRecords(OnStream):
    """Put up to 500 records."""

    records: list[Entry] | None = None


class GetShardIterator(OnStream):
    """Ask for a position in a shard; `timestamp` in seconds."""

    shard_id: str | None = None
    shard_iterator_type: str | None = None
    starting_sequence_number: str | None = None
    timestamp: float | None = None


class GetRecords(_Body):
    """Read from a position."""

    shard_iterator: str | None = None
    limit: int | None = None
    stream_arn: str | None = None


class RetentionPeriod(OnStream):
    """Keep records for as many hours."""

    retention_period_hours: int | None = None


class SplitShard(OnStream):
    """Split a shard in two at a hash key."""

    shard_to_split: str | None = None
    new_starting_hash_key: str | None = None


class MergeShards(OnStream):
    """Merge two adjacent shards."""

    shard_to_merge: str | None = None
    adjacent_shard_to_merge: str | None = None
