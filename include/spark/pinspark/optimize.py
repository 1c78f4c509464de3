"""Small files of a table together, and files that no version needs any more away."""

from pyspark.sql import SparkSession

from pinspark.delta import retry_conflicts
from pinspark.tables import all_tables

# Delta refuses less, unless told not to check: readers and writers at work may need the files
SAFE_HOURS = 168
_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


class OptimizeError(RuntimeError):
    """Tables that could not be optimized or vacuumed; the others were."""


def optimize_tables(spark: SparkSession, schemas: dict[str, str], hours: int) -> int:
    """Optimize and vacuum every table, then raise one error for those that failed; give their number."""
    if hours < SAFE_HOURS:  # the settings ask for it in so many words
        spark.conf.set(_CHECK, "false")
    written = [f"{schemas[table.schema]}.`{table.name}`" for table in all_tables()]
    remade = remade_tables(spark, schemas["gold"])
    failures: list[str] = []
    for table in (*written, *remade):
        try:
            print(f"{table}: {_optimize(spark, table) if table in written else 'made anew each time'}")
            spark.sql(f"VACUUM {table} RETAIN {hours} HOURS")
        except Exception as error:  # noqa: BLE001 - one bad table must not hide the others
            failures.append(f"{table}: {str(error).splitlines()[0][:300]}")
    if failures:
        raise OptimizeError(
            f"{len(failures)} of {len(written) + len(remade)} tables failed. {'; '.join(failures)}. "
            "Repair: make missing tables by pinterest_setup, grant MODIFY on the others; clear this task."
        )
    return len(written) + len(remade)


def remade_tables(spark: SparkSession, schema: str) -> list[str]:
    """List the tables of a schema whose tables are made by CREATE OR REPLACE; views hold no files."""
    views = {row.viewName for row in spark.sql(f"SHOW VIEWS IN {schema}").collect()}
    names = [row.tableName for row in spark.sql(f"SHOW TABLES IN {schema}").collect() if not row.isTemporary]
    return [f"{schema}.`{name}`" for name in sorted(names) if name not in views]


def _optimize(spark: SparkSession, table: str) -> str:
    (row,) = retry_conflicts(lambda: spark.sql(f"OPTIMIZE {table}").collect())
    return f"{row.metrics.numFilesRemoved} files became {row.metrics.numFilesAdded}"
