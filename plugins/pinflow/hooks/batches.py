"""Batches of keyed records sent beside their reader; what was not acknowledged is sent again alone."""

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

from pinflow.errors import ApiError, PinflowError

# tries in a row of which none has an acknowledgement
TRIES = 6
POSTERS = 2
_LONGEST_PAUSE = 300.0
_TOO_LARGE = 413

Record = tuple[int, bytes]  # id and value


class UnavailableError(Exception):
    """The service is busy, down or silent for now; `pause` is what it asked for, in seconds."""

    def __init__(self, what: str, pause: float = 0.0) -> None:
        super().__init__(what)
        self.pause = pause


def pause(asked: float, fruitless: int) -> float:
    """Return how long to wait: what was asked for, and a time with jitter that doubles each fruitless try."""
    most = 0.5 * 2**fruitless
    return min(_LONGEST_PAUSE, asked) + random.uniform(most / 2, most)  # noqa: S311 - jitter


def _sleep(closed: Event, seconds: float) -> None:
    closed.wait(seconds)


class BatchWriter[P: tuple[int, Any, Any]](ABC):
    """Sends keyed values in batches and reports the place of each one acknowledged.

    Batches are posted beside the caller, who reads on; acknowledgements are reported in its thread. Rows of
    one id are acknowledged in the order they were sent in: the later one waits for the earlier.
    """

    records_per_batch: int
    bytes_per_batch: int

    def __init__(self, acknowledged: Callable[[P], object]) -> None:
        self.acknowledged = acknowledged
        self.batch: list[Record] = []
        self.size = 0
        self.posters = ThreadPoolExecutor(POSTERS)
        self.under_way: deque[Future[list[P]]] = deque()
        self.unsettled: set[int] = set()
        self.resends: deque[int] = deque()
        self.closed = Event()

    @abstractmethod
    def post(self, records: list[Record]) -> tuple[list[P], list[Record], str]:
        """Send once; return the places of what was acknowledged, the records to send again, and why.

        Raises UnavailableError to have all of them sent again, and PinflowError to give up.
        """

    @abstractmethod
    def given_up(self, left: int, count: int, last: UnavailableError) -> PinflowError:
        """Return the error for records that were not acknowledged in TRIES tries without progress."""

    @property
    def resent(self) -> int:
        """How many records were sent again."""
        return sum(self.resends)

    def send(self, ind: int, value: bytes) -> None:
        """Add one record with key = ind; posts when a batch is full."""
        full = len(self.batch) >= self.records_per_batch or self.size + len(value) > self.bytes_per_batch
        if self.batch and full:
            self.flush()
        if ind in self.unsettled:  # the later row of a doubled id must come to stand behind the earlier one
            self._settle_id(ind)
        self.unsettled.add(ind)
        self.batch.append((ind, value))
        self.size += len(value)

    def flush(self) -> None:
        """Post what is held, without waiting for its acknowledgement."""
        records, self.batch, self.size = self.batch, [], 0
        if records:
            self.under_way.append(self.posters.submit(self._deliver, records))
            self._settle(2 * POSTERS)

    def finish(self) -> None:
        """Post what is left and wait; raises PinflowError when a record is not acknowledged."""
        self.flush()
        self._settle(0)

    def close(self) -> None:
        """Stop posting what is left, and do not wait for it."""
        self.closed.set()
        self.posters.shutdown(wait=False, cancel_futures=True)

    def _settle_id(self, ind: int) -> None:
        if any(ind == held for held, _ in self.batch):
            self.flush()
        while ind in self.unsettled:
            self._settle(len(self.under_way) - 1)

    def _settle(self, most: int) -> None:
        """Report finished batches until at most so many are under way."""
        while len(self.under_way) > most:
            for place in self.under_way.popleft().result():
                self.unsettled.discard(place[0])
                self.acknowledged(place)

    def _deliver(self, records: list[Record]) -> list[P]:
        """Post until each record is acknowledged; only tries without progress are bounded.

        A busy shard that takes a few records each time is waited for.
        """
        left, places, fruitless = records, list[P](), 0
        while left:
            try:
                placed, again, why = self.post(left)
                said = UnavailableError(why)
            except UnavailableError as error:
                placed, again, said = [], left, error
            except ApiError as error:
                if error.status != _TOO_LARGE or len(left) == 1:
                    raise
                half = len(left) // 2
                return [*places, *self._deliver(left[:half]), *self._deliver(left[half:])]
            places += placed
            left, fruitless = again, 0 if placed else fruitless + 1
            if left:
                if fruitless >= TRIES or self.closed.is_set():
                    raise self.given_up(len(left), len(records), said) from said
                _sleep(self.closed, pause(said.pause, fruitless))
                self.resends.append(len(left))
        return places
