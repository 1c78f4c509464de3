"""Which of several runs that publish at the same time rebuilds the answers."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import DAG

from pinflow.operators import claim_answers
from pinflow.operators.claim_answers import ClaimAnswersOperator

Looks = list[set[str]]


class TaskInstance:
    """As much of the task as the operator touches: Airflow's counts, one set of tasks at work a look."""

    def __init__(self, runs: int, looks: Looks) -> None:
        self.runs = runs
        self.looks = looks
        self.seen = 0

    def get_dr_count(self, dag_id: str, states: list[str]) -> int:
        assert (dag_id, states) == ("pinterest_batch", ["running"])
        return self.runs

    def get_ti_count(self, dag_id: str, task_ids: list[str], states: list[str]) -> int:
        assert "up_for_retry" not in states, "a run that waits for its next try may wait for long"
        look = self.looks[min(self.seen, len(self.looks) - 1)]
        self.seen += "audit" in task_ids
        return len(look & set(task_ids))


def claim(monkeypatch: pytest.MonkeyPatch, looks: Looks, kind: str = "backfill", runs: int = 3) -> int:
    """Run the operator; give how often it looked at the tasks before publish."""
    monkeypatch.setattr(claim_answers, "_POLL", 0.001)
    with DAG("pinterest_batch", schedule=None):
        operator = ClaimAnswersOperator(task_id="claim", publish="publish", before=["clean.pin", "audit"])
    ti = TaskInstance(runs, looks)
    context: Any = {"ti": ti, "dag_run": SimpleNamespace(run_type=kind)}
    operator.execute(context)
    return ti.seen


def test_a_window_leaves_its_answers_to_one_that_is_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowSkipException, match="for this one, too"):
        claim(monkeypatch, [{"publish", "clean.pin"}])


def test_a_window_that_is_nearly_there_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowSkipException):
        claim(monkeypatch, [{"clean.pin"}, set(), set(), {"audit"}, set(), {"publish"}])


def test_a_window_alone_rebuilds_the_answers_when_three_looks_saw_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert claim(monkeypatch, [{"audit"}, set(), {"audit"}, set()]) == 6


def test_a_window_that_others_keep_waiting_rebuilds_the_answers_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claim_answers, "_WAIT", 0.05)
    assert claim(monkeypatch, [{"clean.pin"}]) > 3


@pytest.mark.parametrize("kind", ["manual", "scheduled", "operator_triggered", "asset_triggered"])
def test_only_a_backfill_leaves_its_answers_to_others(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    assert claim(monkeypatch, [{"publish"}], kind) == 0


def test_the_only_run_at_work_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    assert claim(monkeypatch, [{"publish"}], runs=1) == 0
