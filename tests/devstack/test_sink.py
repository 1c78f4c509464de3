"""The sink loses nothing and writes nothing twice, wherever it is killed and wherever it is moved back to."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.sink.consumer import Sink
from devstack.sink.store import StoreError
from tests.devstack.sink_doubles import TOPIC, Bucket, Clock, Crash, FakeConsumer, Log, Value, config

VALUES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([b"1.10", b"123456789012345678901234567890", b"a\nb", b"\r", b"\n", None]),
)
FAULTS = st.lists(st.sampled_from(["", "", "before", "after", "error", "timeout"]), max_size=12)
JSON = [b'{"n":%d}' % n for n in range(40)]


class Rig:
    """A sink that may be killed and started again over the same log and bucket."""

    def __init__(self, values: dict[int, Value], max_records: int = 5, *, skip_null: bool = False) -> None:
        self.log, self.bucket, self.clock = Log(values), Bucket(), Clock()
        self.config = config(max_records, skip_null=skip_null)
        self.start()

    def start(self) -> None:
        self.consumer = FakeConsumer(self.log, self.clock)
        self.sink = Sink(self.config, self.bucket, self.consumer, self.clock)  # type: ignore[arg-type]

    def run(self, seconds: float = 200.0) -> None:
        """Step until everything is committed; start anew after each crash."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            try:
                self.sink.step()
            except Crash:
                self.start()
            if self.settled:
                return

    @property
    def settled(self) -> bool:
        waiting = any(buffer.chunks for buffer in self.sink.buffers.values())
        return not waiting and self.consumer.position > max(self.log.values, default=-1)

    def landed(self) -> dict[int, bytes]:
        """Read the objects as the pipeline does: offset = start + line, an object of one raw value aside."""
        found: dict[int, bytes] = {}
        for start, body in sorted(self.bucket.objects.items()):
            raw = self.log.values.get(start)
            alone = raw is not None and (b"\n" in raw or b"\r" in raw)
            assert body.endswith(b"\n")
            lines = [body[:-1]] if alone else body[:-1].split(b"\n")
            for offset, line in enumerate(lines, start):
                assert offset not in found, f"offset {offset} lies in two objects"
                found[offset] = line
        return found

    def expected(self) -> dict[int, bytes]:
        nulls = {} if self.config.skip_null else {o: b"null" for o, v in self.log.values.items() if v is None}
        return nulls | {offset: value for offset, value in self.log.values.items() if value is not None}


def test_an_object_has_at_most_the_records_asked_for_and_the_tail_lands_by_time() -> None:
    rig = Rig(dict(enumerate(JSON[:12])))
    rig.run()
    assert sorted(rig.bucket.objects) == [0, 5, 10]
    assert rig.bucket.objects[10] == b'{"n":10}\n{"n":11}\n'
    assert rig.log.committed == 12
    assert rig.clock.now <= 1.2


def test_values_pass_through_as_bytes() -> None:
    rig = Rig({0: b'{"a":1.10}', 1: b"123456789012345678901234567890", 2: b"\xff\x00", 3: b""})
    rig.run()
    assert rig.bucket.objects == {0: b'{"a":1.10}\n123456789012345678901234567890\n\xff\x00\n\n'}


def test_a_gap_begins_a_new_object() -> None:
    rig = Rig({0: b"a", 1: b"b", 4: b"c", 5: b"d"})
    rig.run()
    assert rig.bucket.objects == {0: b"a\nb\n", 4: b"c\nd\n"}


def test_a_value_with_a_line_break_is_written_alone() -> None:
    rig = Rig({0: b"a", 1: b"x\ny", 2: b"b", 3: b"\r", 4: b"c"})
    rig.run()
    assert rig.bucket.objects == {0: b"a\n", 1: b"x\ny\n", 2: b"b\n", 3: b"\r\n", 4: b"c\n"}


def test_a_null_takes_a_line_or_makes_a_gap() -> None:
    rig = Rig({0: b"a", 1: None, 2: b"b"})
    rig.run()
    assert rig.bucket.objects == {0: b"a\nnull\nb\n"}
    rig = Rig({0: b"a", 1: None, 2: b"b"}, skip_null=True)
    rig.run()
    assert rig.bucket.objects == {0: b"a\n", 2: b"b\n"}


def test_a_rewind_to_any_offset_puts_nothing_again() -> None:
    for back in range(13):
        rig = Rig(dict(enumerate(JSON[:12])))
        rig.run()
        before = dict(rig.bucket.objects)
        rig.log.committed = back
        rig.start()
        rig.run()
        assert rig.bucket.objects == before
        assert rig.bucket.puts == 3


