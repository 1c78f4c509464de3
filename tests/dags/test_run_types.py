"""One logical date is one window, however Airflow itself comes to it: its timetable, its backfill, its trigger."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from pinflow.window import Window, window_of
from tests.zones import STRANGE_DAYS, ZONES, host_zone

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def dag(dag_bag: Any) -> Any:
    """pinterest_batch as the scheduler and the API server know it."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag_bag.dags["pinterest_batch"]))


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    with host_zone(request.param):
        yield request.param


def window(run_type: str, logical_date: datetime | None, run_after: datetime) -> Window:
    run = SimpleNamespace(run_type=run_type, logical_date=logical_date, run_after=run_after)
    return window_of({"dag_run": run, "params": {"window_start": None, "window_end": None}})


def scheduled(dag: Any, day: datetime) -> Any:
    """The run that the scheduler makes after the one of the day before."""
    from airflow.sdk import timezone
    from airflow.timetables.base import DataInterval, TimeRestriction

    before, start = (timezone.coerce_datetime(moment) for moment in (day - DAY, day))
    return dag.timetable.next_dagrun_info(
        last_automated_data_interval=DataInterval(before, start),
        restriction=TimeRestriction(earliest=None, latest=None, catchup=True),
    )


def backfilled(dag: Any, first: datetime, last: datetime, *, reverse: bool = False) -> list[Any]:
    """The runs that a backfill of these days makes."""
    from airflow.models.backfill import _get_info_list

    return _get_info_list(from_date=first, to_date=last, reverse=reverse, dag=dag)


def triggered(dag: Any, day: datetime | None) -> dict[str, Any]:
    """The run that a person or `dag.test` makes of a date: its interval is another one."""
    from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody

    made: dict[str, Any] = TriggerDAGRunPostBody(logical_date=day, run_after=NOW).validate_context(dag)
    return made


@pytest.mark.parametrize("day", STRANGE_DAYS)
def test_schedule_backfill_and_trigger_of_a_date_are_one_window(dag: Any, zone: str, day: str) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    due = Window(start, start + DAY)
    by_schedule = scheduled(dag, start)
    assert by_schedule.logical_date == start
    assert window("scheduled", by_schedule.logical_date, by_schedule.run_after) == due
    (by_backfill,) = backfilled(dag, start, start)
    assert by_backfill.logical_date == start
    assert window("backfill", by_backfill.logical_date, by_backfill.run_after) == due
    by_hand = triggered(dag, start)
    assert window("manual", by_hand["logical_date"], by_hand["run_after"]) == due
    # this is why no window comes from the interval
    assert by_hand["data_interval"].start == start - DAY
    assert by_backfill.data_interval.start == by_schedule.data_interval.start == start


def test_a_trigger_without_a_date_is_yesterday(dag: Any, zone: str) -> None:
    by_hand = triggered(dag, None)
    assert by_hand["logical_date"] is None
    assert window("manual", None, by_hand["run_after"]) == Window.day(NOW - DAY)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("first", "last"), [("2019-12-30", "2020-03-02"), ("2021-10-29", "2022-11-07")])
def test_a_backfill_covers_its_days_once_and_without_a_gap(
    dag: Any, zone: str, first: str, last: str, reverse: bool
) -> None:
    begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (first, last))
    infos = backfilled(dag, begin, end, reverse=reverse)
    windows = [window("backfill", info.logical_date, info.run_after) for info in infos]
    assert windows == sorted(windows, reverse=reverse)
    days = sorted(windows)
    assert (days[0].start, days[-1].end) == (begin, end + DAY)
    assert all(one.end == other.start for one, other in pairwise(days))
    assert len(days) == (end - begin).days + 1


def test_a_day_that_is_not_over_has_no_backfill_yet(dag: Any) -> None:
    """What the command refuses beforehand, Airflow leaves out without a word."""
    today = Window.day(datetime.now(UTC)).start
    assert [info.logical_date for info in backfilled(dag, today - DAY, today + DAY)] == [today - DAY]


def test_a_day_before_the_first_gets_a_run_whose_tasks_never_start(dag: Any) -> None:
    """Why the command asks for the DAG's start_date: Airflow's backfill does not."""
    before = dag.start_date - DAY
    assert [info.logical_date for info in backfilled(dag, before, before)] == [before]
