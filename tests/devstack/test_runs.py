from datetime import UTC, date, datetime

import pytest

from devstack import runs
from devstack.airflow_api import Backfill, BackfillActiveError, Run, Task
from devstack.errors import StackError

START = datetime(2022, 10, 15, 12, 0, 0, tzinfo=UTC)
END = datetime(2022, 10, 15, 12, 0, 4, tzinfo=UTC)


def run(state, run_id="one", day=15):
    logical = datetime(2022, 10, day, tzinfo=UTC)
    return Run("pinterest_batch", run_id, state, logical, START, START, END, {})


def task(task_id, state):
    return Task(task_id, -1, state, 1, START, END, 4.0)


class Api:
    """The few answers a wait needs."""

    url = "http://airflow"

    def __init__(self, states, tasks):
        self.states = list(states)
        self.found = tasks

    def run(self, dag_id, run_id):
        return run(self.states.pop(0))

    def tasks(self, dag_id, run_id):
        return self.found

    def log(self, *_):
        return ["connecting", "ERROR: there is no table pin"]

    def run_link(self, *_):
        return "http://airflow/run"

    def task_link(self, *_):
        return "http://airflow/task"


def test_days_are_both_included():
    assert runs.days("2022-10-15", "2022-10-17") == (date(2022, 10, 15), date(2022, 10, 17))
    assert (
        runs.window_text(date(2022, 10, 15), date(2022, 10, 17))
        == "[2022-10-15T00:00:00Z, 2022-10-18T00:00:00Z)"
    )


@pytest.mark.parametrize(
    ("first", "last"), [("", ""), ("2022-02-30", "2022-03-01"), ("2022-10-17", "2022-10-15")]
)
def test_wrong_days_are_refused_with_the_repair(first, last):
    with pytest.raises(StackError, match="Repair: give"):
        runs.days(first, last)


def test_each_ended_task_is_said_once(monkeypatch):
    monkeypatch.setattr(runs, "POLL_SECONDS", 0)
    said = []
    api = Api(["running", "running", "success"], [task("clean.pin", "success"), task("audit", "running")])
    runs.follow(api, run("queued"), said.append)
    assert [line.split() for line in said[:-1]] == [["12:00:04", "success", "4.0", "s", "clean.pin"]]
    assert said[-1] == "pinterest_batch one: success after 4.0 s"


def test_a_failed_run_names_task_log_and_link():
    api = Api(["failed"], [task("clean.pin", "failed"), task("audit", "upstream_failed")])
    with pytest.raises(StackError, match=r"(?s)Task clean.pin of .* no table pin.*http://airflow/task"):
        runs.follow(api, run("running"), lambda _: None)


def test_an_unknown_reprocess_is_refused():
    with pytest.raises(
        StackError, match=r"REPROCESS=all is unknown\. Repair: choose from none, failed, completed"
    ):
        runs.backfill(None, "2022-10-15", "2022-10-15", reprocess="all")


class Backfills:
    """A DAG whose last backfill is not closed for a while."""

    def __init__(self, refusals, active):
        self.refusals = refusals
        self.active = active

    def create_backfill(self, dag_id, first, last, **options):
        if self.refusals:
            self.refusals -= 1
            raise BackfillActiveError("active")
        return Backfill(2, dag_id, False)

    def runs(self, dag_id, **filters):
        return self.active


SPAN = (date(2022, 10, 15), date(2022, 10, 15))


def test_an_ended_backfill_that_is_not_closed_yet_is_waited_for(monkeypatch):
    monkeypatch.setattr(runs, "POLL_SECONDS", 0)
    said = []
    assert runs._create_backfill(Backfills(3, []), SPAN, {}, said.append).id == 2
    assert said == ["waiting for Airflow to close the last backfill"]


def test_a_backfill_that_still_runs_is_not_waited_for():
    with pytest.raises(BackfillActiveError):
        runs._create_backfill(Backfills(3, [run("running")]), SPAN, {}, lambda _: None)
