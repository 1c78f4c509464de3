"""What every producer does: read the selected rows, fit them, send them, write the id file, hand on."""

import gzip
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow import paths
from pinflow.errors import ManifestError
from pinflow.hooks.lake import LakeHook
from pinflow.hooks.source import KEY, SourceHook
from pinflow.manifest import Manifest, StreamManifest, unpack
from pinflow.settings import Settings, load_settings
from pinflow.transport import Writer
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


class SelectedRowsOperator[P: tuple[int, Any, Any], W: Writer](BaseOperator):
    """Send exactly the selected ids of one table, key = ind, every write acknowledged.

    :param table: `pin`, `geo` or `user`.
    :param selected: what SelectPostsOperator returned (templated).

    A retry sends everything again, and readers drop the doubles by id. Of a row larger than the setting
    max_row_bytes only id, size and SHA-256 are sent; the row itself is written beside the id file.
    """

    template_fields: Sequence[str] = ("table", "selected")

    def __init__(self, *, table: str, selected: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.selected = selected

    @abstractmethod
    def target(self, settings: Settings) -> str:
        """Name where the rows go."""

    @abstractmethod
    def open_writer(self, settings: Settings, places: list[P]) -> W:
        """Return the writer, which adds the place of each acknowledged record."""

    @abstractmethod
    def pack(self, places: list[P], posts: dict[int, str]) -> bytes:
        """Return the id file."""

    @abstractmethod
    def manifest(self, common: dict[str, Any], target: str, places: list[P]) -> Manifest | StreamManifest:
        """Return the manifest."""

    def execute(self, context: "Context") -> dict[str, Any]:
        """Read, send, write the id file, return the manifest."""
        settings, lake = load_settings(), LakeHook()
        selected = self._selected()
        content = lake.read(selected["posts"], "clear `select_posts`; everything after it runs again.")
        frozen = list(unpack(content))
        posts = {post["ind"]: post["post_ts"] for post in frozen}
        whole, places, target = WholeRows(), list[P](), self.target(settings)
        with closing(self.open_writer(settings, places)) as writer:
            self.send(context, settings, [post["ind"] for post in frozen], writer, whole)
        ids = self._ids_uri(settings, context)
        manifest = self.manifest(self._common(ids, places), target, places)
        lake.write(ids, self.pack(places, posts))
        if whole.count:
            self._keep(settings, lake, whole, ids.removesuffix(".jsonl.gz") + ".oversize.jsonl.gz")
        handed_on = manifest.to_json()
        self.log.info(
            "%s: %d posts selected, %d records acknowledged in `%s`, %d orphans (absent in this table); %s",
            self.table, manifest.selected, len(places), target, manifest.selected - manifest.count,
            handed_on.get("partitions") or handed_on.get("shards"),
        )  # fmt: skip
        return handed_on

    def send(
        self,
        context: "Context",  # noqa: ARG002 - for those that send by the run's params
        settings: Settings,
        frozen: list[int],
        writer: W,
        whole: WholeRows,
    ) -> None:
        """Send the rows in the order the source gives them, and wait until all are acknowledged."""
        for ind, line in self.lines(settings, dict.fromkeys(frozen), whole):
            writer.send(ind, line)
        writer.finish()

    def lines(
        self, settings: Settings, ids: Collection[int], whole: WholeRows
    ) -> Iterator[tuple[int, bytes]]:
        """Yield id and line of each row with these ids; an id doubled in the source comes twice."""
        key = KEY[self.table]
        source = SourceHook(settings.shift_days, columns=self._selected().get("columns"))
        for row in source.rows(self.table, ids):
            ind, line = int(row[key]), wire(row)
            sent = fit(key, ind, line, settings.max_row_bytes)
            if sent is not line:
                whole.add(ind, line)
            yield ind, sent

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

    def _ids_uri(self, settings: Settings, context: "Context") -> str:
        selected = self._selected()
        window = Window.parse(selected["window_start"], selected["window_end"])
        key = paths.manifest_key(self.table, window, selected["run"], context["ti"].try_number)
        return f"s3://{settings.bucket}/{key}"

    def _common(self, ids: str, places: list[P]) -> dict[str, Any]:
        selected = self._selected()
        return {
            "table": self.table,
            "window_start": selected["window_start"],
            "window_end": selected["window_end"],
            "run": selected["run"],
            "selected": selected["count"],
            "count": len({place[0] for place in places}),
            "posts": selected["posts"],
            "ids": ids,
        }
