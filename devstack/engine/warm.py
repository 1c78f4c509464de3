"""Make a cold Spark server do once what the first run would otherwise wait for."""

import os
import signal
import time
import uuid
from collections.abc import Callable

from devstack.engine.server import SparkServer

SECONDS = 120
SCHEMA = "engine_warm_up"


def bounded(work: Callable[[], None]) -> int:
    """Do something in this process, which a signal ends when it takes too long; return the exit status."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    work()
    return 0


def warm(server: SparkServer) -> int:
    """Write, replace and read a tiny Delta table, then drop it; return the exit status."""
    return bounded(lambda: _exercise(server))


def _exercise(server: SparkServer) -> None:
    from pyspark.sql.connect.session import SparkSession  # type: ignore[import-not-found,unused-ignore]

    begun = time.monotonic()
    spark = SparkSession.builder.remote(server.url(str(uuid.uuid4()))).getOrCreate()
    try:
        for statement in _statements():
            spark.sql(statement).toArrow()
    finally:
        spark.stop()
    print(f"Spark warmed in {time.monotonic() - begun:.1f} s by process {os.getpid()}", flush=True)


def _statements() -> list[str]:
    table, day = f"{SCHEMA}.posts", "post_date >= '2020-01-01' AND post_date < '2020-01-02'"
    rows = "SELECT id AS ind, string(id) AS name, date'2020-01-01' AS post_date FROM range(20)"
    count = f"SELECT post_date, count(*) AS posts FROM {table} GROUP BY post_date"  # noqa: S608 - our own names
    place = "row_number() OVER (PARTITION BY post_date ORDER BY ind)"
    return [
        f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE",
        f"CREATE SCHEMA {SCHEMA}",
        f"CREATE TABLE {table} (ind BIGINT, name STRING, post_date DATE) USING delta CLUSTER BY (post_date)",
        f"INSERT INTO {table} REPLACE WHERE {day} {rows}",
        f"CREATE OR REPLACE TABLE {SCHEMA}.answers AS {count}",
        f"SELECT name, {place} AS place FROM {table} ORDER BY place",  # noqa: S608
        f"DROP SCHEMA {SCHEMA} CASCADE",
    ]
