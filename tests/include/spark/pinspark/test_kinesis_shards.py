"""What a reader sees of a stream, and the source's offsets over it, against the endpoint; needs no Spark."""

import itertools
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadMaxRows

from pinspark.kinesis_shards import HOUR_MS, Position, Stream, StreamLostError, arrived_ms, beginning, now_ms
from pinspark.kinesis_source import KinesisReader, KinesisSource, first_position
from tests.include.kinesis_server import REGION, Kinesis, shard_id

FIRST = shard_id(0)
WHOLE = ReadAllAvailable()
_NUMBERS = itertools.count()
Make = Callable[..., Stream]


@pytest.fixture(scope="module")
def made(kinesis: Kinesis) -> Make:
    """Create a stream and give its reader."""

    def make(shards: int = 1, most: int = 10_000) -> Stream:
        name = kinesis.create(f"read-{next(_NUMBERS)}", shards)
        return Stream(name, REGION, kinesis.url, most)

    return make


def reader(stream: Stream, position: Position | None = None) -> KinesisReader:
    return KinesisReader(stream, beginning() if position is None else position)


def rows(source: KinesisReader, start: Any, end: Any) -> list[tuple[str, bytes]]:
    """Read what lies between two offsets: shard and data of each record."""
    batches = [batch for part in source.partitions(start, end) for batch in source.read(part)]
    return [(row["shardId"], row["data"]) for batch in batches for row in batch.to_pylist()]


def test_a_stream_is_described_and_its_reader_can_be_sent_to_another_process(made: Make) -> None:
    before = now_ms()
    stream = made(shards=2)
    said = stream.describe()
    assert before - 1 <= said.created <= now_ms()
    assert said.retention_ms == 24 * HOUR_MS
    assert stream.parents() == {FIRST: set(), shard_id(1): set()}
    again = pickle.loads(pickle.dumps(stream))  # noqa: S301 - what was made here
    assert again.describe() == said


def test_a_shard_is_read_in_pages_to_what_there_is_now(kinesis: Kinesis, made: Make) -> None:
    stream = made(most=3)
    numbers = kinesis.put(stream.name, *(b"%d" % n for n in range(8)))
    one = stream.reach(FIRST, beginning(), None, whole=False)
    assert (one["after"], one["done"]) == (numbers[2], False)
    two = stream.reach(FIRST, one, None, whole=False)
    assert two["after"] == numbers[5]
    three = stream.reach(FIRST, two, None, whole=False)
    assert three["after"] == numbers[7]
    assert stream.reach(FIRST, three, None, whole=False) == three
    whole = stream.reach(FIRST, beginning(), None, whole=True)
    assert whole["after"] == numbers[7]
    assert whole["seen"] >= three["seen"]
    pages = list(stream.between(FIRST, one, numbers[6]))
    assert [[record["Data"] for record in page] for page in pages] == [[b"3", b"4", b"5"], [b"6"]]


def test_a_look_that_finds_nothing_is_noted_once_an_hour(made: Make) -> None:
    stream = made()
    before = now_ms()
    looked = stream.reach(FIRST, beginning(), None, whole=True)
    assert looked["after"] == ""
    assert before <= looked["seen"] <= now_ms()
    assert stream.reach(FIRST, looked, None, whole=True) == looked
    old = looked | {"seen": now_ms() - HOUR_MS - 1}
    assert stream.reach(FIRST, old, None, whole=True)["seen"] > looked["seen"]


def test_what_arrives_after_until_is_left_for_the_next_run(kinesis: Kinesis, made: Make) -> None:
    stream = made()
    early = kinesis.put(stream.name, b"early")
    (record,) = next(stream.between(FIRST, beginning(), early[0]))
    while now_ms() <= arrived_ms(record) + 1:
        time.sleep(0.001)
    late = kinesis.put(stream.name, b"late")
    until = arrived_ms(record)
    reached = stream.reach(FIRST, beginning(), until, whole=True)
    assert (reached["after"], reached["seen"]) == (early[0], until)
    assert stream.reach(FIRST, reached, until, whole=True) == reached
    assert stream.reach(FIRST, reached, now_ms(), whole=True)["after"] == late[0]


