"""Which windows are rebuilt, and what the run that rebuilds one is told."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DagRunTriggerException

from pinflow.errors import RebuildError
from pinflow.operators.rebuild_windows import PlanRebuildOperator, RebuildWindowOperator
from pinflow.window import PARAM_RUN_TYPES, Window, window_from_params

WINDOWS = [
    {"window_start": "2022-10-01", "window_end": "2022-10-03"},
    {"window_start": "2022-10-05", "window_end": "2022-10-06"},
]


def plan(windows: list[dict[str, str]], rebuild: bool, paused: bool = False) -> Any:
    ti = SimpleNamespace(get_dag=lambda dag_id: SimpleNamespace(dag_id=dag_id, is_paused=paused))
    context: Any = {"params": {"rebuild": rebuild}, "ti": ti}
    return PlanRebuildOperator(task_id="plan_rebuild", found={"windows": windows}).execute(context)


def test_nothing_is_rebuilt_unless_the_run_was_told_to() -> None:
    assert plan(WINDOWS, rebuild=False) == []
    assert plan(WINDOWS, rebuild=True) == WINDOWS
    assert plan([], rebuild=True, paused=True) == []


def test_a_paused_batch_layer_is_named_instead_of_waited_for() -> None:
    with pytest.raises(RebuildError, match=r"pinterest_batch is paused.*Repair: unpause .*#rebuild"):
        plan(WINDOWS, rebuild=True, paused=True)


def operator() -> RebuildWindowOperator:
    return RebuildWindowOperator(task_id="rebuild", conf=WINDOWS[0], poke_interval=5)


def test_a_window_is_one_run_of_the_batch_layer_that_is_waited_for_without_a_slot() -> None:
    task = operator()
    assert "trigger_run_id" in task.template_fields
    assert "ti.id" in str(task.trigger_run_id), "a run id of another try would be refused as used"
    with pytest.raises(DagRunTriggerException) as raised:
        task.execute({})
    told = raised.value
    assert (told.trigger_dag_id, told.conf, told.logical_date) == ("pinterest_batch", WINDOWS[0], None)
    assert told.wait_for_completion
    assert told.deferrable
    assert not told.reset_dag_run
    assert "operator_triggered" in PARAM_RUN_TYPES
    assert window_from_params(told.conf) == Window.parse(
        "2022-10-01T00:00:00+00:00", "2022-10-03T00:00:00+00:00"
    )


def ended(state: str) -> tuple[str, dict[str, Any]]:
    return "x.DagStateTrigger", {"run_ids": ["rebuild__1"], "rebuild__1": state}


def test_the_end_of_the_run_decides() -> None:
    operator().execute_complete({}, ended("success"))
    with pytest.raises(RebuildError, match=r"2022-10-01.*rebuild__1.*Repair: .*#rebuild"):
        operator().execute_complete({}, ended("failed"))
