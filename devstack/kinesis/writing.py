"""Records put into a stream: checked, routed, held to the shards' limits, kept in one transaction."""

from typing import Any

from devstack.kinesis import shapes
from devstack.kinesis.constraints import Check
from devstack.kinesis.faults import TOO_FAST, Fault, invalid
from devstack.kinesis.limits import MIB
from devstack.kinesis.model import HASH_KEYS, Shard, Stream, hash_key, over_rate
from devstack.kinesis.store import Row, place
from devstack.kinesis.streams import Streams

MAX_RECORDS = 500
MAX_RECORD_BYTES = MIB
MAX_REQUEST_BYTES = 10 * MIB
Answer = dict[str, Any]


class Writing:
    """PutRecord and PutRecords over the account's streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def put_one(self, request: shapes.PutRecord) -> Answer:
        """Put a record; raises ProvisionedThroughputExceededException."""
        check = Check()
        check.stream(request)
        check.sequence("sequenceNumberForOrdering", request.sequence_number_for_ordering)
        entry = shapes.Entry(request.data, request.partition_key, request.explicit_hash_key)
        _check_entry(check, "", entry)
        check.done()
        stream = self._streams.usable(request)
        result = self._put(stream, [entry])[0]
        if "ErrorCode" in result:
            raise Fault(TOO_FAST, result["ErrorMessage"])
        return result

    def put_many(self, request: shapes.PutRecords) -> Answer:
        """Put records; one that its shard cannot take now says so in its own result."""
        check = Check()
        check.stream(request)
        records = request.records or []
        if check.given("records", request.records):
            check.length("records", records, 1, MAX_RECORDS, show=False)
        for number, entry in enumerate(records, 1):
            _check_entry(check, f"records.{number}.member.", entry)
        check.done()
        if sum(map(_size, records)) > MAX_REQUEST_BYTES:
            raise invalid(f"Records size exceeds {MAX_REQUEST_BYTES // MIB} MB limit")
        results = self._put(self._streams.usable(request), records)
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedRecordCount": failed, "Records": results}

    def _put(self, stream: Stream, entries: list[shapes.Entry]) -> list[Answer]:
        """Put records in their order; nothing is counted as kept before it is."""
        homes = [stream.shard_of(_hash_key(entry)) for entry in entries]
        now = self._streams.clock()
        results: list[Answer] = []
        rows: list[Row] = []
        ends: dict[int, tuple[Shard, int, int]] = {}
        for entry, shard in zip(entries, homes, strict=True):
            if not shard.limits.writes.admit(now, _size(entry)):
                results.append({"ErrorCode": TOO_FAST, "ErrorMessage": over_rate(stream, shard)})
                continue
            _, index, arrival = ends.get(shard.key) or (shard, shard.next_index, max(now, shard.arrival))
            rows.append((place(shard.key, index), arrival, entry.partition_key or "", entry.data or b""))
            results.append({"ShardId": shard.id, "SequenceNumber": shard.sequence(index)})
            ends[shard.key] = shard, index + 1, arrival
        if rows:
            self._streams.store.append(rows, [(end, at, key) for key, (_, end, at) in ends.items()])
        for shard, end, arrival in ends.values():
            shard.next_index, shard.arrival = end, arrival
        return results


def _check_entry(check: Check, where: str, entry: shapes.Entry) -> None:
    if check.given(f"{where}data", entry.data) and _size(entry) > MAX_RECORD_BYTES:
        check.fails(f"{where}data", f"have length less than or equal to {MAX_RECORD_BYTES}")
    if check.given(f"{where}partitionKey", entry.partition_key):
        check.length(f"{where}partitionKey", entry.partition_key, 1, 256)
    check.hash_key(f"{where}explicitHashKey", entry.explicit_hash_key)


def _size(entry: shapes.Entry) -> int:
    """Weigh a record as the limits do: its data and its partition key in UTF-8."""
    return len(entry.data or b"") + len((entry.partition_key or "").encode())


def _hash_key(entry: shapes.Entry) -> int:
    if entry.explicit_hash_key is None:
        return hash_key(entry.partition_key or "")
    key = int(entry.explicit_hash_key)
    if key >= HASH_KEYS:
        raise invalid(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {key}"
        )
    return key
