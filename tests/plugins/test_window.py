from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinflow.errors import WindowError
from pinflow.window import Span, Window, iso_utc, resolve, window_from_params, window_of

DAY = timedelta(days=1)
NO_PARAMS: dict[str, Any] = {"window_start": None, "window_end": None}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(text: str) -> Window:
    return Window(at(text), at(text) + DAY)


@pytest.mark.parametrize(
    "run_type", ["scheduled", "backfill", "manual", "operator_triggered", "asset_triggered"]
)
def test_every_run_type_gives_the_day_of_the_logical_date(run_type: str) -> None:
    window, _ = resolve(run_type, at("2022-10-15T13:30:00"), at("2026-11-21"), NO_PARAMS)
    assert window == day("2022-10-15")


def test_a_scheduled_run_takes_the_day_that_just_ended() -> None:
    assert resolve("scheduled", at("2022-10-15"), at("2022-10-16"), NO_PARAMS)[0] == day("2022-10-15")


def test_a_manual_run_on_a_day_not_over_takes_the_day_before_and_says_so() -> None:
    window, reason = resolve("manual", at("2026-11-21T11:00:00"), at("2026-11-21T11:00:05"), NO_PARAMS)
    assert window == day("2026-11-20")
    assert "was not over" in reason


def test_a_null_logical_date_goes_by_run_after() -> None:
    window, reason = resolve("manual", None, at("2026-11-21T00:00:01"), NO_PARAMS)
    assert window == day("2026-11-20")
    assert "run_after" in reason


@pytest.mark.parametrize("run_type", ["manual", "operator_triggered"])
def test_params_make_the_window_of_a_manual_run(run_type: str) -> None:
    params = {"window_start": "2017-10-20", "window_end": "2022-10-16"}
    window, _ = resolve(run_type, None, at("2026-11-21"), params)
    assert window == Window(at("2017-10-20"), at("2022-10-16"))


def test_params_are_ignored_with_a_word_in_a_backfill() -> None:
    params = {"window_start": "2017-10-20", "window_end": "2022-10-16"}
    window, reason = resolve("backfill", at("2022-10-15"), at("2022-10-15"), params)
    assert window == day("2022-10-15")
    assert "ignored in a run of type backfill" in reason


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2022-10-16", "2022-10-15", "ends before it starts"),
        ("2022-10-15", "2022-10-15", "ends before it starts"),
        ("2022-10-15", None, "window_end is not given"),
        (None, "2022-10-15", "window_start is not given"),
        ("2022-10-15T06:00:00Z", "2022-10-16", "not the start of a UTC day"),
        ("15/10/2022", "2022-10-16", "no date"),
        ("2022-02-30", "2022-10-16", "no date"),
        ("'; DROP TABLE x", "2022-10-16", "no date"),
    ],
)
def test_a_wrong_window_names_the_repair(start: str | None, end: str | None, words: str) -> None:
    with pytest.raises(WindowError, match=words) as caught:
        window_from_params({"window_start": start, "window_end": end})
    assert "Repair: " in str(caught.value)
    assert "docs/runbook.md#window" in str(caught.value)


HOUR = timedelta(hours=1)


def hour(text: str) -> Window:
    return Window(at(text), at(text) + HOUR)


@pytest.mark.parametrize(
    "run_type", ["scheduled", "backfill", "manual", "operator_triggered", "asset_triggered"]
)
def test_for_a_stream_every_run_type_gives_the_hour_of_the_logical_date(run_type: str) -> None:
    window, reason = resolve(run_type, at("2022-10-15T13:30:00"), at("2026-11-21"), NO_PARAMS, "hour")
    assert window == hour("2022-10-15T13:00:00")
    assert reason == "the hour of the logical date"
    assert window.slug == "20221015T130000Z_20221015T140000Z"


def test_a_manual_run_in_an_hour_not_over_takes_the_hour_before_and_says_so() -> None:
    for made, expected in (("2026-11-21T11:59:59", "10:00"), ("2026-11-21T00:10:00", "2026-11-20T23:00")):
        window, reason = resolve("manual", at(made), at(made), NO_PARAMS, "hour")
        assert window == hour(expected if "T" in expected else f"2026-11-21T{expected}")
        assert "the hour before: " in reason
        assert "was not over" in reason


