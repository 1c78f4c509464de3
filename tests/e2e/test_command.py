"""`make backfill` against the real Airflow: said beforehand, followed by stages, one at a time."""

import threading
import time
from urllib.parse import quote

import pytest

from devstack import runs
from devstack.airflow_api import BackfillActiveError
from devstack.errors import StackError
from tests.e2e.conftest import BATCH, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.long]
FIRST, LAST = "2022-12-18", "2022-12-19"


class Command(threading.Thread):
    """A backfill that runs while the test goes on."""

    def __init__(self, stack: Stack, **options: str) -> None:
        super().__init__(daemon=True)
        self.stack, self.options = stack, options
        self.said: list[str] = []
        self.errors: list[Exception] = []

    def run(self) -> None:
        try:
            runs.backfill(self.stack.settings, FIRST, LAST, say=self.said.append, **self.options)
        except StackError as error:
            self.errors.append(error)

    def await_made(self) -> None:
        ends = time.monotonic() + 180
        while not any(line.startswith("backfill ") and "/backfills" in line for line in self.said):
            assert self.is_alive(), self.errors
            assert time.monotonic() < ends, self.said
            time.sleep(0.2)


def test_a_backfill_is_followed_by_stages_and_a_second_one_is_sent_to_it(stack: Stack) -> None:
    command = Command(stack, reprocess="completed")
    command.start()
    command.await_made()
    with pytest.raises(
        BackfillActiveError, match=rf"number \d+ \({FIRST} to {LAST}\), http.*/backfills\. Repair:"
    ):
        runs.backfill(stack.settings, "2022-12-01", "2022-12-02", say=lambda _: None)
    command.join(600)
    assert not command.errors
    assert command.said[0].endswith(f"reprocess completed: 2 daily run(s) of {BATCH}, {FIRST} to {LAST}")
    lines = [line.split() for line in command.said]
    for day in (FIRST, LAST):
        stages = [words[1] for words in lines if words[0] == day and words[2] == "success"]
        for stage in ("wait", "select", "emulate", "land", "clean", "audit", "publish"):
            assert stage in stages, command.said
    answered = [words[0] for words in lines if words[1:3] == ["analytics", "success"]]
    assert answered, command.said
    # a day that was published while the other one was leaves its answers to it
    left = [words[0] for words in lines if words[1:3] == ["analytics", "skipped"]]
    assert sorted([*answered, *left]) == [FIRST, LAST], command.said
    assert sum("whole run" in line for line in command.said) == 2
    assert command.said[-1].endswith("windows per minute")
    stack.assert_ledger_holds(FIRST, "2022-12-20")


def test_days_that_have_run_are_named_and_only_failed_ones_run_again(stack: Stack) -> None:
    stack.await_no_backfill()
    said: list[str] = []
    assert runs.backfill(stack.settings, FIRST, LAST, say=said.append) == []
    assert f"  not again: {FIRST} to {LAST} (success; REPROCESS=completed runs finished days again)" in said
    (run,) = stack.api.runs(
        BATCH, logical_date_gte=f"{LAST}T00:00:00Z", logical_date_lte=f"{LAST}T00:00:00Z", run_type="backfill"
    )
    stack.api._call("PATCH", f"/dags/{BATCH}/dagRuns/{quote(run.run_id)}", json={"state": "failed"})
    (again,) = runs.backfill(stack.settings, FIRST, LAST, reprocess="failed", say=said.append)
    assert again.run_id == run.run_id
    assert said[-1].startswith("backfill ")
    stack.assert_ledger_holds(FIRST, "2022-12-20")


def test_days_before_the_first_and_days_not_over_make_no_run(stack: Stack) -> None:
    for first, last, words in (
        ("2017-10-19", "2017-10-20", "lies before 2017-10-20"),
        ("2022-12-01", "2099-01-01", "is not over"),
    ):
        with pytest.raises(StackError, match=words):
            runs.backfill(stack.settings, first, last, say=lambda _: None)
    assert not stack.api.runs(BATCH, logical_date_lte="2017-10-20T00:00:00Z")