def test_a_position_moved_back_while_running_puts_nothing_again() -> None:
    rig = Rig(dict(enumerate(JSON[:12])))
    rig.run()
    rig.consumer.position = 7
    rig.log.values[12] = b"new"
    rig.run()
    assert rig.landed() == rig.expected()
    assert sorted(rig.bucket.objects) == [0, 5, 10, 12]


def test_a_second_sink_that_wrote_first_is_noticed() -> None:
    rig = Rig(dict(enumerate(JSON[:4])))
    rig.sink.step()
    rig.bucket.objects[0] = JSON[0] + b"\n" + JSON[1] + b"\n"
    rig.run()
    assert rig.landed() == rig.expected()
    assert sorted(rig.bucket.objects) == [0, 2]


def test_another_object_size_writes_no_overlapping_objects() -> None:
    for sizes in ((5, 3), (3, 5), (4, 8)):
        rig = Rig(dict(enumerate(JSON[:12])), sizes[0])
        rig.run()
        rig.log.committed = 2
        rig.log.values |= dict(enumerate(JSON[12:20], 12))
        rig.config = config(sizes[1])
        rig.start()
        rig.run()
        assert rig.landed() == rig.expected()


def test_a_topic_made_anew_replaces_the_old_objects() -> None:
    rig = Rig(dict(enumerate(JSON[:5])))
    rig.run()
    rig.log.values = {offset: b"new %d" % offset for offset in range(5)}
    rig.log.committed = -1001
    rig.start()
    rig.run()
    assert rig.landed() == rig.expected()


def test_records_gone_from_the_topic_do_not_stop_the_sink() -> None:
    rig = Rig(dict(enumerate(JSON[:12])))
    rig.run()
    rig.log.values = dict(enumerate(JSON[8:20], 8))
    rig.log.committed = -1001
    rig.start()
    rig.run()
    assert rig.log.committed == 20


def test_an_outage_of_the_bucket_pauses_and_loses_nothing() -> None:
    rig = Rig(dict(enumerate(JSON[:12])))
    rig.bucket.faults = ["error"] * 6
    rig.run(5)
    assert rig.consumer.paused
    assert rig.log.committed == -1001
    rig.run()
    assert not rig.consumer.paused
    assert rig.landed() == rig.expected()


def test_a_topic_that_comes_later_is_read_and_one_that_goes_is_given_up() -> None:
    rig = Rig(dict(enumerate(JSON[:2])))
    rig.consumer.topic_is_there = False
    rig.run(3)
    assert rig.consumer.assigned == []
    rig.consumer.topic_is_there = True
    rig.run()
    assert rig.landed() == rig.expected()
    rig.consumer.topic_is_there = False
    rig.clock.now += 2
    rig.sink.step()
    assert rig.consumer.assigned == []


def test_a_bucket_that_cannot_be_listed_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(dict(enumerate(JSON[:2])))
    monkeypatch.setattr(rig.bucket, "starts", raise_store_error)
    rig.run(3)
    assert rig.bucket.objects == {}
    monkeypatch.undo()
    rig.run()
    assert rig.landed() == rig.expected()


def raise_store_error(*args: object) -> Iterator[int]:
    raise StoreError("503 Slow Down")


def test_a_stopped_sink_writes_what_waits() -> None:
    rig = Rig(dict(enumerate(JSON[:2])))
    rig.sink.step()
    assert rig.bucket.objects == {}
    rig.sink.close()
    assert rig.bucket.objects == {0: b'{"n":0}\n{"n":1}\n'}
    assert rig.log.committed == 2
    assert rig.consumer.closed


@given(
    records=st.lists(st.tuples(st.booleans(), VALUES), max_size=30),
    faults=FAULTS,
    rewinds=st.lists(st.integers(0, 40), max_size=3),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    later=st.lists(VALUES, max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_every_record_lands_exactly_once(
    records: list[tuple[bool, Value]],
    faults: list[str],
    rewinds: list[int],
    sizes: list[int],
    later: list[Value],
) -> None:
    values: dict[int, Value] = {}
    offset = 0
    for gap, value in records:
        offset += 1 + gap
        values[offset] = value
    rig = Rig(values, sizes[0])
    rig.bucket.faults = list(faults)
    rig.run()
    for number, back in enumerate(rewinds):
        rig.log.committed = min(back, max(values, default=-1) + 1)
        rig.config = config(sizes[number % len(sizes)])
        rig.start()
        rig.run()
    for value in later:
        offset += 1
        rig.log.values[offset] = value
    rig.run()
    assert rig.settled
    assert rig.landed() == rig.expected()
    assert TOPIC in rig.config.key(TOPIC, 0, 0)
