"""A checkpoint or a stream that is lost stops the run before anything is written; a rebuild begins anew."""

import shutil
from collections import Counter
from collections.abc import Callable

import pytest

from pinspark.checkpoints import CheckpointLostError
from pinspark.contracts import TABLES
from pinspark.delta import SchemaMismatchError
from pinspark.ingest import IngestError
from pinspark.kinesis_shards import StreamLostError
from pinspark.optimize import drop_doubles
from tests.include.streams import Streams

pytestmark = pytest.mark.long

REPAIR = r"Repair: .*run pinterest_stream with the param `rebuild`"


@pytest.fixture(scope="module")
def own(streams: Callable[[str], Streams]) -> Streams:
    """Three posts in every table."""
    made = streams("0123456789e2").create()
    made.send_posts(1, 2, 3)
    made.ingest()  # an empty table begins by itself
    return made


def counted(own: Streams) -> dict[str, int]:
    return {table: len(own.places(table)) for table in TABLES}


def test_a_checkpoint_that_is_gone_stops_every_stream_before_it_reads(own: Streams) -> None:
    assert counted(own) == dict.fromkeys(TABLES, 3)
    own.send_posts(4)
    kept = own.checkpoint("geo")
    away = kept.with_name("away")
    kept.rename(away)
    said = (
        rf"0123456789e2_geo_table` has rows, and its checkpoint file:.*{kept.name} is gone or empty\. Nothing"
    )
    with pytest.raises(CheckpointLostError, match=rf"{said} was read\. {REPAIR}"):
        own.ingest()
    away.rename(kept)
    # planned batches gone, the rest kept
    away = kept / "away"
    (kept / "offsets").rename(away)
    with pytest.raises(CheckpointLostError, match=REPAIR):
        own.ingest()
    (kept / "offsets").mkdir()
    with pytest.raises(CheckpointLostError, match=REPAIR):
        own.ingest()
    (kept / "offsets").rmdir()
    assert own.checkpoint("geo") == kept
    assert counted(own) == dict.fromkeys(TABLES, 3)
    away.rename(kept / "offsets")
    own.ingest()
    assert counted(own) == dict.fromkeys(TABLES, 4)


def test_a_property_that_is_no_checkpoint_of_ours_is_not_followed(own: Streams) -> None:
    kept = own.checkpoint("user")
    before = counted(own)

    def name(value: str) -> None:
        own.spark.sql(
            f"ALTER TABLE {own.rows_of('user')} SET TBLPROPERTIES ('pinflow.checkpoint' = '{value}')"
        )

    name("../../elsewhere")
    with pytest.raises(CheckpointLostError, match=r"checkpoint file:.*/\(none named\) is gone"):
        own.ingest()
    name(kept.name)
    assert counted(own) == before


def test_a_stream_made_anew_is_lost_and_a_rebuild_reads_it_all_again(own: Streams) -> None:
    own.kinesis.client.delete_stream(StreamName=own.name("geo"))
    before = counted(own)
    with pytest.raises(IngestError, match=r"streaming-0123456789e2-geo .*(?:not found|NotFound)"):
        own.ingest()
    own.kinesis.create(own.name("geo"))
    own.send_posts(5)
    said = (
        r"^Stream `streaming-0123456789e2-geo`: it was deleted and made anew since it was read last\. Nothing"
    )
    with pytest.raises(StreamLostError, match=rf"{said} was skipped\. {REPAIR}.*"):
        own.ingest()
    assert counted(own)["geo"] == before["geo"]
    old = {table: own.checkpoint(table) for table in TABLES}
    done = own.ingest(rebuild="true")
    # all that the streams hold: geo has a post only
    assert {table: done[table]["records"] for table in TABLES} == {"pin": 5, "geo": 1, "user": 5}
    assert counted(own)["geo"] == before["geo"] + 1
    new = {table: own.checkpoint(table) for table in TABLES}
    assert all(new[table] != old[table] for table in TABLES)
    # a second try of the run that rebuilds goes on with what the first one began
    again = own.ingest(rebuild="again")
    assert [again[table]["records"] for table in TABLES] == [0, 0, 0]
    assert {table: own.checkpoint(table) for table in TABLES} == new
    for table in ("pin", "user"):
        assert set(Counter(own.places(table)).values()) <= {1, 2}
    assert [row.ind for row in own.posts()] == [row.ind for row in own.posts("post_speed")] == [1, 2, 3, 4, 5]
    for table in TABLES:
        shutil.rmtree(old[table])  # nobody needs it any more
        doubles = len(own.places(table)) - 5
        assert drop_doubles(own.spark, own.rows_of(table)) == doubles
        assert counted(own)[table] == 5
        detail = own.spark.sql(f"DESCRIBE DETAIL {own.rows_of(table)}").collect()[0]
        assert detail.clusteringColumns == ["ind"]
    own.send_posts(6)
    again = own.ingest()
    assert {table: again[table]["records"] for table in TABLES} == dict.fromkeys(TABLES, 1)
    assert [row.ind for row in own.posts()] == [1, 2, 3, 4, 5, 6]


def test_a_table_that_is_not_the_contracts_is_named_before_anything_is_read(own: Streams) -> None:
    # the last test: the column stays
    own.spark.sql(f"ALTER TABLE {own.rows_of('user')} ADD COLUMN more STRING")
    own.send_posts(7)
    before = counted(own)
    said = "0123456789e2_user_table: more STRING is not in the contract"
    with pytest.raises(SchemaMismatchError, match=rf"{said}\. Repair: run pinterest_setup"):
        own.ingest()
    assert counted(own) == before
