"""A backfill of many days: said beforehand, followed with few questions, and patience while Airflow makes it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from devstack import runs
from devstack.airflow_api import AirflowApi, Backfill, BackfillActiveError, Run, Task
from devstack.config import Settings
from devstack.errors import StackError

NOW = datetime(2022, 10, 15, tzinfo=UTC)
EDGES = {"wait": ["clean.pin", "clean.geo"], "clean.pin": ["audit"], "clean.geo": ["audit"], "audit": []}
MADE = Backfill(7, "pinterest_batch", date(2022, 10, 15), date(2022, 10, 17), paused=False, completed=False)


def day(number):
    return date(2022, 10, number)


def run(number, state, hour=0):
    logical, start = datetime(2022, 10, number, hour, tzinfo=UTC), datetime.now(UTC)
    end = start + timedelta(seconds=4) if state in ("success", "failed") else None
    return Run("pinterest_batch", f"run {number}", state, logical, start, start, end, {})


class Airflow:
    """The answers of an Airflow in which the days of a backfill end one after the other."""

    url = "http://airflow"

    def __init__(self, due=(15, 16, 17), *, ends="success", before=(), active=()):
        self.due = [day(number) for number in due]
        self.ends, self.before = ends, list(before)
        self.active = [list(each) for each in active]
        self.options, self.asked, self.made, self.cancelled = None, 0, False, False

    def wait_for_dag(self, dag_id):
        pass

    unpause = wait_for_dag
    backfills_link, active_text = AirflowApi.backfills_link, AirflowApi.active_text

    def start_date(self, dag_id):
        return date(2017, 10, 20)

    def edges(self, dag_id):
        return EDGES

    def active_backfills(self, dag_id):
        return self.active.pop(0) if self.active else []

    def days_to_run(self, dag_id, first, last, **options):
        self.options = options
        return self.due

    def create_backfill(self, dag_id, first, last, **options):
        assert options == self.options
        self.made = True
        return MADE

    def backfill(self, number):
        return replace(MADE, paused=self.cancelled, completed=self.cancelled)

    def runs(self, dag_id, **filters):
        if not self.made:
            return self.before
        return self.backfill_runs()

    def backfill_runs(self):
        self.asked += 1
        states = ["queued"] * len(self.due) + ["running"] + [self.ends] * 9
        turn = len(self.due) + self.asked - 1
        return [run(each.day, states[turn - number]) for number, each in enumerate(self.due)]

    def changed_tasks(self, dag_id, since, **filters):
        start = datetime.now(UTC)
        end = start + timedelta(seconds=2)
        at_work = [each.day for each in self.due][: self.asked]
        return [
            Task(f"run {number}", task, -1, self.ends if task == "audit" else "success", 1, start, end, 2.0)
            for number in at_work
            for task in EDGES
        ]

    def tasks(self, dag_id, run_id):
        return []

    def run_link(self, dag_id, run_id):
        return "http://airflow/run"


@pytest.fixture
def said(monkeypatch):
    monkeypatch.setattr(runs, "POLL_SECONDS", 0)
    return []


def start(monkeypatch, airflow, said, first="2022-10-15", last="2022-10-17", **options):
    monkeypatch.setattr(runs, "AirflowApi", lambda url: airflow)
    return runs.backfill(Settings(), first, last, say=said.append, **options)


def test_each_stage_and_each_day_is_said_as_it_ends_and_the_rate_last(monkeypatch, said):
    found = start(monkeypatch, Airflow(), said)
    assert [each.state for each in found] == ["success"] * 3
    assert said[:2] == [
        (
            "backfill over [2022-10-15T00:00:00Z, 2022-10-18T00:00:00Z), reprocess none: "
            "3 daily run(s) of pinterest_batch, 2022-10-15 to 2022-10-17"
        ),
        "backfill 7: http://airflow/dags/pinterest_batch/backfills",
    ]
    lines = [line.split() for line in said[2:-1]]
    for number in (15, 16, 17):
        of_day = [words[1:] for words in lines if words[0] == f"2022-10-{number}"]
        assert [words[0] for words in of_day] == ["wait", "clean", "audit", "whole"]
        assert all(words[1:] == ["success", "2.0", "s"] for words in of_day[:3])
        assert of_day[3] == ["whole", "run", "success", "4.0", "s", f"({number - 14}/3)"]
    assert said[-1].startswith("backfill 7: 3 window(s) in ")
    assert said[-1].endswith(" windows per minute")


@pytest.mark.parametrize("reprocess", ["none", "failed", "completed"])
@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_to_run_again_and_the_direction_reach_airflow(monkeypatch, said, reprocess, backwards):
    airflow = Airflow()
    start(monkeypatch, airflow, said, reprocess=reprocess, run_backwards=backwards)
    expected = {"reprocess_behavior": reprocess, "run_backwards": backwards, "max_active_runs": 3}
    assert airflow.options == expected


def test_days_that_will_not_run_are_named_with_the_reason(monkeypatch, said):
    before = [
        run(13, "success"),
        run(14, "success"),
        run(16, "failed"),
        run(17, "running"),
        run(15, "failed", 13),
    ]
    start(monkeypatch, Airflow((15,), before=before), said, first="2022-10-13")
    assert said[1:4] == [
        "  not again: 2022-10-16 (failed; REPROCESS=failed or completed runs it again)",
        "  not again: 2022-10-17 (running; give the day again when its run has ended)",
        "  not again: 2022-10-13 to 2022-10-14 (success; REPROCESS=completed runs finished days again)",
    ]


def test_when_every_day_has_run_no_backfill_is_made(monkeypatch, said):
    airflow = Airflow((), before=[run(15, "success")])
    assert start(monkeypatch, airflow, said, last="2022-10-15") == []
    assert not airflow.made
    assert said[0].endswith(": 0 daily run(s) of pinterest_batch")
    assert "REPROCESS=completed" in said[1]


def test_a_day_before_the_first_one_makes_nothing(monkeypatch, said):
    airflow = Airflow()
    with pytest.raises(StackError, match="FROM=2017-10-01 lies before 2017-10-20"):
        start(monkeypatch, airflow, said, first="2017-10-01")
    assert not airflow.made


def test_a_failed_day_is_shown_and_named(monkeypatch, said):
    with pytest.raises(StackError, match="Backfill 7 failed for 2022-10-15 to 2022-10-17"):
        start(monkeypatch, Airflow(ends="failed"), said)
    assert any(line.split()[:3] == ["2022-10-16", "audit", "failed"] for line in said)


def test_a_cancelled_backfill_says_so_and_how_its_days_run_again(monkeypatch, said):
    airflow = Airflow(ends="failed")
    airflow.cancelled = True
    with pytest.raises(StackError, match=r"Backfill 7 was cancelled and failed for .* with REPROCESS=failed"):
        start(monkeypatch, airflow, said)


def test_a_backfill_that_runs_is_named_and_not_waited_for(monkeypatch, said):
    airflow = Airflow(active=[[MADE]], before=[run(15, "running")])
    with pytest.raises(
        BackfillActiveError, match=r"number 7 \(2022-10-15 to 2022-10-17\), http://airflow/dags/"
    ):
        start(monkeypatch, airflow, said)
    assert not airflow.made


def test_an_ended_backfill_that_is_not_closed_yet_is_waited_for(monkeypatch, said):
    start(monkeypatch, Airflow(active=[[MADE]] * 3), said)
    assert said[0] == "waiting for Airflow to close the last backfill"
    assert sum(line.startswith("waiting") for line in said) == 1


def test_who_interrupts_reads_where_the_backfill_goes_on_and_how_it_is_cancelled(monkeypatch, said):
    class Interrupted(Airflow):
        def backfill_runs(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(monkeypatch, Interrupted(), said)
    assert said[-1] == (
        "\nbackfill 7 goes on in Airflow: look at it at http://airflow/dags/pinterest_batch/backfills; "
        "*Cancel backfill* there ends it."
    )


@pytest.mark.parametrize(("last", "seconds"), [(date(2022, 1, 1), 30.5), (date(2026, 12, 27), 941)])
def test_creating_a_backfill_may_take_as_long_as_it_has_days(last, seconds):
    patience = {}

    def answer(request):
        patience[request.url.path] = request.extensions["timeout"]["read"]
        body = {
            "access_token": "t", "id": 1, "dag_id": "pinterest_batch", "completed_at": None, "is_paused": False,
            "from_date": "2022-01-01T00:00:00Z", "to_date": "2022-01-01T00:00:00Z",
        }  # fmt: skip
        return httpx.Response(201, json=body)

    api = AirflowApi("http://airflow")
    api._http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(answer), timeout=30)
    api.create_backfill("pinterest_batch", date(2022, 1, 1), last)
    assert patience == {"/auth/token": 30, "/api/v2/backfills": seconds}


@pytest.mark.parametrize(("count", "pause"), [(1, 1.0), (1822, 19.0)])
def test_a_long_backfill_is_looked_at_less_often(monkeypatch, count, pause):
    class Api(Airflow):
        def runs(self, dag_id, **filters):
            self.asked += 1
            state = "running" if self.asked == 1 else "success"
            return [Run(dag_id, str(number), state, NOW, NOW, NOW, NOW, {}) for number in range(count)]

        def changed_tasks(self, dag_id, since, **filters):
            return []

    pauses = []
    monkeypatch.setattr(runs.time, "sleep", pauses.append)
    runs._await_backfill(Api(), MADE, [NOW.date()], NOW, lambda _: None)
    assert pauses == [pause]
