"""Erase one user's rows from the tables; the ledger of the days that lose rows is written first.

What is left to count is derived from the rows that stay, and the user frame of silver, by which the user is
found, goes last: a run that dies anywhere is healed by the next. Stage goes before silver: a batch that
publishes meanwhile counts its days when it is done, and takes them anew from a stage without the rows.
"""

from functools import partial, reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.contracts import TABLES, load_contract
from pinspark.delta import merge, retry_conflicts
from pinspark.landing import unquoted
from pinspark.users import Found, loose_name, of_name

# the id in a line that is no strict JSON
LOOSE_ID = r'"(?:index|ind)"\s*:\s*"?(-?[0-9]{1,10})'
_LINE = ("source_table", "kind", "key", "line")
_RECORD = ("source_table", "kind", "shard_id", "sequence_number")


def erase_rows(
    spark: SparkSession, schemas: dict[str, str], user_id: str, posts: DataFrame, found: Found, digest: str
) -> dict[str, int]:
    """Delete the posts and the user's lines everywhere; count the rows by table.

    `schemas` has stage, silver and ops; `posts` the column ind; `digest` is the SHA-256 of the name.
    """
    stage, silver = schemas["stage"], schemas["silver"]
    gone = partial(gone_lines, spark, posts=posts, digest=digest if found.sole else "")
    counts = {}
    for name in TABLES:
        counts[f"stage.{name}"] = _delete(spark, f"{stage}.`{name}`", posts, "ind")
        rejects = f"{stage}.`{name}_rejects`"
        counts[f"stage.{name}_rejects"] = _delete(spark, rejects, gone(rejects), *_LINE)
    staged = f"{stage}.`user`"
    counts["stage.user"] += _delete(
        spark, staged, old_copies(spark, staged, found, digest, "run"), "ind", "run"
    )
    counts |= _erase_streamed(spark, silver, user_id, posts, found, digest)
    correct_ledger(spark, silver, schemas["ops"], posts, gone(f"{silver}.quarantine"))
    quarantine = f"{silver}.quarantine"
    counts["silver.quarantine"] = _delete(spark, quarantine, gone(quarantine), *_LINE)
    for name in TABLES:  # user is the last of them
        counts[f"silver.{name}"] = _delete(spark, f"{silver}.`{name}`", posts, "ind")
    return counts


def _erase_streamed(
    spark: SparkSession, silver: str, user_id: str, posts: DataFrame, found: Found, digest: str
) -> dict[str, int]:
    """Delete the user's rows of the speed layer."""
    names = {table: tables.speed(load_contract(table), user_id).name for table in TABLES}
    refused, user = tables.speed_quarantine(user_id).name, f"{silver}.`{names['user']}`"
    gone = gone_lines(spark, f"{silver}.`{refused}`", posts, digest if found.sole else "", _RECORD)
    counts = {f"silver.{refused}": _delete(spark, f"{silver}.`{refused}`", gone, *_RECORD)}
    copies = old_copies(spark, user, found, digest, "sequence_number")
    old = _delete(spark, user, copies, "ind", "sequence_number")
    for name in names.values():
        counts[f"silver.{name}"] = _delete(spark, f"{silver}.`{name}`", posts, "ind")
    counts[f"silver.{names['user']}"] += old
    return counts


def gone_lines(
    spark: SparkSession, table: str, posts: DataFrame, digest: str, place: tuple[str, ...] = _LINE
) -> DataFrame:
    """Select the refused lines that go: rows of the posts, junk that holds an id of them or the name."""
    raw = unquoted(F.col("raw"))
    loose = F.transform(F.regexp_extract_all(raw, F.lit(LOOSE_ID), 1), lambda text: text.try_cast("int"))
    lines = spark.table(table).withColumns({"raw": raw, "loose": loose})
    own = F.col("ind").isNotNull()
    inds = lines.select(*place, F.explode(F.when(own, F.array("ind")).otherwise(F.col("loose"))).alias("ind"))
    named = lines.where(~own & of_name(loose_name(F.col("raw")), digest)).select(*place)
    return inds.join(posts, "ind", "left_semi").select(*place).unionAll(named).distinct()


def old_copies(spark: SparkSession, table: str, found: Found, digest: str, told_by: str) -> DataFrame:
    """Select rows of the user whose post is another's by now; `told_by` tells copies of a post apart."""
    joined = F.date_format("date_joined", "yyyy-MM-dd HH:mm:ss")
    same = F.col("age").eqNullSafe(F.lit(found.age)) & joined.eqNullSafe(F.lit(found.date_joined))
    rows = spark.table(table).where(of_name("user_name", digest) & same & F.lit(found.known))
    return rows.select("ind", told_by).distinct()


def correct_ledger(spark: SparkSession, silver: str, ops: str, posts: DataFrame, lines: DataFrame) -> None:
    """Count the days that lose rows as they are without them, as for a post that moved (decision 0008)."""
    kinds = {"silver": "clean", "quarantined": "own", "foreign": "foreign"}
    marked = posts.select("ind", F.lit(True).alias("gone"))
    parts = [
        spark.table(f"{silver}.`{name}`")
        .join(marked, "ind", "left")
        .select("post_date", F.lit(name).alias("source_table"), F.lit("clean").alias("kind"), "gone")
        for name in TABLES
    ]
    refused = spark.table(f"{silver}.quarantine").join(
        lines.select(*_LINE, F.lit(True).alias("gone")), list(_LINE), "left"
    )
    parts.append(refused.select("post_date", "source_table", "kind", "gone"))
    counts = [F.count_if(_stays() & (F.col("kind") == kind)).alias(name) for name, kind in kinds.items()]
    every = reduce(DataFrame.unionAll, parts).groupBy("post_date", "source_table")
    days = every.agg(*counts, F.max("gone").alias("gone")).where("gone").drop("gone")
    if not days.limit(1).collect():
        return
    same = ["t.post_date = s.post_date", "t.source_table = s.source_table"]
    retry_conflicts(partial(merge, spark, days, f"{ops}.ledger", same, _CORRECT))


_CORRECT = (
    "WHEN MATCHED THEN UPDATE SET silver = s.silver, quarantined = s.quarantined, `foreign` = s.`foreign`, "
    "acknowledged = s.silver + s.quarantined, selected = s.silver + s.quarantined + t.orphans"
)


def _stays() -> Column:
    return F.col("gone").isNull()


def _delete(spark: SparkSession, table: str, rows: DataFrame, *on: str) -> int:
    """Delete what meets one of these rows in some columns; give the number of rows."""
    count = spark.table(table).join(rows, list(on), "left_semi").count()
    if count:
        same = [f"t.`{name}` = s.`{name}`" for name in on]
        retry_conflicts(partial(merge, spark, rows.select(*on), table, same, "WHEN MATCHED THEN DELETE"))
    return count
