"""Living data: posts dated now, at a rate, until Ctrl-C; the three tables always agree."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import mysql.connector

from devstack.config import Settings
from devstack.errors import StackError
from devstack.source.columns import tables
from devstack.source.generate import Chunk, Generator, Plan
from devstack.source.load import alone, connected, create_tables, is_passing
from devstack.source.shape import Draws

BLOCK = 5_000
FIRST_SEED = 1_000_000
LAST_ID = 2**31 - 1
MOST_AT_ONCE = 2_000
TELL_EVERY = 60.0
AGAIN_AFTER = 3.0
NEARLY_NOTHING = 1e-6  # what floats add to a whole number
LOCK_SECONDS = 15
READ_SECONDS = 60
Say = Callable[[str], None]


class Posts:
    """Generated posts by id: a post's row depends on its id alone, but for its time.

    Ids are cut into blocks with a seed each, so that a later run goes on with the same accounts; names are
    numbered past those that a generated source of as many posts has.
    """

    def __init__(self) -> None:
        self._number = -1
        self._rows = Chunk([], [], [])
        self._order: list[int] = []

    def chunk(self, first: int, count: int, at: datetime) -> Chunk:
        """Return the rows of consecutive ids, all dated `at`."""
        made = Chunk([], [], [])
        for index in range(first, first + count):
            number, place = divmod(index, BLOCK)
            if number != self._number:
                self._make(number)
            row = self._order[place]
            made.pins.append((index, *self._rows.pins[row][1:]))
            made.geos.append((index, at, *self._rows.geos[row][2:]))
            made.users.append((index, *self._rows.users[row][1:]))
        return made

    def _make(self, number: int) -> None:
        generator = Generator(Plan(posts=BLOCK, random_seed=FIRST_SEED + number))
        names = generator.accounts.name + (number + 1) * BLOCK
        generator.accounts = replace(generator.accounts, name=names)
        self._rows = next(generator.chunks())
        self._order = Draws(FIRST_SEED + number).order(BLOCK).tolist()
        self._number = number


@dataclass
class Pace:
    """Which posts are due: number k (from 0) is k / rate minutes after the begin; none after the end."""

    rate: int
    begun: float
    until: float
    made: int = 0

    def due(self, now: float) -> int:
        """Return how many are due and not made yet."""
        elapsed = min(now, self.until) - self.begun
        return min(math.ceil(elapsed * self.rate / 60 - NEARLY_NOTHING) - self.made, MOST_AT_ONCE)

    def pause(self, now: float) -> float:
        """Return the seconds until the next one is due, at least one, or until the end."""
        following = self.begun + self.made * 60 / self.rate
        return max(0.0, min(max(following - now, 1.0), self.until - now))


class Live:
    """One run of inserting; `total` counts what the database has confirmed."""

    def __init__(self, settings: Settings, rate: int, seconds: float | None, say: Say) -> None:
        self.settings, self.rate, self.say = settings, rate, say
        self.stop = threading.Event()
        self.begun = time.monotonic()
        self.until = self.begun + seconds if seconds is not None else math.inf
        self.total = 0
        self.newest: int | None = None
        self._posts = Posts()
        self._unsure: Chunk | None = None
        self._told = (0, self.begun)
        self._away: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether Ctrl-C or the end of the time has come."""
        return self.stop.is_set() or time.monotonic() >= self.until

    def run(self) -> int:
        """Insert until the end; a lost connection is made again."""
        was_connected = False
        while not self.is_over:
            try:
                with (
                    connected(self.settings, read_timeout=READ_SECONDS) as cursor,
                    alone(cursor, LOCK_SECONDS if was_connected else 0),
                ):
                    self._settle(cursor)
                    was_connected = True
                    self._insert_until_the_end(cursor)
            except (StackError, mysql.connector.Error, OSError) as error:
                if not was_connected or not is_passing(error.__cause__ or error):
                    raise self._failed(error) from error
                self._is_away(error.__cause__ or error)
        return self.total

    def _is_away(self, error: BaseException) -> None:
        """Say so, at once and then once a minute, and wait a little."""
        now = time.monotonic()
        if self._away is None or now - self._away >= TELL_EVERY:
            self._away = now
            self.say(
                f"{_clock()} the source database is away ({error}); trying again every {AGAIN_AFTER:g} s"
            )
        self.stop.wait(min(AGAIN_AFTER, max(0.0, self.until - now)))

    def _failed(self, error: Exception) -> StackError:
        if isinstance(error, StackError):
            return error
        return StackError(
            f"the source database refused a post after {self.total:,}: {error}. "
            "Repair: give it the tables of include/sql/source (`make seed`), then start LIVE again."
        )

    def _settle(self, cursor: Any) -> None:
        """Find the highest id, and whether the batch that the lost connection had in hand is there."""
        create_tables(cursor)
        if self._away is not None:
            self._away = None
            self.begun = time.monotonic()
            self.say(f"{_clock()} the source database is back; posts go on from now")
        highest = []
        for table in tables():
            cursor.execute(f"SELECT MAX(`{table.key}`) FROM {table.name}")  # noqa: S608 - names of ours
            highest.append(cursor.fetchall()[0][0])
        self.newest = max((found for found in highest if found is not None), default=None)
        if self._unsure is not None:
            index, unique_id = self._unsure.pins[-1][:2]
            cursor.execute(
                "SELECT COUNT(*) FROM pinterest_data WHERE `index` = %s AND unique_id = %s",
                (index, unique_id),
            )
            self.total += len(self._unsure.pins) * cursor.fetchall()[0][0]
            self._unsure = None

    def _insert_until_the_end(self, cursor: Any) -> None:
        pace = Pace(self.rate, self.begun, self.until)
        while True:
            if count := pace.due(time.monotonic()):
                self._insert(cursor, count)
                pace.made += count
            self._tell()
            if self.is_over and (self.stop.is_set() or not pace.due(time.monotonic())):
                return
            now = time.monotonic()
            self.stop.wait(min(pace.pause(now), max(0.0, self._told[1] + TELL_EVERY - now)))

    def _insert(self, cursor: Any, count: int) -> None:
        """Insert the next posts into all three tables in one transaction."""
        first = max(-1 if self.newest is None else self.newest, -1) + 1
        if first + count - 1 > LAST_ID:
            raise StackError(f"the ids end at {LAST_ID}. Repair: `make seed` anew, then start LIVE again.")
        chunk = self._posts.chunk(first, count, datetime.now(UTC).replace(microsecond=0, tzinfo=None))
        cursor.execute("START TRANSACTION")
        for table, rows in zip(tables(), (chunk.pins, chunk.geos, chunk.users), strict=True):
            names = ", ".join(f"`{name}`" for name in table.names)
            marks = ", ".join(["%s"] * len(table.names))
            cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608 - ours too
        self._unsure = chunk
        cursor.execute("COMMIT")
        self._unsure = None
        self.total += count
        self.newest = first + count - 1

    def _tell(self) -> None:
        """Say once a minute what was inserted since."""
        before, when = self._told
        if time.monotonic() - when >= TELL_EVERY:
            self._told = (self.total, time.monotonic())
            more = f"{self.total - before:,} posts more, {self.total:,} so far"
            self.say(f"{_clock()} {more}; newest id {self.newest}")


def insert(settings: Settings, rate: int, seconds: float | None = None, say: Say = print) -> int:
    """Insert posts dated now into the source until Ctrl-C, or for some seconds; return their number."""
    live = Live(settings, rate, seconds, say)
    span = "until Ctrl-C" if seconds is None else f"for {seconds:g} s"
    say(f"{_clock()} inserting {rate:,} posts a minute, dated now, {span}")
    with _on_interrupt(live.stop):
        count = live.run()
    say(f"{_clock()} inserted {count:,} posts" + (f"; newest id {live.newest}" if count else ""))
    return count


def _clock() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def _on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C end the run between two batches; a second one interrupts as ever."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        stop.set()
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
