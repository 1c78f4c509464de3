"""The half-open UTC window a run works on; the only code that computes a date."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, Self

from pinflow.errors import WindowError

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
Span = Literal["day", "hour"]
_EXAMPLES: dict[Span, str] = {"day": "2022-10-15", "hour": "2022-10-15T13:00"}
PARAM_RUN_TYPES = frozenset({"manual", "operator_triggered"})
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_SLUG = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, order=True)
class Window:
    """Posts with start <= post_ts < end, both UTC."""

    start: datetime
    end: datetime

    @classmethod
    def day(cls, moment: datetime) -> Self:
        """Return the UTC day that contains a moment."""
        start = datetime.combine(moment.astimezone(UTC).date(), time(), UTC)
        return cls(start, start + DAY)

    @classmethod
    def hour(cls, moment: datetime) -> Self:
        """Return the UTC hour that contains a moment."""
        start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return cls(start, start + HOUR)

    @classmethod
    def around(cls, moment: datetime, span: Span) -> Self:
        """Return the UTC day or hour that contains a moment."""
        return cls.day(moment) if span == "day" else cls.hour(moment)

    @classmethod
    def parse(cls, start_text: str, end_text: str) -> Self:
        """Read a window back from its two texts."""
        return cls(datetime.fromisoformat(start_text), datetime.fromisoformat(end_text))

    @classmethod
    def of_slug(cls, slug: str) -> Self:
        """Read a window back from a part of an object key."""
        start, end = (datetime.strptime(part, _SLUG).replace(tzinfo=UTC) for part in slug.split("_"))
        return cls(start, end)

    @property
    def days(self) -> str:
        """First and last day for a person, both included."""
        first, last = self.start.date(), (self.end - timedelta(microseconds=1)).date()
        return str(first) if first == last else f"{first} to {last}"

    @property
    def start_text(self) -> str:
        """Start as ISO 8601, `2022-10-15T00:00:00Z`."""
        return self.start.strftime(_STAMP)

    @property
    def end_text(self) -> str:
        """End as ISO 8601."""
        return self.end.strftime(_STAMP)

    @property
    def slug(self) -> str:
        """Window as a part of an object key, `20221015T000000Z_20221016T000000Z`."""
        return f"{self.start:%Y%m%dT%H%M%SZ}_{self.end:%Y%m%dT%H%M%SZ}"

    def __str__(self) -> str:
        return f"[{self.start_text}, {self.end_text})"


def iso_utc(moment: datetime) -> str:
    """Write a moment as ISO 8601 UTC; a naive one is read as UTC (data.md: the source has no zone)."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime(_STAMP)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def _param_start(name: str, value: object, span: Span) -> datetime:
    example = _EXAMPLES[span]
    text = str(value).strip()
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WindowError(
            f"params.{name} is {value!r}, which is no date.", f"give a UTC {span} such as {example}."
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment != Window.around(moment, span).start:
        raise WindowError(
            f"params.{name} is {value!r}, which is not the start of a UTC {span}.",
            f"a window is made of whole UTC {span}s: give one such as {example}.",
        )
    return moment


def window_from_params(params: Mapping[str, Any], span: Span = "day") -> Window | None:
    """Read window_start and window_end (end excluded), whole days or hours; None when both are null."""
    first, last = params.get("window_start"), params.get("window_end")
    if first in (None, "") and last in (None, ""):
        return None
    if first in (None, "") or last in (None, ""):
        missing = "window_start" if first in (None, "") else "window_end"
        raise WindowError(
            f"params.{missing} is not given.", "give both window_start and window_end, or neither."
        )
    window = Window(_param_start("window_start", first, span), _param_start("window_end", last, span))
    if window.end <= window.start:
        raise WindowError(
            f"The window {window} ends before it starts (window_end itself is excluded).",
            f"give a window_end of at least {_least_end(window, span)}.",
        )
    return window


def _least_end(window: Window, span: Span) -> str:
    end = Window.around(window.start, span).end
    return f"{end:%Y-%m-%d}" if span == "day" else f"{end:%Y-%m-%dT%H:%M}"


def resolve(
    run_type: str,
    logical_date: datetime | None,
    run_after: datetime,
    params: Mapping[str, Any],
    span: Span = "day",
) -> tuple[Window, str]:
    """Return a run's window, a day or an hour, and the reason for it.

    Schedule, backfill, manual run and `dag.test` of one logical date give the same window;
    data_interval_* is never read, since it differs between run types.
    """
    by_hand = run_type in PARAM_RUN_TYPES
    if by_hand and (given := window_from_params(params, span)):
        return given, "params of this run"
    ignored = (
        ""
        if by_hand or not any(params.get(k) for k in ("window_start", "window_end"))
        else (f" (params.window_start/window_end are ignored in a run of type {run_type})")
    )
    before = Window.around(run_after - (DAY if span == "day" else HOUR), span)
    if logical_date is None:
        return before, f"the {span} before run_after, for want of a logical date{ignored}"
    window = Window.around(logical_date, span)
    if by_hand and window.end > run_after:
        return before, f"the {span} before: {window} was not over when the run was made"
    return window, f"the {span} of the logical date{ignored}"


def window_of(context: Mapping[str, Any], span: Span = "day") -> Window:
    """Return the window of a task's run and log it with its reason."""
    run = context["dag_run"]
    window, reason = resolve(
        str(getattr(run.run_type, "value", run.run_type)),
        run.logical_date,
        run.run_after,
        context.get("params") or {},
        span,
    )
    log.info("Window %s: %s", window, reason)
    return window
