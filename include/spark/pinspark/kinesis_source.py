"""The streaming source `kinesis` for a Spark that has none: Databricks' columns and options, exact offsets.

An offset holds when the stream was made and, for each shard, a position; children come after their parents.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadLimit,
    ReadMaxRows,
    SupportsTriggerAvailableNow,
)

from pinspark.kinesis_shards import (
    FETCHED,
    PAUSE_SECONDS,
    Description,
    Position,
    Stream,
    beginning,
    lost,
    now_ms,
)

if TYPE_CHECKING:
    from pyarrow import RecordBatch

SCHEMA = (
    "partitionKey STRING, data BINARY, stream STRING, shardId STRING, sequenceNumber STRING, "
    "approximateArrivalTimestamp TIMESTAMP"
)
OPTIONS = ("streamName", "region", "endpoint", "initialPosition", "maxRecordsPerFetch")
LOOK_SECONDS = 10
Offset = dict[str, Any]


class ShardPart(InputPartition):
    """A part of one shard: after a position, up to and with a sequence number."""

    def __init__(self, shard: str, start: Position, end: str) -> None:
        super().__init__((shard, end))
        self.shard, self.start, self.end = shard, start, end


class KinesisSource(DataSource):
    """Registered as `kinesis`; a batch reads at most one page of maxRecordsPerFetch records of each shard."""

    @classmethod
    def name(cls) -> str:
        """Name the format."""
        return "kinesis"

    def schema(self) -> str:
        """Give the columns that Databricks' source has."""
        return SCHEMA

    def streamReader(self, schema: Any) -> "KinesisReader":  # noqa: N802 - Spark's names
        """Make the reader; raises ValueError for an option that it would not honour."""
        del schema
        given = {name: self.options.get(name) for name in OPTIONS}
        unknown = {name.lower() for name in self.options} - {name.lower() for name in OPTIONS}
        if unknown or not given["streamName"]:
            said = f"unknown options {', '.join(sorted(unknown))}" if unknown else "no streamName"
            raise ValueError(f"Source kinesis: {said}. Repair: give of {', '.join(OPTIONS)} what is needed.")
        most = int(given["maxRecordsPerFetch"] or FETCHED)
        stream = Stream(str(given["streamName"]), given["region"], given["endpoint"], most)
        return KinesisReader(stream, first_position(given["initialPosition"] or "trim_horizon"))


def first_position(text: str) -> Position:
    """Read initialPosition: trim_horizon, earliest, latest or {"at_timestamp": ISO 8601 with its zone}."""
    if text.lower() in ("trim_horizon", "earliest"):
        return beginning()
    if text.lower() == "latest":
        return beginning(now_ms())
    with suppress(ValueError, TypeError, KeyError):
        moment = datetime.fromisoformat(json.loads(text)["at_timestamp"])
        if moment.tzinfo is not None:
            return beginning(round(moment.timestamp() * 1000))
    raise ValueError(
        f"initialPosition {text!r} is not understood. Repair: give trim_horizon, latest or "
        '{"at_timestamp": "2022-10-15T13:00:00+00:00"}, with a zone.'
    )


class KinesisReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Plans and reads the micro-batches of one stream."""

    def __init__(self, stream: Stream, first: Position) -> None:
        self.stream, self.first = stream, first
        self.until: int | None = None
        self._looked = self._reached = 0.0
        self._said = Description(0, 0)

    def initialOffset(self) -> Offset:  # noqa: N802
        """Begin at the first position in the oldest shards there are."""
        shards = self.stream.parents()
        begun = {name: dict(self.first) for name, parents in shards.items() if not parents & set(shards)}
        return {"created": self._describe().created, "shards": dict(sorted(begun.items()))}

    def getDefaultReadLimit(self) -> ReadLimit:  # noqa: N802
        """Limit a batch to a page of each shard."""
        return ReadMaxRows(self.stream.most)

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802
        """Fix the moment up to which this run reads: what arrives later is left to the next."""
        self.until = now_ms()

    def latestOffset(self, start: Offset, limit: ReadLimit) -> Offset:  # noqa: N802
        """Look how far each shard can be read; raises StreamLostError."""
        time.sleep(max(0.0, self._reached + PAUSE_SECONDS - time.monotonic()))
        self._reached = time.monotonic()
        said = self._describe_same(start)
        shards = self.stream.parents()
        begun = self._begun(start["shards"], shards)
        reached = {}
        for name, position in sorted(begun.items()):
            if name not in shards and not position["done"]:
                raise lost(self.stream.name, f"{name} is gone and was not read to its end")
            if name in shards:
                self.stream.check_kept(name, position, said.retention_ms)
                reached[name] = position if position["done"] else self._reach(name, position, limit)
        return {"created": said.created, "shards": reached}

    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        """Give a partition for each shard with something to read; raises StreamLostError.

        A batch that comes again after a crash may be planned long ago, and by a run that was begun otherwise.
        """
        said, parts = self._describe_same(end), []
        for name, to in end["shards"].items():
            at = {**start["shards"].get(name, beginning()), "start": to["start"]}
            if to["after"] != at["after"]:
                self.stream.check_kept(name, at, said.retention_ms)
                parts.append(ShardPart(name, at, to["after"]))
        return parts

    def read(self, partition: InputPartition) -> Iterator["RecordBatch"]:
        """Read one partition as Arrow batches; raises StreamLostError when its end is not found."""
        import pyarrow

        part: Any = partition
        text = pyarrow.string()
        kinds = [text, pyarrow.binary(), text, text, text, pyarrow.timestamp("us", tz="UTC")]
        schema = pyarrow.schema(
            [(name.split()[0], kind) for name, kind in zip(SCHEMA.split(", "), kinds, strict=True)]
        )
        for records in self.stream.between(part.shard, part.start, part.end):
            keys, data, sequences, arrived = (
                [record[name] for record in records]
                for name in ("PartitionKey", "Data", "SequenceNumber", "ApproximateArrivalTimestamp")
            )
            same = ([self.stream.name] * len(records), [part.shard] * len(records))
            yield pyarrow.RecordBatch.from_pydict(
                dict(zip(schema.names, [keys, data, *same, sequences, arrived], strict=True)), schema=schema
            )

    def _reach(self, name: str, position: Position, limit: ReadLimit) -> Position:
        return self.stream.reach(name, position, self.until, whole=isinstance(limit, ReadAllAvailable))

    def _begun(self, known: dict[str, Position], shards: dict[str, set[str]]) -> dict[str, Position]:
        """Add the shards whose parents, where there are any left, have been read to their end.

        They begin where the checkpoint did: the first position of this run may lie after their records.
        """
        first = beginning(
            min((position["start"] for position in known.values()), default=self.first["start"])
        )
        open_shards = {name for name in shards if not known.get(name, {}).get("done")}
        new = (name for name, parents in shards.items() if name not in known and not parents & open_shards)
        return {**known, **{name: dict(first) for name in new}}

    def _describe_same(self, offset: Offset) -> Description:
        """Look at the stream; raises StreamLostError when an offset is of another one of its name."""
        said = self._describe()
        if offset["created"] != said.created:
            raise lost(self.stream.name, "it was deleted and made anew since it was read last")
        return said

    def _describe(self) -> Description:
        """Look at the stream itself now and then."""
        if time.monotonic() - self._looked > LOOK_SECONDS or not self._said.created:
            self._said, self._looked = self.stream.describe(), time.monotonic()
        return self._said
