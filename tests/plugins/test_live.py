"""Live mode: what is drawn, when it is due, and which params are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinflow import live
from pinflow.errors import LiveError
from pinflow.live import Live


class Time:
    """A clock that goes on only while somebody sleeps, or works."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def due(rows: int, rate: float | None, ends_after: float | None = None) -> list[tuple[float, int]]:
    time = Time()
    slices = live.paced(range(rows), rate, ends_after, time.clock, time.sleep)
    return [(round(time.now - 1_000, 6), len(part)) for part in slices]


def test_rows_are_due_evenly_in_slices_of_a_fifth_of_a_second() -> None:
    assert due(100, 100) == [(0, 20), (0.2, 20), (0.4, 20), (0.6, 20), (0.8, 20)]
    assert due(3, 2) == [(0, 1), (0.5, 1), (1, 1)]
    assert due(2, 0.1) == [(0, 1), (10, 1)]
    assert due(5, 8) == [(0, 2), (0.25, 2), (0.5, 1)]


def test_without_a_rate_nothing_waits() -> None:
    assert due(1_200, None) == [(0, 500), (0, 500), (0, 200)]


def test_a_slice_that_was_late_is_made_up_for() -> None:
    time = Time()
    begun = []
    for number, _ in enumerate(live.paced(range(100), 100, None, time.clock, time.sleep)):
        begun.append(round(time.now - 1_000, 6))
        time.now += 0.5 if number == 0 else 0  # the stream holds the first slice up
    assert begun == [0, 0.5, 0.5, 0.6, 0.8]


def test_nothing_is_sent_long_after_its_time() -> None:
    time = Time()
    sent = 0
    for part in live.paced(range(100), 100, 1.5, time.clock, time.sleep):
        sent += len(part)
        time.now += 1
    assert sent == 40


@given(st.integers(0, 300), st.floats(0.5, 5_000))
def test_every_row_is_yielded_in_its_order_at_the_rate(rows: int, rate: float) -> None:
    time = Time()
    seen: list[int] = []
    for part in live.paced(range(rows), rate, None, time.clock, time.sleep):
        seen += part
    assert seen == list(range(rows))
    assert time.now - 1_000 <= rows / rate + 1e-6


@given(st.sets(st.integers()), st.integers(0, 60))
def test_a_post_is_drawn_again_only_when_all_others_were_as_often(posts: set[int], count: int) -> None:
    drawn = live.draw(sorted(posts), count)
    assert len(drawn) == (count if posts else 0)
    times = [drawn.count(post) for post in posts]
    assert not times or max(times) - min(times) <= 1


def test_two_draws_differ() -> None:
    posts = range(10_000)
    assert live.draw(posts, 50) != live.draw(posts, 50)
    assert live.draw(posts, 10_000) != list(posts)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, None),
        ({"mode": None, "rate": 3}, None),
        ({"mode": "window", "rate": None, "seconds": None}, None),
        ({"mode": "live", "rate": 10, "seconds": 60}, Live(10, 60)),
        ({"mode": "live", "rate": "0.5", "seconds": "10"}, Live(0.5, 10)),
    ],
)
def test_the_params_of_a_run_are_read(params: dict[str, Any], expected: Live | None) -> None:
    assert live.live_of(params) == expected


def test_a_live_run_sends_rate_times_seconds_rows_and_one_at_least() -> None:
    assert Live(10, 60).rows == 600
    assert Live(0.01, 1).rows == 1


@pytest.mark.parametrize("value", [None, "", "None", " "])
def test_a_rate_that_is_null_means_as_fast_as_possible(value: Any) -> None:
    assert live.rate_of(value) is None


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"mode": "lively"}, "one of window, live"),
        ({"mode": "live"}, "needs params.rate and params.seconds"),
        ({"mode": "live", "rate": 1}, "give both"),
        ({"mode": "live", "rate": 0, "seconds": 1}, "rate as a number above 0"),
        ({"mode": "live", "rate": -1, "seconds": 1}, "rate as a number above 0"),
        ({"mode": "live", "rate": "fast", "seconds": 1}, "'fast'"),
        ({"mode": "live", "rate": "nan", "seconds": 1}, "above 0"),
        ({"mode": "live", "rate": 1, "seconds": "inf"}, "seconds as a number above 0"),
        ({"mode": "live", "rate": 1, "seconds": 86_401}, "at most 86400 seconds"),
        ({"mode": "live", "rate": 1_001, "seconds": 1_000}, "1000000 rows"),
    ],
)
def test_wrong_params_name_the_repair(params: dict[str, Any], words: str) -> None:
    with pytest.raises(LiveError, match=rf"{words}.*runbook\.md#live") as caught:
        live.live_of(params)
    assert "Repair: " in str(caught.value)
