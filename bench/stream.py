"""The speed layer: how soon a row is in Delta, what rate is held, what emulation costs beside a bare loop."""

import os
import time
from collections.abc import Callable
from itertools import batched
from typing import Any
from unittest.mock import patch

from bench.emulation import context, emulate, rows_of
from bench.measure import median_of, rate_of, ratio
from devstack import stream, supervise
from devstack.airflow_api import AirflowApi
from devstack.airflow_entries import as_variables
from devstack.config import Settings
from devstack.runs import run_and_wait
from devstack.s3proxy import create_bucket
from devstack.source import seed
from devstack.stream import Seen, quantile
from pinflow import paths
from pinflow.hooks.kinesis import KinesisHook
from pinflow.hooks.stream_writer import RECORDS_PER_REQUEST
from pinflow.operators.mysql_to_kinesis import MySqlToKinesisOperator
from pinflow.operators.select_stream_posts import SelectStreamPostsOperator
from pinflow.settings import TABLES
from pinflow.wire import wire

POSTS = 30_000
SPAN = "2022-10-01..2022-10-10"
WINDOW = {"window_start": "2022-10-01T00:00", "window_end": "2022-10-11T00:00"}
RATES = (300, 1000)  # rows a second over the three streams
HIGHEST = (2000, 3000, 4000)  # tried in turn until one is not held
SECONDS = 120
SETTLED = 40  # seconds after which the reader has started and caught up
LAST = 20
MORE_LAG = 1.0
SHARDS = 64  # for the emulation alone, so that no shard's limit is measured
TURNS = 3
SERVICES = ["mysql", "s3", "kinesis", "gateway"]
Result = dict[str, Any]


def run(settings: Settings) -> Result:
    """Measure emulation by itself, then stream at each rate with everything else running."""
    emulation = _emulation(settings)
    supervise.reset(settings)
    supervise.up(settings)
    seed(settings, posts=POSTS, span=SPAN)
    api = AirflowApi(settings.airflow_url)
    run_and_wait(api, "pinterest_setup", f"bench__{time.time_ns()}", {})
    _streamed(settings, 30, 30)  # what is still cold
    latency = {rate: _streamed(settings, rate, SECONDS) for rate in RATES}
    held: dict[int, Result] = {}
    for rate in HIGHEST:
        held[rate] = _streamed(settings, rate, SECONDS)
        if not held[rate]["held"]:
            break
    return {"emulation": emulation, "latency": latency, "highest": held}


def _streamed(settings: Settings, rate: int, seconds: int) -> Result:
    """Stream for a time; tell how old rows were when they became visible, and whether the reader kept up."""
    rows = stream.main(settings, rate, seconds).rows
    first = min(row.arrived for row in rows)

    def between(start: float, end: float) -> list[float]:
        return [row.latency for row in rows if start <= row.arrived - first < end]

    settled = between(SETTLED, seconds) or [row.latency for row in rows]
    sent = seconds * rate
    result = {"rows": len(rows), "of": sent, "p50": quantile(settled, 0.5), "p95": quantile(settled, 0.95)}
    if seconds == SECONDS:
        then, last = (quantile(between(end - LAST, end), 0.5) for end in (SETTLED + LAST / 2, seconds))
        result |= {
            "lag_at_40_s": then,
            "lag_in_the_last_20_s": last,
            "held": last <= then + MORE_LAG and _duration(rows) <= seconds + LAST,
        }
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in result.items()}


def _duration(rows: list[Seen]) -> float:
    """Return the seconds in which the rows were sent: a producer that falls behind holds no rate either."""
    moments = [row.arrived for row in rows]
    return max(moments) - min(moments)


def _emulation(settings: Settings) -> Result:
    """Compare the three emulate tasks, one after the other, with a loop that puts ready-made batches."""
    supervise.up(settings, SERVICES)
    with patch.dict(os.environ, as_variables(settings)):
        create_bucket(settings)
        seed(settings, posts=POSTS, span=SPAN)
        names = {table: paths.stream(settings.user_id, table) for table in TABLES}
        KinesisHook().create_streams(list(names.values()), SHARDS)
        selected = SelectStreamPostsOperator(task_id="select_posts").execute(context(WINDOW))
        ready = {
            names[table]: [
                [{"Data": wire(row), "PartitionKey": str(ind)} for ind, row in some]
                for some in batched(rows, RECORDS_PER_REQUEST)
            ]
            for table, rows in rows_of(POSTS).items()
        }
        sides: dict[str, Callable[[], int]] = {
            "api": lambda: emulate(MySqlToKinesisOperator, "api", selected, WINDOW),
            "direct": lambda: emulate(MySqlToKinesisOperator, "direct", selected, WINDOW),
            "bare_loop": lambda: _put(ready),
        }
        rates = median_of({name: rate_of(side) for name, side in sides.items()}, TURNS)
    return {
        "posts": POSTS,
        "posts_per_second": {name: round(rate) for name, rate in rates.items()},
        "api_to_bare_loop": ratio(rates["api"], rates["bare_loop"]),
        "direct_to_bare_loop": ratio(rates["direct"], rates["bare_loop"]),
    }


def _put(ready: dict[str, list[list[dict[str, Any]]]]) -> int:
    """Put ready-made batches, one after the other."""
    client = KinesisHook().putting()
    for name, batches in ready.items():
        for records in batches:
            if refused := client.put_records(StreamName=name, Records=records)["FailedRecordCount"]:
                raise SystemExit(f"bench: {refused} records were refused: give the streams more shards.")
    return POSTS
