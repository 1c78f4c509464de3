"""Shards of a stream: listed with filters and pages, split, merged."""

from typing import Any

from devstack.kinesis import shapes, tokens
from devstack.kinesis.constraints import Check
from devstack.kinesis.faults import Fault, invalid, missing
from devstack.kinesis.model import ACCOUNT, CREATING, ON_DEMAND, UPDATING, Shard, Stream
from devstack.kinesis.streams import Streams, must_be_active, no_stream

PAGE = 1000
FILTERS = (
    "AFTER_SHARD_ID",
    "AT_TRIM_HORIZON",
    "FROM_TRIM_HORIZON",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
)
Answer = dict[str, Any]


class Resharding:
    """The operations on shards over the account's streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def list_shards(self, request: shapes.ListShards) -> Answer:
        """List a page of shards; a token stands for stream, filter and place."""
        _check_list(request)
        now = self._streams.clock()
        stream, token = self._from(request, now)
        if stream.state == CREATING:
            must_be_active(stream)
        rest = [
            s for s in stream.listed(now) if s.number > token.after and _passes(s, token.filter, stream, now)
        ]
        page = rest[: min(request.max_results or PAGE, PAGE)]
        answer: Answer = {"Shards": [shard.describe() for shard in page]}
        if len(rest) > len(page):
            following = tokens.ListToken(stream.key, page[-1].number, now, token.filter)
            answer["NextToken"] = tokens.write(following)
        return answer

    def _from(self, request: shapes.ListShards, now: int) -> tuple[Stream, tokens.ListToken]:
        """Return the stream, and the token that was given or would stand for the request."""
        if request.next_token is not None:
            token = tokens.read_list_token(request.next_token, now)
            stream = self._streams.by_key(token.stream)
            if stream is None:
                raise missing("The stream of the NextToken was deleted.")
            return stream, token
        stream = self._streams.find(request)
        created = request.stream_creation_timestamp
        if created is not None and int(created) != stream.created // 1000:
            raise no_stream(stream.name)
        given = request.shard_filter
        after = request.exclusive_start_shard_id or (given.shard_id if given else None)
        return stream, tokens.ListToken(stream.key, _number(after), now, given)

    def split(self, request: shapes.SplitShard) -> None:
        """Split a shard: the new starting hash key begins the second child."""
        check = Check()
        check.stream(request)
        if check.given("shardToSplit", request.shard_to_split):
            check.name("shardToSplit", request.shard_to_split)
        if check.given("newStartingHashKey", request.new_starting_hash_key):
            check.hash_key("newStartingHashKey", request.new_starting_hash_key)
        check.done()
        stream = self._provisioned(request)
        shard = self._shard(stream, request.shard_to_split)
        middle = int(request.new_starting_hash_key or 0)
        if not shard.first_hash + 1 < middle < shard.last_hash:
            raise invalid(
                f"NewStartingHashKey {middle} used in SplitShard() on shard {shard.id} in stream "
                f"{stream.name} under account {ACCOUNT} is not both greater than one plus the shard's "
                f"StartingHashKey {shard.first_hash} and less than the shard's EndingHashKey "
                f"{shard.last_hash}."
            )
        self._must_be_open(stream, shard)
        self._streams.check_quota(1)
        self._replace(stream, [shard], [(shard.first_hash, middle - 1), (middle, shard.last_hash)])

    def merge(self, request: shapes.MergeShards) -> None:
        """Merge two shards whose ranges touch, given in either order."""
        check = Check()
        check.stream(request)
        for place, value in (
            ("shardToMerge", request.shard_to_merge),
            ("adjacentShardToMerge", request.adjacent_shard_to_merge),
        ):
            if check.given(place, value):
                check.name(place, value)
        check.done()
        stream = self._provisioned(request)
        pair = [
            self._shard(stream, name) for name in (request.shard_to_merge, request.adjacent_shard_to_merge)
        ]
        for shard in pair:
            self._must_be_open(stream, shard)
        low, high = sorted(pair, key=lambda shard: shard.first_hash)
        if low.last_hash + 1 != high.first_hash:
            raise invalid(
                f"Shards {pair[0].id} and {pair[1].id} in stream {stream.name} under account {ACCOUNT} "
                "are not an adjacent pair of shards eligible for merging"
            )
        self._replace(stream, pair, [(low.first_hash, high.last_hash)])

    def _provisioned(self, request: shapes.OnStream) -> Stream:
        stream = self._streams.find(request)
        if stream.mode == ON_DEMAND:
            raise Fault(
                "ValidationException",
                f"Request is invalid. Stream {stream.name} under account {ACCOUNT} is in On-Demand mode.",
            )
        must_be_active(stream)
        return stream

    def _shard(self, stream: Stream, name: str | None) -> Shard:
        shard = stream.shard(name, self._streams.clock())
        if shard is None:
            raise missing(f"Could not find shard {name} in stream {stream.name} under account {ACCOUNT}.")
        return shard

    @staticmethod
    def _must_be_open(stream: Stream, shard: Shard) -> None:
        if shard.closed is not None:
            raise invalid(
                f"Shard {shard.id} in stream {stream.name} under account {ACCOUNT} has already been "
                "merged or split, and thus is not eligible for merging or splitting."
            )

    def _replace(self, stream: Stream, parents: list[Shard], ranges: list[tuple[int, int]]) -> None:
        """Close the parents and open a child for each range."""
        store, now = self._streams.store, self._streams.clock()
        parent, adjacent = parents[0].number, parents[1].number if len(parents) > 1 else None
        with store.transaction():
            epoch, number = store.epoch(now), stream.shards[-1].number + 1
            children = [
                Shard(0, number + place, epoch, low, high, now, parent, adjacent)
                for place, (low, high) in enumerate(ranges)
            ]
            for old in parents:
                store.close_shard(old.key, now)
            for child in children:
                store.add_shard(stream.key, child)
        for old in parents:
            old.closed = now
        stream.shards += children
        stream.route()
        self._streams.pass_through(stream, UPDATING)


def _check_list(request: shapes.ListShards) -> None:
    check = Check()
    check.stream(request)
    check.name("exclusiveStartShardId", request.exclusive_start_shard_id)
    check.between("maxResults", request.max_results, 1, 10_000)
    if request.shard_filter and check.given("shardFilter.type", request.shard_filter.type):
        check.one_of("shardFilter.type", request.shard_filter.type, FILTERS)
    check.done()
    named = request.stream_name or request.stream_arn
    if request.next_token is None and not named:
        raise invalid("Either NextToken or StreamName should be provided.")
    others = named, request.exclusive_start_shard_id, request.stream_creation_timestamp, request.shard_filter
    if request.next_token is not None and any(other is not None for other in others):
        raise invalid("NextToken and StreamName cannot be provided together.")
    _check_filter(request)


def _check_filter(request: shapes.ListShards) -> None:
    given = request.shard_filter
    if given is None:
        return
    if (given.type == "AFTER_SHARD_ID") != (given.shard_id is not None):
        raise invalid("ShardFilter: ShardId goes with the type AFTER_SHARD_ID, and only with it.")
    if (given.type in ("AT_TIMESTAMP", "FROM_TIMESTAMP")) != (given.timestamp is not None):
        raise invalid("ShardFilter: Timestamp goes with AT_TIMESTAMP and FROM_TIMESTAMP, and only with them.")


def _number(shard: str | None) -> int:
    """Return the number in a shard's name; -1 without one."""
    digits = (shard or "").rpartition("-")[2]
    return int(digits) if digits.isdecimal() else -1


def _passes(shard: Shard, given: shapes.ShardFilter | None, stream: Stream, now: int) -> bool:
    kind = given.type if given else None
    horizon = max(stream.oldest(now), stream.created)
    moment = max(round((given.timestamp or 0) * 1000) if given else 0, horizon)
    if kind == "AT_LATEST":
        return shard.closed is None
    if kind in ("AT_TRIM_HORIZON", "AT_TIMESTAMP"):
        return shard.opened <= moment and (shard.closed is None or shard.closed >= moment)
    if kind == "FROM_TIMESTAMP":
        return shard.closed is None or shard.closed >= moment
    return True
