"""The Spark session of a job, and calls that run side by side in it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
# below it compiling a plan costs more than it saves
MANY_ROWS = 25_000


def session() -> SparkSession:
    """Give the session of this run (Spark Connect locally, the given one on Databricks), set to UTC."""
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def expect_rows(spark: SparkSession, rows: int) -> None:
    """Have Spark compile its plans for many rows; the local engine by itself interprets them."""
    if rows >= MANY_ROWS:
        for name, value in COMPILED.items():
            with suppress(PySparkException):  # serverless compute compiles and lets nobody choose
                spark.conf.set(name, value)


def together[T](*calls: Callable[[], T]) -> list[T]:
    """Run independent calls in threads; all are waited for, and then the first error is raised."""
    with ThreadPoolExecutor(max_workers=max(len(calls), 1)) as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]
