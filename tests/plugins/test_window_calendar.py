"""Windows on strange days: whatever zone the host runs in, and however a run came about."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinflow.window import Window, resolve, window_from_params
from tests.zones import STRANGE_DAYS, ZONES, host_zone

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
# a scheduled run is made when its day has ended, the others whenever somebody wants them
RUN_TYPES = ("scheduled", "backfill", "manual", "operator_triggered", "asset_triggered")
DAYS = st.dates(date(2010, 1, 1), date(2035, 12, 31))


def midnight(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", STRANGE_DAYS)
def test_one_logical_date_is_one_utc_day_for_every_run_type_in_every_zone(zone: str, day: str) -> None:
    start = midnight(day)
    with host_zone(zone):
        for run_type in RUN_TYPES:
            for moment in (start, start + timedelta(hours=11), start + DAY - timedelta(microseconds=1)):
                for written in (moment, moment.astimezone(ZoneInfo(zone)), moment.astimezone()):
                    window, _ = resolve(run_type, written, start + DAY, {})
                    assert (window.start, window.end) == (start, start + DAY)
                    assert window.end.timestamp() - window.start.timestamp() == 86_400
                    assert window.start_text == f"{day}T00:00:00Z"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", STRANGE_DAYS)
def test_a_run_without_a_date_takes_the_utc_day_before_in_every_zone(zone: str, day: str) -> None:
    start = midnight(day)
    with host_zone(zone):
        for moment in (start, start + timedelta(hours=11), start + DAY - timedelta(microseconds=1)):
            window, _ = resolve("manual", None, moment.astimezone(), {})
            assert (window.start, window.end) == (start - DAY, start)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", STRANGE_DAYS)
def test_an_hour_is_a_utc_hour_in_every_zone(zone: str, day: str) -> None:
    with host_zone(zone):
        for number in range(24):
            start = midnight(day) + number * HOUR
            end = start + HOUR
            moment = start + timedelta(minutes=31)
            for written in (moment, moment.astimezone(ZoneInfo(zone)), moment.astimezone()):
                window, _ = resolve("backfill", written, end, {}, "hour")
                assert (window.start, window.end) == (start, end)
            params = {"window_start": f"{start:%Y-%m-%dT%H:%M}", "window_end": f"{end:%Y-%m-%dT%H:%M}"}
            assert window_from_params(params, "hour") == Window(start, end)


@pytest.mark.parametrize("zone", ZONES)
def test_params_are_utc_days_in_every_zone(zone: str) -> None:
    with host_zone(zone):
        for day in STRANGE_DAYS:
            end = f"{midnight(day) + DAY:%Y-%m-%d}"
            assert window_from_params({"window_start": day, "window_end": end}) == Window.day(midnight(day))


@pytest.mark.parametrize("zone", ZONES)
@settings(deadline=None)  # a busy machine is no fault
@given(first=DAYS, count=st.integers(1, 800), run_type=st.sampled_from(RUN_TYPES))
def test_neighbours_are_disjoint_and_their_union_is_the_span(
    zone: str, first: date, count: int, run_type: str
) -> None:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    made_at = start + 1000 * DAY
    with host_zone(zone):
        windows = [resolve(run_type, start + n * DAY, made_at, {})[0] for n in range(count)]
    assert windows[0].start == start
    assert windows[-1].end == start + count * DAY
    assert all(one.end == other.start for one, other in pairwise(windows))
    assert all(window.end - window.start == DAY for window in windows)


@pytest.mark.parametrize("zone", ZONES)
@settings(deadline=None)  # a busy machine is no fault
@given(moment=st.datetimes(datetime(2010, 1, 1), datetime(2035, 12, 31)))
def test_a_post_belongs_to_exactly_one_of_three_neighbours(zone: str, moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    with host_zone(zone):
        windows = [resolve("backfill", aware + n * DAY, aware, {})[0] for n in (-1, 0, 1)]
    assert [window.start <= aware < window.end for window in windows] == [False, True, False]
