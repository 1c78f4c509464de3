"""Thirty days: what the first and the last ask of S3, windows a minute; and a day ten times another."""

import time
from datetime import date, timedelta
from statistics import mean
from typing import Any

from bench.measure import ratio
from bench.s3_requests import Counts, S3Requests
from devstack import supervise
from devstack.airflow_api import AirflowApi
from devstack.config import Settings
from devstack.runs import backfill, load, run_and_wait
from devstack.source import seed

FIRST = date(2022, 9, 1)
DAYS = 30
POSTS = 370
ALONE = 3  # days at each end that run alone, so that their requests are theirs
SIZES = {date(2022, 10, 10): 10_000, date(2022, 10, 20): 100_000}
Result = dict[str, Any]


def run(settings: Settings) -> Result:
    """Run the days in order, the first and the last ones alone; then a day of each size."""
    settings = settings.model_copy(update={"s3_log_level": "debug"})
    supervise.up(settings)
    last = FIRST + timedelta(days=DAYS - 1)
    seed(settings, posts=DAYS * POSTS, span=f"{FIRST}..{last}")
    api = AirflowApi(settings.airflow_url)
    run_and_wait(api, "pinterest_setup", f"bench__{time.time_ns()}", {})
    _window(settings, FIRST - timedelta(days=1))  # empty, and the first for everything that is still cold
    requests = S3Requests(settings.state_dir / "logs" / "s3.log")
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    first = [_counted(settings, requests, day) for day in days[:ALONE]]
    between = days[ALONE:-ALONE]
    begun = time.monotonic()
    backfill(settings, str(between[0]), str(between[-1]))
    rate = 60 * len(between) / (time.monotonic() - begun)
    end = [_counted(settings, requests, day) for day in days[-ALONE:]]
    return {
        "days": DAYS,
        "posts_per_day": POSTS,
        "windows_per_minute": round(rate, 2),
        "first_day": first[0],
        f"first_{ALONE}_days": _means(first),
        "last_day": end[-1],
        f"last_{ALONE}_days": _means(end),
        "last_to_first": {name: ratio(end[-1][name], first[0][name]) for name in first[0]},
        "last_days_to_first_days": {name: ratio(_means(end)[name], _means(first)[name]) for name in first[0]},
        "seconds_by_size": _sizes(settings),
    }


def _window(settings: Settings, day: date) -> float:
    return load(settings, str(day), str(day)).seconds


def _counted(settings: Settings, requests: S3Requests, day: date) -> Counts:
    counts: Counts = {}
    with requests.during(counts):
        _window(settings, day)
    return counts


def _means(counts: list[Counts]) -> dict[str, float]:
    return {name: round(mean(one[name] for one in counts), 1) for name in counts[0]}


def _sizes(settings: Settings) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for day, posts in SIZES.items():
        seed(settings, posts=posts, span=f"{day}..{day}")
        seconds[str(posts)] = round(_window(settings, day), 1)
    small, large = seconds.values()
    return {**seconds, "large_to_small": ratio(large, small)}
