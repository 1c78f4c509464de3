"""One Kinesis stream as a reader sees it: shards, positions in them, pages of records.

A position in a shard: `after` (last sequence number read, or ""), `start` (where to begin without one: ms
since 1970, 0 for the oldest record), `seen` (ms up to which all was read, 0: never), `done` (all was read).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FETCHED = 10_000  # most records of one GetRecords
PAUSE_SECONDS = 0.25  # a shard takes five GetRecords a second
PATIENCE_SECONDS = 60.0
HOUR_MS = 3_600_000
# a throttled or failing service is asked again; what else it says ends the run
BUSY = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "InternalFailure",
    "ServiceUnavailable",
}
Position = dict[str, Any]
Record = dict[str, Any]


class StreamLostError(RuntimeError):
    """What was read last is not in the stream any more."""


@dataclass(frozen=True)
class Description:
    """What tells a stream from another of its name, and how long it keeps records."""

    created: int  # ms since 1970
    retention_ms: int


def beginning(start: int = 0) -> Position:
    """Return the position before a shard's first record, or before the first one that arrives at `start`."""
    return {"after": "", "start": start, "seen": 0, "done": False}


def now_ms() -> int:
    """Return the clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def arrived_ms(record: Record) -> int:
    """Return when a record arrived, in milliseconds since 1970."""
    arrived: datetime = record["ApproximateArrivalTimestamp"]
    return round(arrived.timestamp() * 1000)


class Stream:
    """Reads one stream; raises StreamLostError when something between two reads is gone."""

    def __init__(self, name: str, region: str | None, endpoint: str | None, most: int = FETCHED) -> None:
        self.name, self.region, self.endpoint, self.most = name, region, endpoint, most
        self._made: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the client behind: it belongs to one process."""
        return {**self.__dict__, "_made": None}

    @property
    def _client(self) -> Any:
        if self._made is None:
            import boto3

            self._made = boto3.client("kinesis", region_name=self.region, endpoint_url=self.endpoint)
        return self._made

    def describe(self) -> Description:
        """Ask for creation and retention."""
        said = _patiently(self._client.describe_stream_summary, StreamName=self.name)[
            "StreamDescriptionSummary"
        ]
        created = round(said["StreamCreationTimestamp"].timestamp() * 1000)
        return Description(created, said["RetentionPeriodHours"] * HOUR_MS)

    def parents(self) -> dict[str, set[str]]:
        """List the shards that can be read, each with its parents."""
        shards: list[dict[str, Any]] = []
        asked: dict[str, str] = {"StreamName": self.name}
        while asked:
            answer = _patiently(self._client.list_shards, **asked)
            shards += answer["Shards"]
            asked = {"NextToken": answer["NextToken"]} if answer.get("NextToken") else {}
        both = ("ParentShardId", "AdjacentParentShardId")
        return {shard["ShardId"]: {shard[name] for name in both if shard.get(name)} for shard in shards}

    def pages(self, shard: str, position: Position) -> Iterator[dict[str, Any]]:
        """Get records from a position on, page by page, until the shard ends."""
        where = _iterator(position)
        asked = _patiently(self._client.get_shard_iterator, StreamName=self.name, ShardId=shard, **where)
        iterator = asked["ShardIterator"]
        while iterator:
            page = _patiently(self._client.get_records, ShardIterator=iterator, Limit=self.most)
            yield page
            iterator = page.get("NextShardIterator")

    def reach(self, shard: str, position: Position, until: int | None, whole: bool) -> Position:
        """Find the position after the records there are now, of one page or of the whole shard.

        With `until` (ms since 1970) records that arrived later are left.
        """
        reached, asked = position, now_ms()
        for page in self.pages(shard, position):
            records = page["Records"]
            kept = [record for record in records if until is None or arrived_ms(record) <= until]
            if kept:
                reached = {**reached, "after": kept[-1]["SequenceNumber"], "seen": arrived_ms(kept[-1])}
            if len(kept) < len(records):
                return reached
            if page.get("NextShardIterator") is None:
                return {**reached, "seen": asked, "done": True}
            if not page["MillisBehindLatest"]:
                # a look that found nothing is noted now and then only: a note is a batch
                noted = reached != position or asked - position["seen"] > HOUR_MS
                return {**reached, "seen": asked} if noted else position
            if kept and not whole:
                return reached
            asked = now_ms()
        return reached

    def between(self, shard: str, start: Position, end: str) -> Iterator[list[Record]]:
        """Read the records after a position up to and with a sequence number."""
        for page in self.pages(shard, start):
            found = [record for record in page["Records"] if int(record["SequenceNumber"]) <= int(end)]
            if found:
                yield found
                if found[-1]["SequenceNumber"] == end:
                    return
            if len(found) < len(page["Records"]) or not page["MillisBehindLatest"]:
                break
        raise lost(self.name, f"record {end} of {shard} was there and is not any more")

    def check_kept(self, shard: str, position: Position, retention_ms: int) -> None:
        """Raise when records that were never read may have been dropped since."""
        if position["seen"] and not position["done"] and now_ms() - position["seen"] > retention_ms:
            last = datetime.fromtimestamp(position["seen"] / 1000, UTC)
            raise lost(
                self.name,
                f"{shard} was read up to {last:%Y-%m-%dT%H:%M:%SZ}, which is longer ago than the "
                f"{retention_ms // HOUR_MS} hours for which the stream keeps records",
            )


def lost(stream: str, what: str) -> StreamLostError:
    """Say what is lost and how to start again."""
    return StreamLostError(
        f"Stream `{stream}`: {what}. Nothing was skipped. Repair: run pinterest_stream with the param "
        "`rebuild`, which reads all that the stream holds into a new checkpoint (a post that is then there "
        "twice is shown once); what the stream has dropped comes with the batch layer."
    )


def _iterator(position: Position) -> dict[str, Any]:
    if position["after"]:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position["after"]}
    if position["start"]:
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": position["start"] / 1000}
    return {"ShardIteratorType": "TRIM_HORIZON"}


def _patiently(call: Callable[..., dict[str, Any]], **given: Any) -> dict[str, Any]:
    """Ask again while the service is busy; its other errors are raised."""
    from botocore.exceptions import ClientError

    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call(**given)
        except ClientError as error:
            if error.response["Error"]["Code"] not in BUSY or time.monotonic() > ends:
                raise
        time.sleep(PAUSE_SECONDS)