def test_a_null_logical_date_takes_the_hour_before_run_after() -> None:
    window, reason = resolve("manual", None, at("2026-11-21T00:00:01"), NO_PARAMS, "hour")
    assert window == hour("2026-11-20T23:00:00")
    assert reason == "the hour before run_after, for want of a logical date"


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2022-10-15T13:00", "2022-10-15T14:00", 1),
        ("2022-10-15T13:00:00Z", "2022-10-16", 11),
        ("2022-10-15T13:00:00+02:00", "2022-10-15T12:00", 1),
        ("2022-10-15", "2022-10-17", 48),
    ],
)
def test_params_of_a_stream_are_whole_utc_hours(start: str, end: str, hours: int) -> None:
    window, _ = resolve("manual", None, at("2026-01-01"), {"window_start": start, "window_end": end}, "hour")
    assert window.end - window.start == hours * HOUR


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2022-10-15T13:30", "2022-10-15T14:00", r"not the start of a UTC hour.*2022-10-15T13:00"),
        ("2022-10-15T13:00:00+05:30", "2022-10-15T14:00", "not the start of a UTC hour"),
        ("2022-10-15T13:00", "2022-10-15T13:00", r"ends before it starts.*at least 2022-10-15T14:00"),
        ("13 o'clock", "2022-10-15T14:00", "no date.*UTC hour such as 2022-10-15T13:00"),
    ],
)
def test_a_wrong_hour_names_the_repair(start: str, end: str, words: str) -> None:
    with pytest.raises(WindowError, match=words):
        window_from_params({"window_start": start, "window_end": end}, "hour")


def test_params_are_ignored_in_a_backfill_of_hours() -> None:
    params = {"window_start": "2022-10-15T13:00", "window_end": "2022-10-15T14:00"}
    window, reason = resolve("backfill", at("2022-10-15T09:00:00"), at("2022-10-15"), params, "hour")
    assert window == hour("2022-10-15T09:00:00")
    assert "ignored" in reason


@given(st.datetimes(datetime(2017, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["day", "hour"]))
def test_neighbouring_spans_meet_without_a_gap(moment: datetime, span: Span) -> None:
    window = Window.around(moment.replace(tzinfo=UTC), span)
    assert window.start <= moment.replace(tzinfo=UTC) < window.end
    assert Window.around(window.end, span).start == window.end
    assert Window.around(window.end - timedelta(microseconds=1), span) == window


@given(st.datetimes(datetime(2017, 1, 1), datetime(2030, 1, 1)), st.integers(-14, 14))
def test_each_moment_is_in_exactly_one_day_whatever_zone_it_is_written_in(
    moment: datetime, hours: int
) -> None:
    aware = moment.replace(tzinfo=UTC)
    window = Window.day(aware.astimezone(timezone(timedelta(hours=hours))))
    assert window.start <= aware < window.end
    assert window.end == Window.day(window.end).start
    assert window.end - window.start == DAY


@pytest.mark.parametrize("text", ["2020-02-29", "2021-03-28", "2021-10-31", "2021-12-31"])
def test_leap_day_dst_and_year_end_are_days_of_24_hours(text: str) -> None:
    assert Window.day(at(text) + timedelta(hours=23, minutes=59, seconds=59)) == day(text)
    assert Window.day(at(text) + DAY).start == day(text).end


def test_texts_round_trip_and_naive_moments_are_utc() -> None:
    window = day("2022-10-15")
    assert window.slug == "20221015T000000Z_20221016T000000Z"
    assert Window.parse(window.start_text, window.end_text) == window
    assert iso_utc(datetime(2022, 10, 15, 1, 2, 3)) == "2022-10-15T01:02:03Z"


def test_window_of_reads_a_context_with_an_enum_run_type(caplog: pytest.LogCaptureFixture) -> None:
    from types import SimpleNamespace

    from airflow.utils.types import DagRunType

    run = SimpleNamespace(
        run_type=DagRunType.MANUAL, logical_date=at("2022-10-15"), run_after=at("2026-01-01")
    )
    with caplog.at_level("INFO"):
        assert window_of({"dag_run": run, "params": {}}) == day("2022-10-15")
