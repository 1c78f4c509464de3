"""Move one table's rows of the selected posts from MySQL to Kafka."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
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

if TYPE_CHECKING:
    from airflow.sdk import Context


def _plain(value: object) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(f"a column of type {type(value).__name__} has no JSON form")


# one encoder: json.dumps makes a new one each time
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode


def wire(row: dict[str, Any]) -> bytes:
    """Write a source row as it goes over the wire: one JSON object, numbers as numbers, ISO 8601."""
    return _COMPACT(row).encode("utf-8", "replace")


class MySqlToKafkaOperator(BaseOperator):
    """Send exactly the selected ids of one table, key = ind, every write acknowledged.

    :param table: `pin`, `geo` or `user`.
    :param selected: what SelectPostsOperator returned (templated).

    Returns a manifest (pinflow.manifest.Manifest as JSON); its id file lists ind, post_ts, partition and
    offset of every acknowledged record. Raises SourceError, SourceUnavailableError, ObjectGoneError,
    KafkaTopicError, KafkaDeliveryError or ApiError; a retry sends the whole window again, and readers drop
    the doubles by id.
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
        acknowledged = self._send(settings, paths.topic(settings.user_id, self.table), posts)
        manifest = self._manifest(settings, context, acknowledged)
        lake.write(manifest.ids, pack_ids(acknowledged, posts))
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

    def _send(self, settings: Settings, topic: str, posts: dict[int, str]) -> list[Place]:
        # an id doubled in the source is sent twice; readers keep the last
        places: list[Place] = []
        key = KEY[self.table]
        source = SourceHook(settings.shift_days, columns=self._selected().get("columns"))
        with closing(open_writer(settings, topic, places.append)) as writer:
            for row in source.rows(self.table, posts.keys()):
                writer.send(int(row[key]), wire(row))
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
