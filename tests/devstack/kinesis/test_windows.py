"""The windows of the limits, against what a second is by definition."""

from hypothesis import given
from hypothesis import strategies as st

from devstack.kinesis.limits import READ_BYTES, READ_CALLS, Reads, Window

SECOND = 1000
PUTS = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 60)), max_size=80)


@given(PUTS)
def test_a_window_admits_what_fits_into_each_second_and_no_less(puts: list[tuple[int, int]]) -> None:
    window, now = Window(5, 100), 0
    admitted: list[tuple[int, int]] = []
    for pause, size in puts:
        now += pause
        recent = [weight for at, weight in admitted if at > now - SECOND]
        fits = len(recent) < 5 and sum(recent) + size <= 100
        assert window.admit(now, size) == fits
        if fits:
            admitted.append((now, size))


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 5 * READ_BYTES)), max_size=40))
def test_reads_stay_below_two_mebibytes_a_second_on_the_whole(calls: list[tuple[int, int]]) -> None:
    reads, now = Reads(), 0
    answers: list[tuple[int, int]] = []
    for pause, size in calls:
        now += pause
        recent = [weight for at, weight in answers if at > now - SECOND]
        if reads.admit(now):
            assert len(recent) < READ_CALLS
            assert sum(recent) < READ_BYTES
            # a large answer has been paid for with time
            assert all(
                SECOND * weight // READ_BYTES <= now - at for at, weight in answers if weight > READ_BYTES
            )
            reads.count(now, size)
            answers.append((now, size))
        else:
            large = any(SECOND * weight // READ_BYTES > now - at for at, weight in answers)
            assert large or len(recent) == READ_CALLS or sum(recent) >= READ_BYTES
