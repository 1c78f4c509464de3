"""Records read from a shard: positions in it, and pages from a position on."""

from typing import Any

from devstack.kinesis import sequence, shapes, tokens
from devstack.kinesis.constraints import Check
from devstack.kinesis.faults import TOO_FAST, Fault, invalid, missing
from devstack.kinesis.limits import MIB
from devstack.kinesis.model import ACCOUNT, Shard, Stream, over_rate, shard_id
from devstack.kinesis.store import Store
from devstack.kinesis.streams import Streams

MAX_RECORDS = 10_000
MAX_BYTES = 10 * MIB
AT, AFTER, AT_TIMESTAMP = "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"
TRIM_HORIZON, LATEST = "TRIM_HORIZON", "LATEST"
TYPES = (AT, AFTER, TRIM_HORIZON, LATEST, AT_TIMESTAMP)
Answer = dict[str, Any]


def first_since(store: Store, shard: Shard, moment: int) -> int:
    """Return the index of the first record that came at a moment or later; arrivals never fall."""
    low, high = shard.first, shard.next_index
    if low < high and store.arrival(shard.key, low) >= moment:
        return low
    while low < high:
        middle = (low + high) // 2
        if store.arrival(shard.key, middle) >= moment:
            high = middle
        else:
            low = middle + 1
    return low


class Reading:
    """GetShardIterator and GetRecords over the account's streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def iterator(self, request: shapes.GetShardIterator) -> Answer:
        """Return the position that a request describes."""
        check = Check()
        check.stream(request)
        if check.given("shardId", request.shard_id):
            check.name("shardId", request.shard_id)
        if check.given("shardIteratorType", request.shard_iterator_type):
            check.one_of("shardIteratorType", request.shard_iterator_type, TYPES)
        check.sequence("startingSequenceNumber", request.starting_sequence_number)
        check.done()
        stream, now = self._streams.usable(request), self._streams.clock()
        shard = stream.shard(request.shard_id, now)
        if shard is None:
            raise _no_shard(str(request.shard_id), stream)
        index = self._index(stream, shard, request, now)
        if not shard.limits.iterators.admit(now):
            raise Fault(TOO_FAST, over_rate(stream, shard))
        token = tokens.ShardIterator(stream.key, shard.number, index, now)
        return {"ShardIterator": tokens.write(token)}

    def _index(self, stream: Stream, shard: Shard, request: shapes.GetShardIterator, now: int) -> int:
        kind, given = request.shard_iterator_type, request.starting_sequence_number
        if (kind in (AT, AFTER)) != (given is not None):
            raise invalid(
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
                "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
                f"Request specified {kind} and {'no' if given is None else 'also a'} StartingSequenceNumber."
            )
        if (kind == AT_TIMESTAMP) != (request.timestamp is not None):
            raise invalid(f"Timestamp goes with the type AT_TIMESTAMP, and only with it; the type is {kind}.")
        if request.timestamp is not None:
            return self._since(shard, round(request.timestamp * 1000), now)
        if given is not None:
            return _numbered(stream, shard, given) + (kind == AFTER)
        return shard.next_index if kind == LATEST else shard.first

    def _since(self, shard: Shard, moment: int, now: int) -> int:
        if moment > now:
            raise invalid(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                f"timestampInMillis: {moment}, currentTimestampInMillis: {now}"
            )
        return first_since(self._streams.store, shard, moment)

    def records(self, request: shapes.GetRecords) -> Answer:
        """Return what follows a position: at most 10,000 records and 10 MiB."""
        check = Check()
        if check.given("shardIterator", request.shard_iterator):
            check.length("shardIterator", request.shard_iterator, 1, 512)
        check.between("limit", request.limit, 1, 2**31 - 1)
        check.arn(request.stream_arn)
        check.done()
        if request.limit is not None and request.limit > MAX_RECORDS:
            raise invalid(f"Limit {request.limit} is more than {MAX_RECORDS}.")
        now = self._streams.clock()
        token = tokens.read_iterator(request.shard_iterator or "", now)
        stream, shard = self._place(token, request.stream_arn, now)
        if not shard.limits.reads.admit(now):
            raise Fault(TOO_FAST, over_rate(stream, shard))
        oldest = first_since(self._streams.store, shard, stream.oldest(now))
        start = min(max(token.index, oldest), shard.next_index)
        records, size, latest = self._page(shard, start, request.limit or MAX_RECORDS)
        shard.limits.reads.count(now, size)
        following = start + len(records)
        return self._answer(stream, shard, records, following, max(1, now - latest))

    def _place(self, token: tokens.ShardIterator, arn: str | None, now: int) -> tuple[Stream, Shard]:
        stream = self._streams.by_key(token.stream)
        if stream is None:
            raise missing(
                f"The stream of the ShardIterator was deleted; its shard was {shard_id(token.shard)}."
            )
        if arn and arn != self._streams.arn(stream):
            raise invalid(f"StreamARN {arn} is not that of the ShardIterator.")
        shard = stream.shard(shard_id(token.shard), now)
        if shard is None:
            raise _no_shard(shard_id(token.shard), stream)
        return stream, shard

    def _page(self, shard: Shard, start: int, limit: int) -> tuple[list[Answer], int, int]:
        """Return records, their bytes, and when the last of them came."""
        records: list[Answer] = []
        size = latest = 0
        end = min(start + limit, shard.next_index)
        for index, arrival, key, data in self._streams.store.records(shard.key, start, end):
            size += len(data) + len(key.encode())
            if size > MAX_BYTES:
                size -= len(data) + len(key.encode())
                break
            latest = arrival
            records.append(
                {
                    "SequenceNumber": shard.sequence(index),
                    "ApproximateArrivalTimestamp": arrival / 1000,
                    "Data": data,
                    "PartitionKey": key,
                }
            )
        return records, size, latest

    def _answer(
        self, stream: Stream, shard: Shard, records: list[Answer], following: int, behind: int
    ) -> Answer:
        at_end = following >= shard.next_index
        answer: Answer = {"Records": records, "MillisBehindLatest": 0 if at_end else behind}
        if at_end and shard.closed is not None:
            return answer | {"NextShardIterator": None, "ChildShards": _children(stream, shard)}
        token = tokens.ShardIterator(stream.key, shard.number, following, self._streams.clock())
        return answer | {"NextShardIterator": tokens.write(token)}


def _numbered(stream: Stream, shard: Shard, text: str) -> int:
    """Return the index in a sequence number; raises InvalidArgumentException unless it is of this shard."""
    what = (
        f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.id} in stream {stream.name} "
        f"under account {ACCOUNT} is invalid"
    )
    found = sequence.parse(text)
    if found is None:
        raise invalid(f"{what}.")
    if found.shard != shard.number:
        raise invalid(
            f"Invalid StartingSequenceNumber. It encodes {shard_id(found.shard)}, while it was used in "
            f"a call to a shard with {shard.id}"
        )
    known = found.place < shard.next_index or (shard.closed is not None and found.place == sequence.LAST)
    if found.epoch != shard.epoch or not known:
        raise invalid(f"{what} because it did not come from this stream.")
    return found.place


def _children(stream: Stream, shard: Shard) -> list[Answer]:
    return [
        {
            "ShardId": child.id,
            "ParentShards": [shard_id(n) for n in (child.parent, child.adjacent_parent) if n is not None],
            "HashKeyRange": child.hash_range(),
        }
        for child in stream.shards
        if shard.number in (child.parent, child.adjacent_parent)
    ]


def _no_shard(name: str, stream: Stream) -> Exception:
    return missing(f"Shard {name} in stream {stream.name} under account {ACCOUNT} does not exist")
