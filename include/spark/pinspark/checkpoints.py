"""Which checkpoint a stream's table goes on from; none is begun where records would be lost unseen."""

import re
import uuid

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pinspark.landing import GONE
from pinspark.stream import Feed

PROPERTY = "pinflow.checkpoint"


class CheckpointLostError(RuntimeError):
    """A table has rows of a checkpoint that is not there any more."""


def current_checkpoint(spark: SparkSession, feed: Feed, rebuild: str = "false") -> str:
    """Return the URI of the checkpoint to go on from; begin one for an empty table, or to rebuild.

    The table names its checkpoint. `rebuild`: `true` begins a new one, `again` goes on with what an earlier
    try began, or begins. Raises CheckpointLostError.
    """
    named = _property(spark, feed.rows)
    if named and rebuild != "true" and _begun(spark, f"{feed.checkpoints}/{named}"):
        return f"{feed.checkpoints}/{named}"
    if rebuild == "false" and _filled(spark, feed):
        raise CheckpointLostError(
            f"{feed.rows} has rows, and its checkpoint {feed.checkpoints}/{named or '(none named)'} is gone "
            "or empty. Nothing was read. Repair: put the checkpoint back, or run pinterest_stream with the "
            f"param `rebuild`, which reads all that `{feed.stream}` holds into a new checkpoint; a post that "
            "is then there twice is shown once."
        )
    begun = uuid.uuid4().hex
    spark.sql(f"ALTER TABLE {feed.rows} SET TBLPROPERTIES ('{PROPERTY}' = '{begun}')")
    return f"{feed.checkpoints}/{begun}"


def _property(spark: SparkSession, table: str) -> str:
    found = {row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES {table}").collect()}
    named: str = found.get(PROPERTY, "")
    return named if re.fullmatch("[0-9a-f]{32}", named) else ""


def _begun(spark: SparkSession, checkpoint: str) -> bool:
    """Tell whether a batch was ever planned there."""
    try:
        return not spark.read.format("binaryFile").load(f"{checkpoint}/offsets").select("path").isEmpty()
    except PySparkException as error:
        if GONE.search(str(error)):
            return False
        raise


def _filled(spark: SparkSession, feed: Feed) -> bool:
    refused = spark.table(feed.quarantine).where(f"source_table = '{feed.table}'")
    return not (spark.table(feed.rows).isEmpty() and refused.isEmpty())
