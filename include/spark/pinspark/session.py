"""The Spark session of a job, and calls that run side by side in it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import SparkSession


def session() -> SparkSession:
    """Give the session of this run (Spark Connect locally, the given one on Databricks), set to UTC."""
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def together[T](*calls: Callable[[], T]) -> list[T]:
    """Run independent calls in threads; all are waited for, and then the first error is raised."""
    with ThreadPoolExecutor(max_workers=max(len(calls), 1)) as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]
