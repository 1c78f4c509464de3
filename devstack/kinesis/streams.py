"""The streams of the account: created, found by name or ARN, listed, described, deleted."""

import time
from typing import Any

from devstack.kinesis import shapes
from devstack.kinesis.constraints import Check
from devstack.kinesis.faults import in_use, invalid, limit_exceeded, missing
from devstack.kinesis.limits import Clock
from devstack.kinesis.model import (
    ACCOUNT,
    ACTIVE,
    CREATING,
    DELETING,
    ON_DEMAND,
    ON_DEMAND_SHARDS,
    PROVISIONED,
    Shard,
    Stream,
    even_ranges,
)
from devstack.kinesis.store import Store

CREATING_AT_ONCE = 5
# the default quota of provisioned shards
SHARD_QUOTA = 500
PAGE = 100
Answer = dict[str, Any]


def now_ms() -> int:
    """Return the clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Streams:
    """All streams in memory, written through to the store; used from one thread."""

    def __init__(self, store: Store, region: str, settle_ms: int = 0, clock: Clock = now_ms) -> None:
        self.store, self.region, self.settle_ms, self.clock = store, region, settle_ms, clock
        self._by_name = {stream.name: stream for stream in store.streams()}

    def arn(self, stream: Stream) -> str:
        """Return a stream's ARN."""
        return f"arn:aws:kinesis:{self.region}:{ACCOUNT}:stream/{stream.name}"

    def all(self) -> list[Stream]:
        """Return the streams by name; passing states that are over end here."""
        now = self.clock()
        for stream in list(self._by_name.values()):
            if stream.state != ACTIVE and stream.until <= now:
                self._settle(stream)
        return [self._by_name[name] for name in sorted(self._by_name)]

    def _settle(self, stream: Stream) -> None:
        if stream.state == DELETING:
            self.store.delete_stream(stream.key)
            del self._by_name[stream.name]
        else:
            self.store.set_state(stream.key, ACTIVE, stream.until)
            stream.state = ACTIVE

    def pass_through(self, stream: Stream, state: str) -> None:
        """Put a stream into a passing state, which ends at once unless the endpoint settles slowly."""
        until = self.clock() + self.settle_ms
        self.store.set_state(stream.key, state, until)
        stream.state, stream.until = state, until
        self.all()

    def find(self, request: shapes.OnStream) -> Stream:
        """Return the stream a request names; raises ResourceNotFoundException."""
        name = self._name(request)
        stream = self._by_name.get(name)
        if stream and stream.state != ACTIVE:
            self.all()
            stream = self._by_name.get(name)
        if stream is None:
            raise no_stream(name)
        return stream

    def usable(self, request: shapes.OnStream) -> Stream:
        """Return the stream a request names if it can be read and written already."""
        stream = self.find(request)
        if stream.state == CREATING:
            raise no_stream(stream.name)
        return stream

    def by_key(self, key: int) -> Stream | None:
        """Return a stream by its key."""
        return next((stream for stream in self.all() if stream.key == key), None)

    @staticmethod
    def _name(request: shapes.OnStream) -> str:
        name = request.stream_name
        if request.stream_arn:
            in_arn = request.stream_arn.rpartition("/")[2]
            if name and name != in_arn:
                raise invalid(f"StreamARN {request.stream_arn} is not the ARN of StreamName {name}.")
            return in_arn
        if not name:
            raise invalid("Either StreamName or StreamARN must be given.")
        return name

    def create(self, request: shapes.CreateStream) -> None:
        """Create a stream; raises ResourceInUseException and LimitExceededException."""
        mode = _mode(request)
        count = ON_DEMAND_SHARDS if mode == ON_DEMAND else request.shard_count or 0
        streams = self.all()
        name = str(request.stream_name)
        if name in self._by_name:
            raise in_use(f"Stream {name} under account {ACCOUNT} already exists.")
        if sum(stream.state == CREATING for stream in streams) >= CREATING_AT_ONCE:
            raise limit_exceeded(
                f"The account {ACCOUNT} may have {CREATING_AT_ONCE} streams in the state CREATING at most."
            )
        if mode == PROVISIONED:
            self.check_quota(count)
        now = self.clock()
        with self.store.transaction():
            epoch = self.store.epoch(now)
            shards = [Shard(0, number, epoch, *keys, now) for number, keys in enumerate(even_ranges(count))]
            stream = Stream(0, name, now, mode, CREATING, now + self.settle_ms, shards)
            self.store.add_stream(stream)
        self._by_name[name] = stream

    def check_quota(self, more: int) -> None:
        """Raise LimitExceededException when so many more shards are over the account's quota."""
        there = sum(len(stream.open) for stream in self.all() if stream.mode == PROVISIONED)
        if there + more > SHARD_QUOTA:
            raise limit_exceeded(
                f"This request would exceed the shard limit for the account {ACCOUNT} in {self.region}. "
                f"Current shard count for the account: {there}. Limit: {SHARD_QUOTA}. Number of additional "
                f"shards that would have resulted from this request: {more}."
            )

    def delete(self, request: shapes.DeleteStream) -> None:
        """Delete a stream; raises ResourceInUseException unless it is active."""
        check = Check()
        check.stream(request)
        check.done()
        stream = self.find(request)
        must_be_active(stream)
        self.pass_through(stream, DELETING)

    def list_streams(self, request: shapes.ListStreams) -> Answer:
        """List a page of streams; the token is the last name."""
        check = Check()
        check.between("limit", request.limit, 1, 10_000)
        check.name("exclusiveStartStreamName", request.exclusive_start_stream_name)
        check.done()
        after = request.next_token or request.exclusive_start_stream_name or ""
        rest = [stream for stream in self.all() if stream.name > after]
        page = rest[: min(request.limit or PAGE, PAGE)]
        more = len(rest) > len(page)
        return {
            "StreamNames": [stream.name for stream in page],
            "HasMoreStreams": more,
            "StreamSummaries": [self._summary(stream) for stream in page],
            **({"NextToken": page[-1].name} if more else {}),
        }

    def describe(self, request: shapes.DescribeStream) -> Answer:
        """Describe a stream with a page of shards."""
        check = Check()
        check.stream(request)
        check.between("limit", request.limit, 1, 10_000)
        check.name("exclusiveStartShardId", request.exclusive_start_shard_id)
        check.done()
        stream = self.find(request)
        after = request.exclusive_start_shard_id or ""
        listed = [] if stream.state == CREATING else stream.listed(self.clock())
        rest = [shard for shard in listed if shard.id > after]
        page = rest[: min(request.limit or PAGE, PAGE)]
        shards = {"Shards": [shard.describe() for shard in page], "HasMoreShards": len(rest) > len(page)}
        return {"StreamDescription": self._description(stream) | shards}

    def summarize(self, request: shapes.DescribeStreamSummary) -> Answer:
        """Describe a stream without its shards."""
        check = Check()
        check.stream(request)
        check.done()
        stream = self.find(request)
        counts = {"OpenShardCount": len(stream.open), "ConsumerCount": 0}
        return {"StreamDescriptionSummary": self._description(stream) | counts}

    def _summary(self, stream: Stream) -> Answer:
        return {
            "StreamName": stream.name,
            "StreamARN": self.arn(stream),
            "StreamStatus": stream.state,
            "StreamModeDetails": {"StreamMode": stream.mode},
            "StreamCreationTimestamp": stream.created / 1000,
        }

    def _description(self, stream: Stream) -> Answer:
        return self._summary(stream) | {
            "RetentionPeriodHours": stream.retention_hours,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
        }


def no_stream(name: str) -> Exception:
    """Return the fault of an unknown stream."""
    return missing(f"Stream {name} under account {ACCOUNT} not found.")


def must_be_active(stream: Stream) -> None:
    """Raise ResourceInUseException for a stream in a passing state."""
    if stream.state != ACTIVE:
        raise in_use(
            f"Stream {stream.name} under account {ACCOUNT} not ACTIVE, instead in state {stream.state}"
        )


def _mode(request: shapes.CreateStream) -> str:
    details = request.stream_mode_details
    mode = details.stream_mode if details else PROVISIONED
    check = Check()
    if check.given("streamName", request.stream_name):
        check.name("streamName", request.stream_name)
    if check.given("streamModeDetails.streamMode", mode):
        check.one_of("streamModeDetails.streamMode", mode, (PROVISIONED, ON_DEMAND))
    if mode == PROVISIONED and check.given("shardCount", request.shard_count):
        check.between("shardCount", request.shard_count, 1, 2**31 - 1)
    check.done()
    return str(mode)