def test_a_position_by_time_takes_what_arrived_since(kinesis: Kinesis, made: Make) -> None:
    stream = made()
    (early,) = kinesis.put(stream.name, b"early")
    (record,) = next(stream.between(FIRST, beginning(), early))
    while now_ms() <= arrived_ms(record) + 1:
        time.sleep(0.001)
    (late,) = kinesis.put(stream.name, b"late")
    (second,) = next(stream.between(FIRST, beginning() | {"after": early}, late))
    (page,) = stream.between(FIRST, beginning(arrived_ms(second)), late)
    assert [found["Data"] for found in page] == [b"late"]
    source = reader(stream, beginning(arrived_ms(second)))
    begun = source.initialOffset()
    assert rows(source, begun, source.latestOffset(begun, WHOLE)) == [(FIRST, b"late")]


def test_children_come_after_their_parents_and_a_merged_child_after_both(
    kinesis: Kinesis, made: Make
) -> None:
    stream = made(shards=2, most=2)
    page = ReadMaxRows(2)
    low = next(str(n) for n in range(99) if _shard(kinesis, stream, str(n)) == FIRST)
    high = next(str(n) for n in range(99) if _shard(kinesis, stream, str(n)) != FIRST)
    source = reader(stream)
    start = source.latestOffset(source.initialOffset(), WHOLE)
    kinesis.put(stream.name, b"a1", b"a2", b"a3", key=low)
    kinesis.put(stream.name, b"b1", key=high)
    kinesis.merge(stream.name, 0, 1)
    kinesis.put(stream.name, b"c1", key=low)
    kinesis.split(stream.name, 2)
    kinesis.put(stream.name, b"d1", b"d2", key=low)
    kinesis.put(stream.name, b"e1", key=high)
    found: list[list[str]] = []
    shards: list[list[str]] = []
    for _ in range(8):
        end = source.latestOffset(start, page)
        shards.append([name[-1] for name in end["shards"]])
        found.append(sorted(data.decode() for _, data in rows(source, start, end)))
        start = end
    # 0 is not at its end before the second look, so that 2 waits; 3 and 4 wait for 2
    assert found[:5] == [["a1", "a2", "b1"], ["a3"], ["c1"], ["d1", "d2", "e1"], []]
    assert shards[:4] == [["0", "1"], ["0", "1"], ["0", "1", "2"], ["0", "1", "2", "3", "4"]]
    assert found[5:] == [[]] * 3
    assert sum(map(len, found)) == 8
    assert [start["shards"][shard_id(n)]["done"] for n in range(5)] == [True, True, True, False, False]
    # a checkpoint that begins now begins at the oldest shards
    fresh = reader(stream)
    begun = fresh.initialOffset()
    assert list(begun["shards"]) == [FIRST, shard_id(1)]


def _shard(kinesis: Kinesis, stream: Stream, key: str) -> str:
    """Find the shard of a key by a record that is read over."""
    return kinesis.send(stream.name, [(key, b"probe")])[0][0]


def test_a_child_begins_where_its_stream_was_begun_whatever_this_run_was_given(
    kinesis: Kinesis, made: Make
) -> None:
    stream = made()
    kinesis.put(stream.name, b"before")
    time.sleep(0.01)  # moments are told apart to the millisecond
    first = reader(stream, first_position("latest"))
    kinesis.put(stream.name, b"parent")
    begun = first.initialOffset()
    start = first.latestOffset(begun, WHOLE)
    assert rows(first, begun, start) == [(FIRST, b"parent")]
    kinesis.split(stream.name, 0)
    kinesis.put(stream.name, b"between the runs")
    time.sleep(0.01)
    later = reader(stream, first_position("latest"))
    ended = later.latestOffset(start, WHOLE)
    end = later.latestOffset(ended, WHOLE)
    assert [data for _, data in rows(later, ended, end)] == [b"between the runs"]
    # planned batches that come again after a crash, in a run of its own; the first one begins at its position
    again = reader(stream, first_position("latest"))
    assert [data for _, data in rows(again, ended, end)] == [b"between the runs"]
    assert rows(again, again.initialOffset(), start) == [(FIRST, b"parent")]


def test_a_stream_made_anew_is_lost_by_a_look_and_by_a_batch_that_comes_again(
    kinesis: Kinesis, made: Make
) -> None:
    stream = made()
    kinesis.put(stream.name, b"old")
    source = reader(stream)
    begun = source.initialOffset()
    end = source.latestOffset(begun, WHOLE)
    kinesis.client.delete_stream(StreamName=stream.name)
    kinesis.create(stream.name)
    kinesis.put(stream.name, b"new")
    again = reader(stream)
    with pytest.raises(StreamLostError, match=r"it was deleted and made anew .* Repair: .*`rebuild`"):
        again.latestOffset(end, WHOLE)
    with pytest.raises(StreamLostError, match="deleted and made anew"):
        again.partitions(begun, end)


