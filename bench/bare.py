"""Statements run bare, one after the other, in a session of the warm Spark; run by the Spark environment.

Standard input: {"url": ..., "statements": [[...], ...]}; standard output: the seconds of each list, as JSON.
"""

import json
import sys
import time

from pyspark.sql import SparkSession


def main() -> None:
    """Run every list of statements, fetching their rows."""
    order = json.load(sys.stdin)
    spark = SparkSession.builder.remote(order["url"]).getOrCreate()
    spark.sql("SELECT 1").collect()
    seconds = []
    for statements in order["statements"]:
        begun = time.perf_counter()
        for statement in statements:
            spark.sql(statement).collect()
        seconds.append(time.perf_counter() - begun)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
