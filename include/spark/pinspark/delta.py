"""Delta writes that can be repeated, and the check that a table is what the contract says."""

import random
import re
import time
from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame, SparkSession

from pinspark.tables import Table

TRIES = 5
FIRST_PAUSE_SECONDS = 0.5
CONFLICT = re.compile(
    r"DELTA_CONCURRENT_|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|Concurrent(Append|DeleteRead|DeleteDelete|Transaction"
    r"|Write|Modification)\w*Exception|MetadataChangedException|ProtocolChangedException"
)


class SchemaMismatchError(RuntimeError):
    """A table whose columns are not those of the contract."""


def retry_conflicts[T](write: Callable[[], T], pause: Callable[[float], None] = time.sleep) -> T:
    """Repeat a write that lost against a concurrent one, a bounded number of times."""
    for attempt in range(1, TRIES + 1):
        try:
            return write()
        except Exception as error:
            if attempt == TRIES or not CONFLICT.search(str(error)):
                raise
            print(f"A concurrent writer was faster (attempt {attempt} of {TRIES}), trying again")
            pause(FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + random.random() / 2))  # noqa: S311 - jitter
    raise AssertionError("unreachable")


def replace_where(rows: DataFrame, table: str, condition: str) -> None:
    """Replace the rows of a table that meet a condition, in one commit."""
    writer = rows.write.format("delta").mode("overwrite").option("replaceWhere", condition)
    retry_conflicts(lambda: writer.saveAsTable(table))


def merge(spark: SparkSession, rows: DataFrame, table: str, on: Sequence[str], then: str) -> None:
    """Merge rows (`s`) into a table (`t`) where every condition of `on` holds, in one commit."""
    rows.createOrReplaceTempView("merged")
    spark.sql(f"MERGE INTO {table} AS t USING merged AS s ON {' AND '.join(on)} {then}")


def clear_run(spark: SparkSession, table: str, run: str) -> None:
    """Remove what an earlier try of this run left; no commit when it left nothing.

    Nobody reads the rows of a run whose writer has not finished, so clearing and appending need not be one
    commit, and together they cost half of a replaceWhere.
    """
    statement = f"DELETE FROM {table} WHERE run = '{run}'"  # noqa: S608 - a checked run hash
    retry_conflicts(lambda: spark.sql(statement))


def append(rows: DataFrame, table: str) -> None:
    """Append rows to a table in one commit."""
    rows.write.format("delta").mode("append").saveAsTable(table)


def schema_differences(spark: SparkSession, schema: str, table: Table) -> list[str]:
    """List every difference between a stored table and its description."""
    stored = {
        field.name: field.dataType.simpleString().upper()
        for field in spark.table(f"{schema}.`{table.name}`").schema
    }
    wanted = {column.name: column.type for column in table.columns}
    missing = [f"{name} {kind} is missing" for name, kind in wanted.items() if name not in stored]
    added = [f"{name} {kind} is not in the contract" for name, kind in stored.items() if name not in wanted]
    retyped = [
        f"{name} is {stored[name]}, the contract says {kind}"
        for name, kind in wanted.items()
        if name in stored and stored[name] != kind
    ]
    if not (missing or added) and list(stored) != list(wanted):
        return [*retyped, f"the order is {', '.join(stored)}, the contract says {', '.join(wanted)}"]
    return missing + added + retyped


def check_schema(spark: SparkSession, schema: str, table: Table) -> None:
    """Raise one error with all differences between a stored table and its description."""
    differences = schema_differences(spark, schema, table)
    if differences:
        raise SchemaMismatchError(
            f"{schema}.{table.name}: {'; '.join(differences)}. "
            "Repair: run pinterest_setup, which adds missing columns and says what else to do."
        )
