"""Wait until the source holds the whole window."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, BaseSensorOperator

from pinflow.errors import SourceBehindError, SourceUnavailableError
from pinflow.hooks.source import CONNECTION, SourceHook
from pinflow.live import is_live
from pinflow.settings import load_settings
from pinflow.window import Span, iso_utc, now, window_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class NewPostsSensor(BaseSensorOperator):
    """Satisfied when the newest post lies past the window's end, or the end is older than the grace period.

    A source that does not answer is waited for; a refused login or a missing table fails at once. A run
    whose param `mode` is `live` waits for nothing: its posts are drawn from all there are.

    :param span: whether the window is a `day` or an `hour`.
    """

    ui_color = "#f4ead5"

    def __init__(self, *, span: Span = "day", **kwargs: Any) -> None:
        super().__init__(**{"mode": "reschedule", **kwargs})
        self.span: Span = span

    def execute(self, context: "Context") -> Any:
        """Poke; raises SourceBehindError after the time-out."""
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            raise SourceBehindError(
                f"The source has not come past the end of {window_of(context, self.span)} ({error}).",
                f"check that the database behind the connection `{CONNECTION}` answers and has new posts, "
                "and that the window is over; then clear this task.",
            ) from error

    def poke(self, context: "Context") -> bool:
        """Ask the source once."""
        if is_live(context.get("params") or {}):
            self.log.info("A live run waits for no window")
            return True
        settings, window = load_settings(), window_of(context, self.span)
        try:
            newest = SourceHook(settings.shift_days).newest_post()
        except SourceUnavailableError as error:
            self.log.warning("Waiting for the source. %s", error)
            return False
        seen = iso_utc(newest) if newest else "none"
        if newest is not None and seen >= window.end_text:
            self.log.info("The newest post is of %s: the window %s is complete", seen, window)
            return True
        grace = timedelta(minutes=settings.grace_minutes)
        if now() >= window.end + grace:
            log = self.log.warning if settings.source_is_live else self.log.info
            log("The newest post is of %s, the window %s ended over %s ago: going on", seen, window, grace)
            return True
        self.log.info("The newest post is of %s; waiting for one past %s", seen, window.end_text)
        return False
