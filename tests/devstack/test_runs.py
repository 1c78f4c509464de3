from datetime import UTC, date, datetime

import pytest

from devstack import runs
from devstack.airflow_api import Run, Task
from devstack.errors import StackError

START = datetime(2022, 10, 15, 12, 0, 0, tzinfo=UTC)
END = datetime(2022, 10, 15, 12, 0, 4, tzinfo=UTC)


def run(state, run_id="one", day=15):
    logical = datetime(2022, 10, day, tzinfo=UTC)
    return Run("pinterest_batch", run_id, state, logical, START, START, END, {})


def task(task_id, state):
    return Task("one", task_id, -1, state, 1, START, END, 4.0)


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


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (
            "2017-10-19",
            "2017-10-25",
            r"FROM=2017-10-19 lies before 2017-10-20, .* Repair: give FROM=2017-10-20",
        ),
        (
            "2022-10-14",
            "2022-10-16",
            r"TO=2022-10-16: that UTC day is not over .* Repair: give TO=2022-10-15",
        ),
        (
            "2023-01-01",
            "2023-01-02",
            r"TO=2023-01-02: that UTC day is not over .* Repair: give TO=2022-10-15",
        ),
    ],
)
def test_days_before_the_first_or_not_over_are_refused(first, last, words):
    with pytest.raises(StackError, match=words):
        runs._check_span(
            runs.days(first, last), date(2017, 10, 20), datetime(2022, 10, 16, 23, 59, tzinfo=UTC)
        )


def test_the_first_day_and_yesterday_are_accepted():
    now = datetime(2022, 10, 16, tzinfo=UTC)
    runs._check_span((date(2017, 10, 20), date(2022, 10, 15)), date(2017, 10, 20), now)


def test_who_interrupts_a_load_reads_where_it_goes_on():
    said = []
    with pytest.raises(KeyboardInterrupt):
        runs.run_and_wait(Triggered(), "pinterest_batch", "one", {}, said.append)
    assert said[-1] == (
        "\nrun one of pinterest_batch goes on in Airflow: look at it at http://airflow/run, "
        "and mark it there as failed to end it."
    )


class Triggered(Api):
    """A run whose wait is interrupted."""

    def __init__(self):
        super().__init__([], [])

    def wait_for_dag(self, dag_id):
        pass

    unpause = wait_for_dag

    def trigger(self, dag_id, run_id, conf):
        return run("queued")

    def run(self, dag_id, run_id):
        raise KeyboardInterrupt
