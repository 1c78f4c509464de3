"""Lineage, order and listing of shards that were split and merged; streams in passing states."""

from pathlib import Path
from typing import Any

import pytest

from tests.devstack.kinesis.conftest import Clock, Kinesis, refused, serving

ALL_KEYS = 2**128
DAY = 86_400


def split(kinesis: Kinesis, stream: str, shard: int, at: int) -> None:
    name = f"shardId-{shard:012}"
    kinesis.client.split_shard(StreamName=stream, ShardToSplit=name, NewStartingHashKey=str(at))


def merge(kinesis: Kinesis, stream: str, one: int, other: int) -> None:
    pair = {"ShardToMerge": f"shardId-{one:012}", "AdjacentShardToMerge": f"shardId-{other:012}"}
    kinesis.client.merge_shards(StreamName=stream, **pair)


def listed(kinesis: Kinesis, stream: str, **given: Any) -> list[int]:
    found = kinesis.client.list_shards(StreamName=stream, ShardFilter=given)["Shards"]
    return [int(shard["ShardId"][-12:]) for shard in found]


@pytest.fixture
def family(kinesis: Kinesis) -> str:
    """0 split into 1 and 2 after an hour, which were merged into 3 after another; an hour has gone since."""
    name = kinesis.stream()
    for step in (lambda: split(kinesis, name, 0, ALL_KEYS // 2), lambda: merge(kinesis, name, 2, 1)):
        kinesis.put(name, b"before")
        kinesis.clock.advance(3600)
        step()
    kinesis.put(name, b"before")
    kinesis.clock.advance(3600)
    return name


def test_a_child_s_numbers_are_higher_than_its_parents(kinesis: Kinesis, family: str) -> None:
    ranges = [shard["SequenceNumberRange"] for shard in kinesis.shards(family)]
    for parent, child in ((0, 1), (0, 2), (1, 3), (2, 3)):
        end, start = ranges[parent]["EndingSequenceNumber"], ranges[child]["StartingSequenceNumber"]
        assert int(end) < int(start)
        assert len(end) == len(start) == 56


def test_the_order_of_two_merged_shards_is_as_given(kinesis: Kinesis, family: str) -> None:
    child = kinesis.shards(family)[3]
    assert child["ParentShardId"] == "shardId-000000000002"
    assert child["AdjacentParentShardId"] == "shardId-000000000001"
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(ALL_KEYS - 1)}


def test_readers_walk_from_parents_to_children(kinesis: Kinesis, family: str) -> None:
    data: list[bytes] = []
    queue, seen = ["shardId-000000000000"], set()
    while queue:
        shard = queue.pop(0)
        seen.add(shard)
        given = {"ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.client.get_shard_iterator(StreamName=family, **given)["ShardIterator"]
        page = kinesis.client.get_records(ShardIterator=iterator)
        data += [record["Data"] for record in page["Records"]]
        children = page.get("ChildShards", [])
        assert all(shard in child["ParentShards"] for child in children)
        queue += [child["ShardId"] for child in children if child["ShardId"] not in seen | set(queue)]
    assert data == [b"before"] * 3
    assert "NextShardIterator" in page


def test_a_position_at_the_end_of_a_closed_shard(kinesis: Kinesis, family: str) -> None:
    end = kinesis.shards(family)[0]["SequenceNumberRange"]["EndingSequenceNumber"]
    for kind, more in (("LATEST", {}), ("AFTER_SEQUENCE_NUMBER", {"StartingSequenceNumber": end})):
        page = kinesis.client.get_records(ShardIterator=kinesis.iterator(family, kind, **more))
        assert (page["Records"], page.get("NextShardIterator")) == ([], None)
        assert [child["ShardId"][-1] for child in page["ChildShards"]] == ["1", "2"]
        assert page["ChildShards"][0]["ParentShards"] == ["shardId-000000000000"]


def test_a_closed_shard_ends_only_behind_its_last_record(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    kinesis.put(name, b"1", b"2")
    split(kinesis, name, 0, ALL_KEYS // 2)
    page = kinesis.client.get_records(ShardIterator=kinesis.iterator(name), Limit=1)
    assert "ChildShards" not in page
    page = kinesis.client.get_records(ShardIterator=page["NextShardIterator"])
    assert [record["Data"] for record in page["Records"]] == [b"2"]
    assert page.get("NextShardIterator") is None


def test_filters_of_shards(kinesis: Kinesis, family: str) -> None:
    now = kinesis.clock.now / 1000
    assert listed(kinesis, family, Type="AT_LATEST") == [3]
    assert listed(kinesis, family, Type="AT_TRIM_HORIZON") == [0]
    assert listed(kinesis, family, Type="FROM_TRIM_HORIZON") == [0, 1, 2, 3]
    assert listed(kinesis, family, Type="AFTER_SHARD_ID", ShardId="shardId-000000000001") == [2, 3]
    assert listed(kinesis, family, Type="AT_TIMESTAMP", Timestamp=now - 5400) == [1, 2]
    assert listed(kinesis, family, Type="FROM_TIMESTAMP", Timestamp=now - 5400) == [1, 2, 3]
    # API reference, ShardFilter: a shard is there at the moment it ends, too
    assert listed(kinesis, family, Type="AT_TIMESTAMP", Timestamp=now - 7200) == [0, 1, 2]
    assert listed(kinesis, family, Type="FROM_TIMESTAMP", Timestamp=now - 7200) == [0, 1, 2, 3]
    with refused("InvalidArgumentException", "Timestamp goes with"):
        listed(kinesis, family, Type="AT_TIMESTAMP")
    with refused("InvalidArgumentException", "ShardId goes with"):
        listed(kinesis, family, Type="AT_LATEST", ShardId="shardId-000000000001")


def test_a_page_keeps_its_filter(kinesis: Kinesis) -> None:
    name = kinesis.stream(4)
    merge(kinesis, name, 0, 1)
    given = {"ShardFilter": {"Type": "AT_LATEST"}, "MaxResults": 2}
    page = kinesis.client.list_shards(StreamName=name, **given)
    rest = kinesis.client.list_shards(NextToken=page["NextToken"])
    assert [shard["ShardId"][-1] for shard in page["Shards"] + rest["Shards"]] == ["2", "3", "4"]
    assert "NextToken" not in rest
    with refused("InvalidArgumentException", "NextToken and StreamName cannot be provided together"):
        kinesis.client.list_shards(StreamName=name, NextToken=page["NextToken"])


def test_a_closed_shard_is_listed_as_long_as_it_may_hold_a_record(kinesis: Kinesis, family: str) -> None:
    kinesis.clock.advance(DAY - 7200)
    assert [shard["ShardId"][-1] for shard in kinesis.shards(family)] == ["0", "1", "2", "3"]
    kinesis.clock.advance(0.001)
    assert [shard["ShardId"][-1] for shard in kinesis.shards(family)] == ["1", "2", "3"]
    with refused("ResourceNotFoundException", "shardId-000000000000"):
        kinesis.iterator(family)


@pytest.mark.parametrize("at", [0, 1, ALL_KEYS - 1])
def test_a_split_leaves_something_on_both_sides(kinesis: Kinesis, at: int) -> None:
    with refused(
        "InvalidArgumentException", "is not both greater than one plus the shard's StartingHashKey 0"
    ):
        split(kinesis, kinesis.stream(), 0, at)


def test_on_demand_streams_are_not_resharded(kinesis: Kinesis) -> None:
    kinesis.client.create_stream(StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    for call in (lambda: split(kinesis, "s", 0, 7), lambda: merge(kinesis, "s", 0, 1)):
        with refused("ValidationException", "is in On-Demand mode"):
            call()


def test_the_creation_tells_streams_of_one_name_apart(kinesis: Kinesis) -> None:
    name = kinesis.stream()
    summary = kinesis.client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    created = summary["StreamCreationTimestamp"]
    assert created.timestamp() * 1000 == kinesis.clock.now
    found = kinesis.client.list_shards(StreamName=name, StreamCreationTimestamp=created)
    assert len(found["Shards"]) == 1
    with refused("ResourceNotFoundException"):
        kinesis.client.list_shards(StreamName=name, StreamCreationTimestamp=created.timestamp() - 1)


def status(kinesis: Kinesis, stream: str) -> str:
    found = kinesis.client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    return str(found["StreamStatus"])


def test_states_take_their_time_where_told_to(tmp_path: Path) -> None:
    with serving(tmp_path, Clock(), settle_ms=5000) as kinesis:
        kinesis.client.create_stream(StreamName="s", ShardCount=2)
        assert status(kinesis, "s") == "CREATING"
        assert kinesis.client.describe_stream(StreamName="s")["StreamDescription"]["Shards"] == []
        with refused("ResourceNotFoundException"):
            kinesis.put("s", b"x")
        with refused("ResourceInUseException"):
            kinesis.shards("s")
        with refused("ResourceInUseException", "not ACTIVE, instead in state CREATING"):
            kinesis.client.delete_stream(StreamName="s")
        kinesis.clock.advance(5)
        assert status(kinesis, "s") == "ACTIVE"
        merge(kinesis, "s", 0, 1)
        assert status(kinesis, "s") == "UPDATING"
        kinesis.put("s", b"x")
        with refused("ResourceInUseException", "UPDATING"):
            split(kinesis, "s", 2, 7)
        kinesis.clock.advance(5)
        kinesis.client.delete_stream(StreamName="s")
        assert status(kinesis, "s") == "DELETING"
        with refused("ResourceInUseException"):
            kinesis.client.create_stream(StreamName="s", ShardCount=1)
        kinesis.clock.advance(5)
        with refused("ResourceNotFoundException"):
            status(kinesis, "s")


def test_five_streams_are_created_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, Clock(), settle_ms=5000) as kinesis:
        for number in range(5):
            kinesis.client.create_stream(StreamName=f"s{number}", ShardCount=1)
        kinesis.clock.advance(1)
        with refused("LimitExceededException", "CREATING"):
            kinesis.client.create_stream(StreamName="s5", ShardCount=1)
        kinesis.clock.advance(4)
        kinesis.client.create_stream(StreamName="s5", ShardCount=1)
