"""Move one table's rows of the selected posts from MySQL to a Kinesis stream."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pinflow import live, paths
from pinflow.hooks.batches import Record
from pinflow.hooks.stream_writer import StreamWriter
from pinflow.manifest import StreamManifest, StreamPlace, pack_stream_ids, shard_spans
from pinflow.operators.selected_rows import SelectedRowsOperator, WholeRows
from pinflow.settings import Settings
from pinflow.transport import open_stream_writer

if TYPE_CHECKING:
    from airflow.sdk import Context


class MySqlToKinesisOperator(SelectedRowsOperator[StreamPlace, StreamWriter]):
    """Send exactly the selected ids of one table to its stream, partition key = ind, all acknowledged.

    :param table: `pin`, `geo` or `user`.
    :param selected: what SelectPostsOperator returned (templated).
    :param rate: rows a second, evenly, in the frozen order (templated); None: the run's param `rate`, and
        without that as fast as possible.

    Returns a manifest (pinflow.manifest.StreamManifest as JSON); its id file lists ind, post_ts, shard and
    sequence number of every acknowledged record. A live run that a busy stream holds up for long ends
    without its last rows and says so. Raises SourceError, SourceUnavailableError, ObjectGoneError,
    StreamError, StreamDeliveryError, ApiError or LiveError; a retry sends everything again.
    """

    template_fields: Sequence[str] = ("table", "selected", "rate")
    ui_color = "#e4dcf5"

    def __init__(self, *, rate: float | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.clock = time.monotonic
        self.sleep = time.sleep

    def target(self, settings: Settings) -> str:
        """Name the stream."""
        return paths.stream(settings.user_id, self.table)

    def open_writer(self, settings: Settings, places: list[StreamPlace]) -> StreamWriter:
        """Return a writer to the stream."""
        return open_stream_writer(settings, self.target(settings), places.append)

    def pack(self, places: list[StreamPlace], posts: dict[int, str]) -> bytes:
        """Return the id file."""
        return pack_stream_ids(places, posts)

    def manifest(self, common: dict[str, Any], target: str, places: list[StreamPlace]) -> StreamManifest:
        """Return the manifest."""
        return StreamManifest(**common, stream=target, shards=shard_spans(places))

    def send(
        self,
        context: "Context",
        settings: Settings,
        frozen: list[int],
        writer: StreamWriter,
        whole: WholeRows,
    ) -> None:
        """Send the rows as they come, or in the frozen order at a rate."""
        given = live.rate_of(self.rate)
        rate = given if given is not None else live.rate_of((context.get("params") or {}).get("rate"))
        seconds = self.selected.get("seconds")
        if rate is None and seconds is None:
            super().send(context, settings, frozen, writer, whole)
        else:
            rows = self._in_order(settings, frozen, whole)
            self._send_paced(rows, writer, rate, seconds)
        self.log.info("%s: %d records were sent again", self.table, writer.resent)

    def _in_order(self, settings: Settings, frozen: list[int], whole: WholeRows) -> list[Record]:
        held: dict[int, list[bytes]] = defaultdict(list)
        for ind, line in self.lines(settings, dict.fromkeys(frozen), whole):
            held[ind].append(line)
        return [(ind, line) for ind in frozen for line in held.get(ind, ())]

    def _send_paced(
        self, rows: list[Record], writer: StreamWriter, rate: float | None, seconds: float | None
    ) -> None:
        ends_after = None if seconds is None else seconds + live.GRACE_SECONDS
        sent = 0
        for part in live.paced(rows, rate, ends_after, self.clock, self.sleep):
            for ind, line in part:
                writer.send(ind, line)
            writer.flush()
            sent += len(part)
        writer.finish()
        if sent < len(rows):
            self.log.warning(
                "%s: the stream was too busy: %d of %d rows were not sent in %g s. Repair: lower the rate, "
                "or give the stream more shards", self.table, len(rows) - sent, len(rows), ends_after,
            )  # fmt: skip
