"""The streams of the speed layer: records in, rows of a stream's table and refused records out, each once."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.contracts import Contract, load_contract
from pinspark.delta import check_schema
from pinspark.landing import parse_lines, quotable
from pinspark.stage import clean_lines

PLACE = [column.name for column in tables.PLACE]
REFUSED = [column.name for column in tables.speed_quarantine("").columns]


@dataclass(frozen=True)
class Feed:
    """A stream and where its rows go; names of tables are quoted."""

    table: str
    stream: str
    rows: str
    quarantine: str
    checkpoints: str
    silver: str
    user_id: str

    @classmethod
    def of(cls, table: str, user_id: str, silver: str, root: str) -> "Feed":
        """Name the parts of one table's stream; `root` is the folder of all checkpoints."""
        name = tables.speed(load_contract(table), user_id).name
        return cls(
            table,
            f"streaming-{user_id}-{table}",
            f"{silver}.`{name}`",
            f"{silver}.`{tables.speed_quarantine(user_id).name}`",
            f"{root.rstrip('/')}/{name}",
            silver,
            user_id,
        )


def open_stream(spark: SparkSession, feed: Feed, options: dict[str, str]) -> DataFrame:
    """Open the stream by Databricks' own source; elsewhere ours takes its name."""
    if "DATABRICKS_RUNTIME_VERSION" not in os.environ:
        _register_source(spark)
    # Databricks' own default is latest, which would pass over what was sent before the first run
    given = {"initialPosition": "trim_horizon", **options, "streamName": feed.stream}
    return spark.readStream.format("kinesis").options(**given).load()


def _register_source(spark: SparkSession) -> None:
    """Give the server our source, pickled whole, as it has no copy of this package."""
    from pyspark import cloudpickle

    import pinspark
    from pinspark.kinesis_source import KinesisSource

    cloudpickle.register_pickle_by_value(pinspark)  # type: ignore[no-untyped-call]
    spark.dataSource.register(KinesisSource)


def clean_records(records: DataFrame, contract: Contract) -> DataFrame:
    """Clean records as the batch layer cleans lines: clean columns, place, why a record is refused."""
    return (
        records.select(
            F.col("data").cast("string").alias("raw"),
            F.col("shardId").alias("shard_id"),
            F.col("sequenceNumber").alias("sequence_number"),
            F.col("approximateArrivalTimestamp").alias("arrived_at"),
        )
        .transform(parse_lines, contract.id)
        .transform(clean_lines, contract)
        .select(
            *(f"clean_{name}" for name in contract.names),
            *("ind", "columns", "reasons", "raw", *PLACE),
            (F.col("ind").isNull() | (F.size("reasons") > 0)).alias("refused"),
        )
    )


def good_rows(found: DataFrame, contract: Contract) -> DataFrame:
    """Select the rows without a reason, as the table has them."""
    clean = [F.col(f"clean_{name}").alias(name) for name in contract.names]
    return found.where(~F.col("refused")).select(*clean, *PLACE)


def refused_rows(found: DataFrame, contract: Contract) -> DataFrame:
    """Select what could not be read, with every reason."""
    kind = F.when(F.col("ind").isNull(), F.lit("foreign")).otherwise(F.lit("own"))
    given = {
        "source_table": F.lit(contract.table), "kind": kind, "raw": quotable(F.col("raw")),
    }  # fmt: skip
    return found.where("refused").withColumns(given).select(*REFUSED)


def write_batches(feed: Feed, contract: Contract, checkpoint: str) -> Callable[[DataFrame, int], None]:
    """Return what writes a micro-batch; one that comes again after a crash is passed over by Delta.

    Delta remembers a writer's highest number, so that a new checkpoint, which counts from 0, must be another
    writer. What is returned travels to the server by value: it must hold nothing that cannot.
    """
    rows, quarantine = feed.rows, feed.quarantine

    def write(found: DataFrame, number: int) -> None:
        with suppress(PySparkException):  # serverless compute keeps nothing: it cleans twice
            found.persist()
        try:
            if not found.where("refused").isEmpty():
                writer = f"{checkpoint}/{contract.table}"
                append_once(refused_rows(found, contract), quarantine, writer, number)
            append_once(good_rows(found, contract), rows, checkpoint, number)
        finally:
            with suppress(PySparkException):
                found.unpersist()

    return write


def append_once(rows: DataFrame, table: str, writer: str, number: int) -> None:
    """Append in one commit, once for each writer and number."""
    once = {"txnAppId": writer, "txnVersion": str(number)}
    rows.write.format("delta").mode("append").options(**once).saveAsTable(table)


def check_tables(spark: SparkSession, feed: Feed) -> None:
    """Raise SchemaMismatchError when a table of the stream is not what the contract says."""
    for table in (
        tables.speed(load_contract(feed.table), feed.user_id),
        tables.speed_quarantine(feed.user_id),
    ):
        check_schema(spark, feed.silver, table)
