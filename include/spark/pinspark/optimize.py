"""Small files of a table together, and files that no version needs any more away."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.contracts import TABLES, load_contract
from pinspark.delta import retry_conflicts
from pinspark.stream_audit import newest
from pinspark.tables import all_tables, speed, speed_tables

# Delta refuses less, unless told not to check: readers and writers at work may need the files
SAFE_HOURS = 168
_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


class OptimizeError(RuntimeError):
    """Tables that could not be optimized or vacuumed; the others were."""


def optimize_tables(spark: SparkSession, schemas: dict[str, str], user_id: str, hours: int) -> int:
    """Optimize and vacuum every table, then raise one error for those that failed; give their number.

    Tables of the speed layer lose the older rows of a post first.
    """
    if hours < SAFE_HOURS:  # the settings ask for it in so many words
        spark.conf.set(_CHECK, "false")
    streamed = [f"{schemas['silver']}.`{speed(load_contract(table), user_id).name}`" for table in TABLES]
    every = [*all_tables(), *speed_tables(user_id)]
    written = [f"{schemas[table.schema]}.`{table.name}`" for table in every]
    remade = remade_tables(spark, schemas["gold"])
    failures: list[str] = []
    for table in (*written, *remade):
        try:
            if table in streamed:
                print(f"{table}: {drop_doubles(spark, table)} older rows of posts dropped")
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


def drop_doubles(spark: SparkSession, table: str) -> int:
    """Keep the newest row of each post; give how many went. Rows that a stream appends meanwhile stay."""

    def drop() -> int:
        rows = spark.table(table)
        counts = rows.agg(F.count(F.lit(1)).alias("rows"), F.count_distinct("ind").alias("posts")).collect()[
            0
        ]
        doubles = int(counts.rows - counts.posts)
        if doubles:
            row = F.max_by(F.struct(*rows.columns), newest("sequence_number")).alias("row")
            kept = rows.groupBy("ind").agg(row).select("row.*")
            # a plain overwrite would forget what the table is clustered by
            kept.write.format("delta").mode("overwrite").option("replaceWhere", "true").saveAsTable(table)
        return doubles

    return retry_conflicts(drop)


def _optimize(spark: SparkSession, table: str) -> str:
    (row,) = retry_conflicts(lambda: spark.sql(f"OPTIMIZE {table}").collect())
    return f"{row.metrics.numFilesRemoved} files became {row.metrics.numFilesAdded}"
