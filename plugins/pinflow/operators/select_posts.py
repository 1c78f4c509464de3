"""Freeze a window's post ids once, so that the three producers read exactly the same posts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow import manifest, paths
from pinflow.hooks.lake import LakeHook
from pinflow.hooks.source import SourceHook
from pinflow.settings import load_settings
from pinflow.window import Span, Window, iso_utc, window_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class SelectPostsOperator(BaseOperator):
    """Write the window's (ind, post_ts) as a file in the lake; a retry freezes anew.

    :param span: whether the window is a `day` or an `hour`.

    Before that it compares the source's columns with the contracts': what differs is logged, and a required
    column that is missing raises SourceDriftError.

    Returns `{"posts": uri, "count": n, "window_start", "window_end", "run", "columns": {table: [name]}}`.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#dfe8f6"

    def __init__(self, *, span: Span = "day", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.span: Span = span

    def choose(self, source: SourceHook, window: Window, context: "Context") -> list[dict[str, Any]]:  # noqa: ARG002 - for those that choose by the run's params
        """Return `ind` and `post_ts` of the window's posts."""
        return list(source.posts(window))

    def execute(self, context: "Context") -> dict[str, Any]:
        """Select, write, return."""
        settings, window = load_settings(), window_of(context, self.span)
        source = SourceHook(settings.shift_days)
        for warning in source.compare_columns():
            self.log.warning("%s: %s", source.where(), warning)
        frozen = [
            {"ind": int(row["ind"]), "post_ts": iso_utc(row["post_ts"])}
            for row in self.choose(source, window, context)
        ]
        run = paths.run_hash_of(context)
        key = paths.manifest_key("posts", window, run, context["ti"].try_number)
        uri = LakeHook().write(f"s3://{settings.bucket}/{key}", manifest.pack(frozen))
        self.log.info(
            "Selected %d posts of %s from %s; ids frozen in %s", len(frozen), window, source.where(), uri
        )
        return {
            "posts": uri,
            "count": len({post["ind"] for post in frozen}),
            "window_start": window.start_text,
            "window_end": window.end_text,
            "run": run,
            "columns": source.columns,
        }
