"""Emulation through the API and direct, beside the loop of the public versions and beside bare posters."""

import json
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import requests

from bench.measure import median_of, rate_of, ratio
from devstack import supervise
from devstack.airflow_entries import as_variables
from devstack.config import Settings
from devstack.s3proxy import create_bucket
from devstack.source import seed
from devstack.source.load import connected
from pinflow import paths
from pinflow.hooks.api import POSTERS, RECORDS_PER_BATCH, ApiHook
from pinflow.hooks.kafka import AcknowledgedWriter, KafkaHook
from pinflow.operators.mysql_to_kafka import MySqlToKafkaOperator
from pinflow.operators.select_posts import SelectPostsOperator
from pinflow.settings import TABLES
from pinflow.wire import wire

POSTS = 100_000
SPAN = "2022-10-01..2022-10-10"
WINDOW = {"window_start": "2022-10-01", "window_end": "2022-10-11"}
LOOP_POSTS = 60
LOOP_ROWS = 11_154  # what the public versions choose from: a row further down takes longer to reach
TURNS = 3
SOURCES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
SERVICES = ["mysql", "kafka", "s3", "rest", "gateway"]
Result = dict[str, Any]
Ready = dict[str, list[tuple[int, bytes]]]  # rows by table, as they go over the wire


def run(settings: Settings) -> Result:
    """Measure every side in turn on an own stack; rates are posts (three rows) a second."""
    supervise.up(settings, SERVICES)
    with patch.dict(os.environ, as_variables(settings)):
        create_bucket(settings)
        seed(settings, posts=POSTS, span=SPAN)
        KafkaHook().create_topics([paths.topic(settings.user_id, table) for table in TABLES], 3, -1)
        selected = SelectPostsOperator(task_id="select_posts").execute(context(WINDOW))
        found = rows_of(POSTS)
        ready = {table: [(ind, wire(row)) for ind, row in rows] for table, rows in found.items()}
        batches = _batches(ready)
        sides: dict[str, Callable[[], int]] = {
            "api": lambda: emulate(MySqlToKafkaOperator, "api", selected, WINDOW),
            "direct": lambda: emulate(MySqlToKafkaOperator, "direct", selected, WINDOW),
            "direct_without_reading": lambda: _send(settings, found),
            "bare_poster": lambda: _post(settings, batches),
            "bare_producer": lambda: _produce(settings, ready),
            "public_loop": lambda: _public_loop(settings),
        }
        rates = median_of({name: rate_of(side) for name, side in sides.items()}, TURNS)
    return {
        "posts": POSTS,
        "posts_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "api_to_public_loop": ratio(rates["api"], rates["public_loop"]),
        "api_to_bare_poster": ratio(rates["api"], rates["bare_poster"]),
        "direct_to_bare_producer": ratio(rates["direct"], rates["bare_producer"]),
        "direct_without_reading_to_bare_producer": ratio(
            rates["direct_without_reading"], rates["bare_producer"]
        ),
    }


def context(params: dict[str, str]) -> Any:
    """Return what a task of a manual run with these params is given."""
    from pinflow.window import now

    run = SimpleNamespace(
        dag_id="bench", run_id="bench", run_type="manual", logical_date=None, run_after=now()
    )
    return {"dag_run": run, "ti": SimpleNamespace(try_number=1), "params": params}


def emulate(operator: type[Any], transport: str, selected: Any, params: dict[str, str]) -> int:
    """Run the three emulate tasks one after the other, as a worker does; return how many posts were sent."""
    settings = json.dumps({**json.loads(os.environ["AIRFLOW_VAR_PINFLOW"]), "transport": transport})
    with patch.dict(os.environ, {"AIRFLOW_VAR_PINFLOW": settings}):
        counts = {
            operator(task_id=table, table=table, selected=selected).execute(context(params))["count"]
            for table in TABLES
        }
    if counts != {selected["count"]}:
        raise SystemExit(f"bench: {counts} of {selected['count']} posts were acknowledged.")
    return int(selected["count"])


def rows_of(posts: int) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Read every row with its id."""
    from pinflow.hooks.source import KEY, SourceHook

    everything = range(posts + 1)
    return {
        table: [(int(row[KEY[table]]), row) for row in SourceHook().rows(table, everything)]
        for table in TABLES
    }


def _batches(ready: Ready) -> dict[str, list[bytes]]:
    return {
        table: [
            b'{"records":[' + b",".join(b'{"key":%d,"value":%s}' % row for row in some) + b"]}"
            for some in batched(rows, RECORDS_PER_BATCH)
        ]
        for table, rows in ready.items()
    }


def _post(settings: Settings, batches: dict[str, list[bytes]]) -> int:
    """Post ready-made batches from as many threads as the operator and look at nothing but the status."""
    hook = ApiHook()

    def post(table: str, body: bytes) -> None:
        url = f"{hook.url}/topics/{paths.topic(settings.user_id, table)}"
        hook.session.post(url, body, timeout=60).raise_for_status()

    with ThreadPoolExecutor(POSTERS) as posters:
        for table, bodies in batches.items():
            list(posters.map(partial(post, table), bodies))
    return POSTS


def _send(settings: Settings, found: dict[str, list[tuple[int, dict[str, Any]]]]) -> int:
    """Send as the operator does, from rows that were read before."""
    places: list[Any] = []
    for table, rows in found.items():
        writer = AcknowledgedWriter(
            KafkaHook().producer(), paths.topic(settings.user_id, table), places.append
        )
        for ind, row in rows:
            writer.send(ind, wire(row))
        writer.finish()
    return len(places) // len(TABLES)


def _produce(settings: Settings, ready: Ready) -> int:
    """Produce ready-made records and wait for the last."""
    acknowledged: list[Any] = []
    for table, rows in ready.items():
        producer, name = KafkaHook().producer(), paths.topic(settings.user_id, table)
        for ind, value in rows:
            while True:
                try:
                    producer.produce(
                        name, value, str(ind), on_delivery=lambda error, _: acknowledged.append(error)
                    )
                    break
                except BufferError:
                    producer.poll(0.5)
            producer.poll(0)
        producer.flush()
    return acknowledged.count(None) // len(TABLES)


def _public_loop(settings: Settings) -> int:
    """Do as every public version does, without its sleeps: three SELECTs and three posts a post."""
    hook = ApiHook()
    headers = dict(hook.session.headers)
    with connected(settings) as cursor:
        for _ in range(LOOP_POSTS):
            number = random.randrange(LOOP_ROWS)  # noqa: S311 - as they choose it
            for table, source in SOURCES.items():
                cursor.execute(f"SELECT * FROM {source} LIMIT {number}, 1")  # noqa: S608 - constants
                row = dict(zip(cursor.column_names, cursor.fetchone(), strict=True))
                body = json.dumps({"records": [{"value": row}]}, default=str)
                url = f"{hook.url}/topics/{paths.topic(settings.user_id, table)}"
                requests.post(url, body, headers=headers, timeout=60).raise_for_status()
    return LOOP_POSTS
