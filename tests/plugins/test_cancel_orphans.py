"""Which Databricks runs are nobody's any more."""

import json
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.operators.cancel_orphans import CancelOrphansOperator, orphaned, runs_code
from pinflow.run_name import RunName

NAME = RunName("pinterest_batch", "clean.pin", "scheduled__2022-10-15T00:00:00+00:00", 2, str(uuid.uuid4()))
CODE = "s3://user-12e834567890-bucket/code/"


class TaskInstance:
    """As much of the asking task as the operator touches: Airflow's answers."""

    def __init__(self, state: str | None = "absent", attached: int | None = 7, task: str = NAME.task) -> None:
        self.states = {} if state == "absent" else {NAME.run_id: {task: state}}
        self.attached = attached
        self.asked: list[Any] = []

    def get_task_states(self, dag_id: str, **which: Any) -> dict[str, Any]:
        self.asked.append((dag_id, which))
        return self.states

    def xcom_pull(self, **which: Any) -> int | None:
        self.asked.append(which)
        return self.attached


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "upstream_failed", "removed"])
def test_a_run_whose_task_is_over_is_an_orphan(state: str) -> None:
    assert orphaned(NAME, 7, TaskInstance(state)) == f"its task is {state}"


@pytest.mark.parametrize(
    "state",
    ["running", "deferred", "queued", "scheduled", "restarting", "up_for_retry", "up_for_reschedule", None],
)
def test_a_run_whose_task_works_waits_or_is_to_be_tried_again_is_left_alone(state: str | None) -> None:
    assert orphaned(NAME, 7, TaskInstance(state)) is None


def test_a_run_of_a_dag_run_that_was_deleted_is_an_orphan() -> None:
    ti = TaskInstance()
    assert orphaned(NAME, 7, ti) == "its DAG run or task is gone"
    assert ti.asked == [("pinterest_batch", {"task_ids": ["clean.pin"], "run_ids": [NAME.run_id]})]


@pytest.mark.parametrize("state", ["running", "deferred"])
def test_a_run_of_an_earlier_try_is_an_orphan_when_its_task_waits_for_another(state: str) -> None:
    assert orphaned(NAME, 7, TaskInstance(state, attached=8)) == "its task waits for run 8"
    assert orphaned(NAME, 7, TaskInstance(state, attached=None)) is None


def test_a_run_of_a_task_to_be_tried_again_stays_also_when_another_was_attached_before() -> None:
    assert orphaned(NAME, 7, TaskInstance("up_for_retry", attached=8)) is None


def test_a_mapped_task_is_asked_for_by_its_index() -> None:
    mapped = RunName(NAME.dag_id, "clean", NAME.run_id, 1, NAME.ti_id, 0)
    ti = TaskInstance("running", task="clean_0")
    assert orphaned(mapped, 7, ti) is None
    assert ti.asked[-1]["map_indexes"] == 0
    assert orphaned(mapped, 7, TaskInstance("running", task="clean")) == "its DAG run or task is gone"


def test_only_runs_of_this_environments_code_are_looked_at() -> None:
    def run(*files: str) -> dict[str, Any]:
        return {"tasks": [{"spark_python_task": {"python_file": file}} for file in files]}

    assert runs_code(run(f"{CODE}abc/jobs/clean.py"), CODE)
    assert not runs_code(run("s3://another-bucket/code/abc/jobs/clean.py"), CODE)
    assert not runs_code(run(f"{CODE}abc/jobs/clean.py", "s3://x/y.py"), CODE)
    assert not runs_code({"tasks": [{"notebook_task": {}}]}, CODE)
    assert not runs_code({}, CODE)


def test_orphans_are_cancelled_and_returned_with_their_reason(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(run_id: int, name: str, code: str = CODE) -> dict[str, Any]:
        task = {"spark_python_task": {"python_file": f"{code}x/jobs/clean.py"}}
        return {"run_id": run_id, "run_name": name, "tasks": [task]}

    listed = [run(7, str(NAME)), run(8, "nightly job"), run(9, str(NAME), "s3://another/code/")]
    cancelled: list[int] = []
    conn = {"conn_type": "databricks", "host": "h", "password": "t"}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", json.dumps(conn))
    monkeypatch.setattr(PinterestDatabricksHook, "active_runs", lambda _: iter(listed))
    monkeypatch.setattr(PinterestDatabricksHook, "cancel_run", lambda _, run_id: cancelled.append(run_id))
    context: Any = {"ti": TaskInstance("failed")}
    assert CancelOrphansOperator(task_id="cancel_orphans").execute(context) == [
        {"run_id": 7, "run_name": str(NAME), "reason": "its task is failed"}
    ]
    assert cancelled == [7]


@pytest.mark.parametrize(
    "ti",
    [
        SimpleNamespace(
            dag_id="pinterest_batch", task_id="clean.pin", run_id="manual__2022-10-15T01:02:03.4+00:00",
            try_number=12, map_index=-1, id=uuid.uuid4(),
        ),
        SimpleNamespace(
            dag_id="d-1", task_id="a.b.c", run_id="e2e try 1".replace(" ", "~"), try_number=1, map_index=0,
            id=uuid.uuid4(),
        ),
        SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1, map_index=None, id=uuid.uuid4()),
    ],
    ids=["group", "mapped", "unmapped"],
)  # fmt: skip
def test_the_name_of_a_run_is_read_back_as_it_was_written(ti: Any) -> None:
    name = RunName.of(ti)
    assert RunName.parse(str(name)) == name
    assert (name.dag_id, name.task_id, name.run_id, name.ti_id) == (
        ti.dag_id,
        ti.task_id,
        ti.run_id,
        str(ti.id),
    )


@pytest.mark.parametrize("text", ["", "nightly job", "dag.task run try 1", "dag.task run try x (1)", "a b"])
def test_other_names_are_not_taken_for_ours(text: str) -> None:
    assert RunName.parse(text) is None
