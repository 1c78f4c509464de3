"""What a crash leaves between the checkpoint and the tables: the next run ends with every record once."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinspark.contracts import TABLES
from pinspark.ingest import IngestError
from tests.include.landed import geo_row, wire
from tests.include.streams import Streams


@pytest.fixture(scope="module")
def own(streams: Callable[[str], Streams]) -> Streams:
    """One batch of ten posts in every table, and a geo record refused."""
    made = streams("0123456789e1").create()
    made.send_posts(*range(10))
    made.send("geo", {10: wire(geo_row(10, latitude=91))})
    made.ingest()
    return made


def newest(folder: Path) -> Path:
    """Give the file of the newest batch."""
    return max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))


def everything_once(own: Streams) -> None:
    bad = {one.place for one in own.acknowledged if one.data == wire(geo_row(10, latitude=91))}
    for table in TABLES:
        sent = {one.place for one in own.acknowledged if one.table == table}
        assert own.places(table) == sorted(sent - bad)
    assert sorted((row.shard_id, row.sequence_number) for row in own.refused()) == sorted(bad)


def test_a_batch_that_the_tables_have_and_the_checkpoint_lacks_is_passed_over(own: Streams) -> None:
    everything_once(own)
    for table in TABLES:
        commits = own.checkpoint(table) / "commits"
        done = newest(commits)
        done.unlink()
        (commits / f".{done.name}.crc").unlink(missing_ok=True)
    said = own.ingest()
    # read again, all of it, and passed over
    assert {table: said[table]["records"] for table in TABLES} == {"pin": 10, "geo": 11, "user": 10}
    everything_once(own)


def test_a_batch_that_was_planned_and_not_written_comes_with_the_next_run(
    own: Streams, spark: SparkSession
) -> None:
    # the first write of the batch (refused records) is made, the second one fails
    rule = f"ALTER TABLE {own.rows_of('geo')} ADD CONSTRAINT no_more CHECK (ind < 20)"
    spark.sql(rule)
    own.send_posts(*range(20, 30))
    own.send("geo", {10: wire(geo_row(10, latitude=91))})
    with pytest.raises(IngestError) as error:
        own.ingest()
    said = r"^streaming-0123456789e1-geo could not be read into .*no_more.* Repair: remove what it names, then .*$"
    assert re.search(said, str(error.value)), error.value
    assert len(own.refused()) == 2
    assert len(own.places("geo")) == 10
    planned, done = (newest(own.checkpoint("geo") / name) for name in ("offsets", "commits"))
    assert int(planned.name) == int(done.name) + 1
    spark.sql(f"ALTER TABLE {own.rows_of('geo')} DROP CONSTRAINT no_more")
    own.send_posts(30)
    own.ingest()
    everything_once(own)
    assert [row.ind for row in own.posts()] == [*range(10), *range(20, 31)]
