from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinflow.errors import WindowError
from pinflow.window import Window, iso_utc, resolve, window_from_params, window_of

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
