"""Move one table's rows of the selected posts from MySQL to Kafka."""

import gzip
from collections.abc import Sequence
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow import paths
from pinflow.errors import ManifestError
from pinflow.hooks.lake import LakeHook
from pinflow.hooks.source import KEY, SourceHook
from pinflow.manifest import Manifest, Place, pack_ids, spans, unpack
from pinflow.settings import Settings, load_settings
from pinflow.transport import open_writer
from pinflow.window import Window
from pinflow.wire import fit, wire

if TYPE_CHECKING:
    from airflow.sdk import Context


class WholeRows:
    """Rows too large to be sent, gzipped as they come; with `ind`, so that it is erased as an id file is."""

    def __init__(self) -> None:
        self.count = 0
        self.content = BytesIO()
        self.zipped = gzip.GzipFile(fileobj=self.content, mode="wb", compresslevel=1, mtime=0)

    def add(self, ind: int, line: bytes) -> None:
        """Keep one row."""
        self.count += 1
        self.zipped.write(b'{"ind":%d,"row":%s}\n' % (ind, line))

    def finish(self) -> bytes:
        """Return the object's content."""
        self.zipped.close()
        return self.content.getvalue()


class MySqlToKafkaOperator(BaseOperator):
    """Send exactly the selected ids of one table, key = ind, every write acknowledged.

    :param table: `pin`, `geo` or `user`.
    :param selected: what SelectPostsOperator returned (templated).

    Returns a manifest (pinflow.manifest.Manifest as JSON); its id file lists ind, post_ts, partition and
    offset of every acknowledged record. Raises SourceError, SourceUnavailableError, ObjectGoneError,
    KafkaTopicError, KafkaDeliveryError or ApiError; a retry sends the whole window again, and readers drop
    the doubles by id. Of a row larger than the setting max_row_bytes only id, size and SHA-256 are sent,
    which `clean` puts into quarantine; the row itself is written beside the id file.
    """

    template_fields: Sequence[str] = ("table", "selected")
    ui_color = "#d9f0dd"

    def __init__(self, *, table: str, selected: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.selected = selected

    def execute(self, context: "Context") -> dict[str, Any]:
        """Read, send, write the id file, return the manifest."""
        settings, lake = load_settings(), LakeHook()
        selected = self._selected()
        frozen = lake.read(selected["posts"], "clear `select_posts`; everything after it runs again.")
        posts = {post["ind"]: post["post_ts"] for post in unpack(frozen)}
        whole = WholeRows()
        acknowledged = self._send(settings, paths.topic(settings.user_id, self.table), posts, whole)
        manifest = self._manifest(settings, context, acknowledged)
        lake.write(manifest.ids, pack_ids(acknowledged, posts))
        if whole.count:
            self._keep(settings, lake, whole, manifest.ids.removesuffix(".jsonl.gz") + ".oversize.jsonl.gz")
        self.log.info(
            "%s: %d posts selected, %d records acknowledged in `%s`, %d orphans (absent in this table); %s",
            self.table, manifest.selected, len(acknowledged), manifest.topic,
            manifest.selected - manifest.count, manifest.partitions,
        )  # fmt: skip
        return manifest.to_json()

    def _selected(self) -> dict[str, Any]:
        if not isinstance(self.selected, dict) or "posts" not in self.selected:
            raise ManifestError(
                f"select_posts handed on {self.selected!r}, no id file.",
                "clear `select_posts`; everything after it runs again.",
            )
        return self.selected

    def _keep(self, settings: Settings, lake: LakeHook, whole: WholeRows, uri: str) -> None:
        lake.write(uri, whole.finish())
        self.log.warning(
            "%s: %d rows of more than max_row_bytes=%d bytes go to quarantine by id, size and SHA-256; they "
            "are whole in %s. Repair: shorten them in the source, or raise the log's limits and then "
            "max_row_bytes in the Variable `pinflow`; then run the window again",
            self.table, whole.count, settings.max_row_bytes, uri,
        )  # fmt: skip

    def _send(self, settings: Settings, topic: str, posts: dict[int, str], whole: WholeRows) -> list[Place]:
        # an id doubled in the source is sent twice; readers keep the last
        places: list[Place] = []
        key = KEY[self.table]
        source = SourceHook(settings.shift_days, columns=self._selected().get("columns"))
        with closing(open_writer(settings, topic, places.append)) as writer:
            for row in source.rows(self.table, posts.keys()):
                ind, line = int(row[key]), wire(row)
                sent = fit(key, ind, line, settings.max_row_bytes)
                if sent is not line:
                    whole.add(ind, line)
                writer.send(ind, sent)
            writer.finish()
        return places

    def _manifest(self, settings: Settings, context: "Context", acknowledged: list[Place]) -> Manifest:
        selected = self._selected()
        window = Window.parse(selected["window_start"], selected["window_end"])
        key = paths.manifest_key(self.table, window, selected["run"], context["ti"].try_number)
        return Manifest(
            table=self.table,
            topic=paths.topic(settings.user_id, self.table),
            window_start=selected["window_start"],
            window_end=selected["window_end"],
            run=selected["run"],
            selected=selected["count"],
            count=len({ind for ind, _, _ in acknowledged}),
            posts=selected["posts"],
            ids=f"s3://{settings.bucket}/{key}",
            partitions=spans(acknowledged),
        )
