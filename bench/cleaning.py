"""Cleaning a million posts by the real jobs on Spark, beside the same cleaning in DuckDB."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb

from bench import duck, lake
from bench.measure import ratio
from devstack import supervise
from devstack.config import Settings
from devstack.lake import query

POSTS = 1_000_000
WARM_POSTS = 10_000
Result = dict[str, Any]
# what both sides must agree in, of each table's clean rows
SUMS = {
    "pin": "count(*), count(title), count(description), sum(follower_count), count(DISTINCT poster_name)",
    "geo": "count(*), count(DISTINCT country), count(DISTINCT post_date), sum(year(timestamp))",
    "user": "count(*), count(DISTINCT user_name), sum(age), sum(year(date_joined))",
}


def run(settings: Settings) -> Result:
    """Clean the three tables side by side: in Spark as the demo has it, as tuned for many rows, in DuckDB."""
    out = settings.state_dir.parent / "duck"
    out.mkdir()
    with lake.made(settings):
        few = lake.land(WARM_POSTS, "warm")
        _on_spark(few)
        manifests = lake.land(POSTS, "bench")
        folder = settings.service_dir("s3") / "data"
        seconds = {
            "duckdb": _timed(lambda: [duck.clean(found, folder, out) for found in manifests]),
            "spark": _timed(lambda: _on_spark(manifests)),
        }
        _compare(settings, out)
    supervise.down(settings)
    with lake.made(settings.model_copy(update={"spark_large": True})):
        _on_spark(few)
        seconds["spark_large"] = _timed(lambda: _on_spark(manifests))
        _compare(settings, out)
    return {
        "posts": POSTS,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "spark_to_duckdb": ratio(seconds["spark"], seconds["duckdb"]),
        "spark_large_to_duckdb": ratio(seconds["spark_large"], seconds["duckdb"]),
    }


def _timed(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _clean(manifest: dict[str, Any]) -> float:
    return lake.run_job("clean.py", "--manifest", json.dumps(manifest), *lake.schemas("stage"))


def _on_spark(manifests: list[dict[str, Any]]) -> None:
    """Run the three jobs side by side, as the DAG does."""
    with ThreadPoolExecutor(len(manifests)) as pool:
        list(pool.map(_clean, manifests))


def _compare(settings: Settings, out: Path) -> None:
    for table, sums in SUMS.items():
        _, (spark,) = query(settings, f"SELECT {sums} FROM stage.`{table}` WHERE run = 'bench'")  # noqa: S608
        row = duckdb.execute(f"SELECT {sums} FROM '{out / table}.parquet'").fetchone() or ()  # noqa: S608
        if list(map(str, row)) != spark:
            raise SystemExit(f"bench: {table} differs: Spark {spark}, DuckDB {row}")
