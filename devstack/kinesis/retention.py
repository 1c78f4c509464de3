"""How long records stay; what leaves by age or with its stream goes a little at a time, and nobody waits."""

from collections.abc import Iterator

from devstack.kinesis import shapes
from devstack.kinesis.constraints import Check
from devstack.kinesis.faults import invalid
from devstack.kinesis.model import RETENTION_HOURS, UPDATING, Shard, Stream
from devstack.kinesis.reading import first_since
from devstack.kinesis.streams import Streams, must_be_active

AT_ONCE = 1000
MAX_HOURS = 8760


class Retention:
    """IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod over the account's streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def increase(self, request: shapes.RetentionPeriod) -> None:
        """Keep records longer; those that are too old by now do not come back."""
        stream, hours = self._checked(request)
        if hours < stream.retention_hours:
            raise _wrong(stream, hours, "shorter", "Decrease")
        for shard in list(stream.shards):
            for _ in _trim_shard(self._streams, stream, shard):
                pass
        self._set(stream, hours)

    def decrease(self, request: shapes.RetentionPeriod) -> None:
        """Keep records less long."""
        stream, hours = self._checked(request)
        if hours > stream.retention_hours:
            raise _wrong(stream, hours, "longer", "Increase")
        self._set(stream, hours)

    def _checked(self, request: shapes.RetentionPeriod) -> tuple[Stream, int]:
        check = Check()
        check.stream(request)
        check.given("retentionPeriodHours", request.retention_period_hours)
        check.done()
        stream, hours = self._streams.find(request), request.retention_period_hours or 0
        must_be_active(stream)
        asked = f"Requested retention period ({hours} hours) is too"
        if hours < RETENTION_HOURS:
            raise invalid(f"Minimum allowed retention period is {RETENTION_HOURS} hours. {asked} short.")
        if hours > MAX_HOURS:
            raise invalid(f"Maximum allowed retention period is {MAX_HOURS} hours. {asked} long.")
        return stream, hours

    def _set(self, stream: Stream, hours: int) -> None:
        self._streams.store.set_retention(stream.key, hours)
        stream.retention_hours = hours
        self._streams.pass_through(stream, UPDATING)


def _wrong(stream: Stream, hours: int, how: str, other: str) -> Exception:
    return invalid(
        f"Requested retention period ({hours} hours) for stream {stream.name} can not be {how} than existing "
        f"retention period ({stream.retention_hours} hours). Use {other}RetentionPeriod API."
    )


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
    if shard not in stream.listed(now) and shard in stream.shards:
        streams.store.delete_shard(shard.key)
        stream.shards.remove(shard)
