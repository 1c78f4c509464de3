"""A query whose Python process starts too slowly on a busy machine is started again, a few times."""

from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.errors import PySparkException

from pinspark.ingest import SLOW, TRIES, Progress
from pinspark.stream import Feed

FEED: Any = SimpleNamespace(table="pin")


def starting(*ends: str) -> tuple[list[str], Any]:
    """A start that fails with these texts in turn and then gives a query."""
    left = list(ends)

    def start() -> Any:
        if left:
            raise PySparkException(left.pop(0))
        return SimpleNamespace(recentProgress=[])

    return left, start


def test_a_slow_start_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    left, start = starting(*[f"SparkException: {SLOW}."] * (TRIES - 1))
    feed: Feed = FEED
    assert Progress(feed, start).starts == TRIES
    assert not left
    assert capsys.readouterr().out.count("pin: ") == TRIES - 1


@pytest.mark.parametrize(("ends", "starts"), [([f"{SLOW}"] * TRIES, TRIES), (["no such table"] * TRIES, 1)])
def test_a_start_that_stays_slow_or_fails_otherwise_ends_the_run(ends: list[str], starts: int) -> None:
    left, start = starting(*ends)
    with pytest.raises(PySparkException, match=ends[0]):
        Progress(FEED, start)
    assert len(ends) - len(left) == starts
