"""What leaves by age or with its stream, a little at a time, so that nobody waits for it."""

from collections.abc import Iterator

from devstack.kinesis.model import Shard, Stream
from devstack.kinesis.reading import first_since
from devstack.kinesis.streams import Streams

AT_ONCE = 1000


def trim(streams: Streams) -> Iterator[int]:
    """Delete what nobody can read any more; yield the number of records after each part."""
    for stream in streams.all():
        for shard in list(stream.shards):
            yield from _trim_shard(streams, stream, shard)
    for key, first, end in streams.store.leftovers():
        for start in range(first, end, AT_ONCE):
            streams.store.delete_records(key, start, min(start + AT_ONCE, end))
            yield min(start + AT_ONCE, end) - start
        streams.store.delete_shard(key)


def _trim_shard(streams: Streams, stream: Stream, shard: Shard) -> Iterator[int]:
    now = streams.clock()
    keep = first_since(streams.store, shard, stream.oldest(now))
    while shard.first < keep:
        start, end = shard.first, min(shard.first + AT_ONCE, keep)
        streams.store.delete_records(shard.key, start, end)
        shard.first = end
        yield end - start
    if shard not in stream.listed(now):
        streams.store.delete_shard(shard.key)
        stream.shards.remove(shard)
