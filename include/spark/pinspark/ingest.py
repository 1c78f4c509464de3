"""Run the streams: one query each, watched, with a line for each micro-batch."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from pinspark.checkpoints import current_checkpoint
from pinspark.contracts import load_contract
from pinspark.kinesis_shards import lost
from pinspark.session import together
from pinspark.stream import Feed, check_tables, clean_records, open_stream, write_batches

LOOK_SECONDS = 0.5
TRIES = 3
# a busy machine: the Python process of a query did not start within the ten seconds that Spark gives it
SLOW = "Python worker failed to connect back"
SAID = 1000  # most signs of an error that is told
# an error of the source or of a micro-batch comes back as the text of a Python traceback
_LOST = re.compile(r"StreamLostError: Stream `(.*?)`: (.*?)\. Nothing was skipped")
_CAUSE = re.compile(r"^[\w.]*(?:Error|Exception): .*", re.MULTILINE)


class IngestError(RuntimeError):
    """A stream that could not be read to its end."""


@dataclass
class Progress:
    """What one query has done so far."""

    feed: Feed
    start: Callable[[], StreamingQuery]
    query: StreamingQuery = field(init=False)
    starts: int = 0
    batches: int = 0
    records: int = 0
    last: int = field(default=-1)

    def __post_init__(self) -> None:
        """Start the query."""
        self.begin()

    def begin(self) -> None:
        """Start the query, or start it again; one whose process was too slow gets a few tries."""
        while True:
            self.starts += 1
            try:
                self.query = self.start()
                return
            except PySparkException as error:
                if not self.may_begin_again(str(error)):
                    raise

    def may_begin_again(self, said: str) -> bool:
        """Tell whether an error is only a slow start, and not the last that is put up with."""
        slow = SLOW in said and self.starts < TRIES
        if slow:
            print(f"{self.feed.table}: {SLOW}; trying again", flush=True)
        return slow

    def look(self) -> None:
        """Print the micro-batches that have ended since the last look."""
        for batch in self.query.recentProgress:
            if batch.batchId > self.last and batch.numInputRows is not None:
                self.last = batch.batchId
                self._count(batch)

    def _count(self, batch: Any) -> None:
        records = int(batch.numInputRows)
        if records:
            self.batches, self.records = self.batches + 1, self.records + records
            took = f"{batch.batchDuration / 1000:.1f} s"
            said = f"batch {batch.batchId}, {records} records in {took}, {self.records} so far"
            print(f"{self.feed.table}: {said}", flush=True)


def ingest(
    spark: SparkSession,
    feeds: list[Feed],
    options: dict[str, str],
    seconds: float | None = None,
    rebuild: str = "false",
) -> dict[str, dict[str, int]]:
    """Read every stream up to now, or for so many seconds; count batches and records by table.

    Raises SchemaMismatchError, CheckpointLostError, StreamLostError or IngestError; the other streams are
    stopped then.
    """
    together(*(partial(check_tables, spark, feed) for feed in feeds))
    found = together(*(partial(current_checkpoint, spark, feed, rebuild) for feed in feeds))
    checkpoints = dict(zip((feed.table for feed in feeds), found, strict=True))
    queries: list[Progress] = []
    try:
        for feed in feeds:
            start = partial(_start, spark, feed, options, checkpoints[feed.table], seconds)
            queries.append(Progress(feed, start))
        _watch(queries, seconds)
    finally:
        for progress in queries:
            progress.query.stop()
    return {p.feed.table: {"batches": p.batches, "records": p.records} for p in queries}


def _start(
    spark: SparkSession, feed: Feed, options: dict[str, str], checkpoint: str, seconds: float | None
) -> StreamingQuery:
    contract = load_contract(feed.table)
    found = open_stream(spark, feed, options).transform(clean_records, contract)
    writer = found.writeStream.foreachBatch(write_batches(feed, contract, checkpoint))
    trigger = {"availableNow": True} if seconds is None else {"processingTime": "0 seconds"}
    return writer.option("checkpointLocation", checkpoint).trigger(**trigger).start()


def _watch(queries: list[Progress], seconds: float | None) -> None:
    """Look at the queries until all have ended, or the time is over."""
    ends = time.monotonic() + (seconds or 0)
    while True:
        active = any(progress.query.isActive for progress in queries)
        over = seconds is not None and time.monotonic() > ends
        begun_again = False
        for progress in queries:
            progress.look()
            begun_again = _begins_again(progress) or begun_again
        if not begun_again and (over or not active):
            return
        time.sleep(LOOK_SECONDS)


def _begins_again(progress: Progress) -> bool:
    """Tell whether a query had to be started again; raises what else ended it."""
    error = progress.query.exception()
    if error is None:
        return False
    said = str(error)
    if progress.may_begin_again(said):
        progress.begin()
        return True
    if found := _LOST.search(said):
        raise lost(found[1], found[2])
    found = _CAUSE.search(said)
    cause = (found[0] if found else said)[:SAID]
    raise IngestError(
        f"{progress.feed.stream} could not be read into {progress.feed.rows}: {cause} Repair: remove what it "
        "names, then clear `ingest`, which goes on where it stood."
    ) from error
