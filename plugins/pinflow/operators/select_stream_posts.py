"""Freeze what the streams are sent: the posts of a window, or in live mode random ones of all."""

from typing import TYPE_CHECKING, Any

from pinflow import live
from pinflow.hooks.source import SourceHook
from pinflow.operators.select_posts import SelectPostsOperator
from pinflow.window import Window

if TYPE_CHECKING:
    from airflow.sdk import Context


class SelectStreamPostsOperator(SelectPostsOperator):
    """Freeze a window's posts, or when the run's param `mode` is `live` random ones in sending order.

    A live run draws `rate` x `seconds` posts from all of the source, with new randomness each try, so that
    no two runs send the same sequence; a post comes twice only when the source has fewer.

    :param span: whether the window is a `day` or an `hour`, by default an hour.

    Returns what SelectPostsOperator returns, and in live mode `seconds`. Raises LiveError.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"span": "hour", **kwargs})

    def choose(self, source: SourceHook, window: Window, context: "Context") -> list[dict[str, Any]]:
        """Return `ind` and `post_ts` of what is to be sent."""
        asked = live.live_of(context.get("params") or {})
        if asked is None:
            return super().choose(source, window, context)
        posts = list(source.every_post())
        self.log.info(
            "Live: %g rows a second for %g s, drawn from %d posts", asked.rate, asked.seconds, len(posts)
        )
        return live.draw(posts, asked.rows)

    def execute(self, context: "Context") -> dict[str, Any]:
        """Select, write, return."""
        asked = live.live_of(context.get("params") or {})
        selected: dict[str, Any] = super().execute(context)
        return selected if asked is None else {**selected, "seconds": asked.seconds}
