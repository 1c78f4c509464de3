"""Live mode: random posts at a given rate for a bounded time, and never the same sequence twice."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from random import SystemRandom
from typing import Any

from pinflow.errors import LiveError

MODES = ("window", "live")
SLICES_PER_SECOND = 5
LONGEST_SECONDS = 86_400
MOST_ROWS = 1_000_000
ROWS_PER_SLICE = 500
# how long after its time a live run may still send what a busy stream held up
GRACE_SECONDS = 30.0


@dataclass(frozen=True)
class Live:
    """So many rows a second for so many seconds."""

    rate: float
    seconds: float

    @property
    def rows(self) -> int:
        """How many rows are sent, at least one."""
        return max(1, round(self.rate * self.seconds))


def _number(name: str, value: object) -> float | None:
    """Read a positive number; None for null, also as a template writes it."""
    if value is None or str(value).strip() in ("", "None"):
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan")
    if not 0 < number < float("inf"):
        raise LiveError(f"params.{name} is {value!r}.", f"give {name} as a number above 0, or null.")
    return number


def rate_of(value: object) -> float | None:
    """Read rows a second; None: as fast as possible. Raises LiveError."""
    return _number("rate", value)


def is_live(params: Mapping[str, Any]) -> bool:
    """Tell whether a run is live; without the param it is of a window. Raises LiveError."""
    mode = params.get("mode") or "window"
    if mode not in MODES:
        raise LiveError(f"params.mode is {mode!r}.", f"give one of {', '.join(MODES)}.")
    return bool(mode == "live")


def live_of(params: Mapping[str, Any]) -> Live | None:
    """Read rate and seconds of a live run, None for a run of a window; raises LiveError."""
    if not is_live(params):
        return None
    rate, seconds = _number("rate", params.get("rate")), _number("seconds", params.get("seconds"))
    if rate is None or seconds is None:
        raise LiveError(
            f"A live run needs params.rate and params.seconds, and has {params.get('rate')!r} and "
            f"{params.get('seconds')!r}.",
            "give both, for example a rate of 10 rows a second for 60 seconds.",
        )
    if seconds > LONGEST_SECONDS or rate * seconds > MOST_ROWS:
        raise LiveError(
            f"{rate:g} rows a second for {seconds:g} seconds are too many for one run.",
            f"give at most {LONGEST_SECONDS} seconds and {MOST_ROWS} rows, and trigger again for more.",
        )
    return Live(rate, seconds)


def draw[T](posts: Sequence[T], count: int) -> list[T]:
    """Draw posts of the system's randomness; one comes again only when all others came as often."""
    chance = SystemRandom()
    drawn: list[T] = []
    while posts and len(drawn) < count:
        drawn += chance.sample(posts, min(len(posts), count - len(drawn)))
    return drawn


def paced[T](
    rows: Iterable[T],
    rate: float | None,
    ends_after: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[tuple[T, ...]]:
    """Yield rows in slices of about a fifth of a second, each when it is due (without a rate at once).

    A slice that is late is yielded at once, so that the rate holds over all; none is yielded later than
    `ends_after` seconds behind the first.
    """
    size = max(1, round(rate / SLICES_PER_SECOND)) if rate else ROWS_PER_SLICE
    start = clock()
    for number, part in enumerate(batched(rows, size)):
        ahead = start + number * size / rate - clock() if rate else 0
        if ahead > 0:
            sleep(ahead)
        if ends_after is not None and clock() - start > ends_after:
            return
        yield part
