"""Freeze a window's post ids once, so that the three producers read exactly the same posts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow import manifest, paths
from pinflow.hooks.lake import LakeHook
from pinflow.hooks.source import SourceHook
from pinflow.settings import load_settings
from pinflow.window import iso_utc, window_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class SelectPostsOperator(BaseOperator):
    """Write the window's (ind, post_ts) as a file in the lake; a retry freezes anew.

    Before that it compares the source's columns with the contracts': what differs is logged, and a required
    column that is missing raises SourceDriftError.

    Returns `{"posts": uri, "count": n, "window_start", "window_end", "run", "columns": {table: [name]}}`.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#dfe8f6"

    def execute(self, context: "Context") -> dict[str, Any]:
        """Select, write, return."""
        settings, window = load_settings(), window_of(context)
        source = SourceHook(settings.shift_days)
        for warning in source.compare_columns():
            self.log.warning("%s: %s", source.where(), warning)
        posts = source.posts(window)
        frozen = [{"ind": int(row["ind"]), "post_ts": iso_utc(row["post_ts"])} for row in posts]
        run = paths.run_hash_of(context)
        key = paths.manifest_key("posts", window, run, context["ti"].try_number)
        uri = LakeHook().write(f"s3://{settings.bucket}/{key}", manifest.pack(frozen))
        self.log.info(
            "Selected %d posts of %s from %s; ids frozen in %s", len(frozen), window, source.where(), uri
        )
        return {
            "posts": uri,
            "count": len(frozen),
            "window_start": window.start_text,
            "window_end": window.end_text,
            "run": run,
            "columns": source.columns,
        }
