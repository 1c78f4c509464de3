"""Start the engine: import what every run needs once, then fork a process a run."""

import argparse
import gc
import importlib
from pathlib import Path

from devstack.engine.parent import Parent
from devstack.engine.server import SparkServer

# imported, never used here: a channel or a thread opened before a fork would break the child
PREIMPORTED = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.compute",
    "grpc",
    "yaml",
    "delta.connect.tables",
    "pyspark.sql",
    "pyspark.sql.functions",
    "pyspark.sql.connect.session",
    "pyspark.sql.connect.dataframe",
    "pyspark.sql.connect.functions",
    "pyspark.sql.connect.window",
    "pyspark.sql.connect.observation",
    "pyspark.sql.connect.streaming.query",
    "pyspark.sql.pandas.types",
    "pyspark.cloudpickle",
    "packaging.requirements",
    # the report: altair alone takes a second
    "altair",
    "vl_convert",
    "jinja2",
)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m devstack.engine", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    parser.add_argument("--spark-port", type=int, required=True, help="port of the Spark Connect server")
    arguments = parser.parse_args()
    for name in PREIMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    Parent(arguments.socket, SparkServer(arguments.spark_port)).serve()


if __name__ == "__main__":
    main()
