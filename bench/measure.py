"""Rates of several sides, measured in turn so that all meet the same noise."""

import time
from collections.abc import Callable
from statistics import median


def median_of(sides: dict[str, Callable[[], float]], turns: int) -> dict[str, float]:
    """Measure each side once a turn and return the medians."""
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            seen[name].append(side())
    return {name: median(values) for name, values in seen.items()}


def rate_of(side: Callable[[], int]) -> Callable[[], float]:
    """Return what measures how many a second a side does, which returns how many it did."""

    def rate() -> float:
        begun = time.perf_counter()
        return side() / (time.perf_counter() - begun)

    return rate


def ratio(value: float, other: float) -> float:
    """Return value / other with three significant digits."""
    return float(f"{value / other:.3g}")