def test_a_shard_that_is_gone_is_lost_unless_it_was_read_to_its_end(kinesis: Kinesis, made: Make) -> None:
    stream = made()
    kinesis.put(stream.name, b"there")
    source = reader(stream)
    start = source.initialOffset()
    gone = beginning() | {"after": "1"}
    unread = {**start, "shards": {shard_id(7): gone, **start["shards"]}}
    with pytest.raises(StreamLostError, match=f"{shard_id(7)} is gone and was not read to its end"):
        source.latestOffset(unread, WHOLE)
    read = {**start, "shards": {shard_id(7): gone | {"done": True}, **start["shards"]}}
    end = source.latestOffset(read, WHOLE)
    assert list(end["shards"]) == [FIRST]
    assert rows(source, read, end) == [(FIRST, b"there")]


def test_what_was_seen_longer_ago_than_records_are_kept_is_lost(kinesis: Kinesis, made: Make) -> None:
    stream = made()
    (number,) = kinesis.put(stream.name, b"kept")
    source = reader(stream)
    start = source.initialOffset()
    end = source.latestOffset(start, WHOLE)
    old = {**start, "shards": {FIRST: beginning() | {"seen": now_ms() - 25 * HOUR_MS}}}
    said = r"was read up to \d{4}-.*longer ago than the 24 hours for which the stream keeps records\. Nothing"
    with pytest.raises(StreamLostError, match=said):
        source.latestOffset(old, WHOLE)
    with pytest.raises(StreamLostError, match=said):  # planned, and it comes again a day later
        source.partitions(old, end)
    kinesis.client.increase_stream_retention_period(StreamName=stream.name, RetentionPeriodHours=48)
    longer = reader(stream)
    assert longer.latestOffset(old, WHOLE)["shards"][FIRST]["after"] == number


def test_a_record_that_was_planned_and_is_not_there_is_lost(kinesis: Kinesis, made: Make) -> None:
    stream = made()
    (number,) = kinesis.put(stream.name, b"one")
    beyond = str(int(number) + 2**36)
    with pytest.raises(StreamLostError, match=f"record {beyond} of {FIRST} was there and is not any more"):
        list(stream.between(FIRST, beginning(), beyond))


def test_a_busy_shard_is_waited_for(kinesis: Kinesis, made: Make) -> None:
    stream = made(most=1)
    numbers = kinesis.put(stream.name, *(b"%d" % n for n in range(9)))
    # ten looks at once, of which a shard grants five a second
    assert stream.reach(FIRST, beginning(), None, whole=True)["after"] == numbers[8]
    iterator = kinesis.client.get_shard_iterator(
        StreamName=stream.name, ShardId=FIRST, ShardIteratorType="LATEST"
    )["ShardIterator"]
    codes = []
    plain = _impatient(kinesis)
    for _ in range(10):
        try:
            plain.get_records(ShardIterator=iterator)
        except plain.exceptions.ProvisionedThroughputExceededException as error:
            codes.append(error.response["Error"]["Code"])
    assert codes, "the endpoint throttles"


def _impatient(kinesis: Kinesis) -> Any:
    import boto3
    from botocore.config import Config

    once = Config(retries={"total_max_attempts": 1})
    return boto3.client("kinesis", endpoint_url=kinesis.url, region_name=REGION, config=once)


@pytest.mark.parametrize("text", ["trim_horizon", "TRIM_HORIZON", "earliest"])
def test_the_first_position_is_the_oldest_record(text: str) -> None:
    assert first_position(text) == beginning()


def test_the_first_position_is_now_or_a_moment() -> None:
    before = now_ms()
    assert before <= first_position("latest")["start"] <= now_ms()
    for zone in ("13:00:00+00:00", "15:00:00+02:00", "13:00:00Z"):
        assert first_position(f'{{"at_timestamp": "2022-10-15T{zone}"}}') == beginning(1_665_838_800_000)


@pytest.mark.parametrize(
    "text",
    ["soon", "{}", "[]", "7", "null", '{"at_timestamp": 7}', '{"at_timestamp": "2022-10-15T13:00:00"}', "{"],
)
def test_a_first_position_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"initialPosition .* is not understood\. Repair: give trim_horizon"):
        first_position(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"streamName": "s", "awsAccessKey": "x", "shards": "1"}, "unknown options awsaccesskey, shards"),
        ({"region": "us-east-1"}, "no streamName"),
        ({"streamName": ""}, "no streamName"),
    ],
)
def test_an_option_that_would_not_be_honoured_is_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=rf"Source kinesis: {said}\. Repair: give of streamName, region"):
        KinesisSource(options).streamReader(None)
