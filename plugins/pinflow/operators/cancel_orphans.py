"""Cancel Databricks runs that no task waits for any more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.run_name import RunName
from pinflow.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

# a task in any other state (also none: cleared, to be scheduled) has or gets a try, which attaches to its run
ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}
_AT_WORK = {"running", "deferred"}
_ABSENT = "absent"


class CancelOrphansOperator(BaseOperator):
    """Cancel active runs of this environment's code whose task is over, gone, or attached to another run.

    Returns the cancelled runs with the reason. Raises WorkspaceError.
    """

    template_fields: Sequence[str] = ()

    def execute(self, context: "Context") -> list[dict[str, Any]]:
        """List, ask Airflow about each, cancel."""
        hook, code = PinterestDatabricksHook(), f"{load_settings().code}/"
        orphans = []
        for run in hook.active_runs():
            name = RunName.parse(run.get("run_name", ""))
            # another environment's Airflow may use the same workspace: its tasks are not known here
            if name is None or not runs_code(run, code):
                continue
            reason = orphaned(name, run["run_id"], context["ti"])
            if reason:
                self.log.warning("Cancelling Databricks run %s, `%s`: %s", run["run_id"], name, reason)
                hook.cancel_run(run["run_id"])
                orphans.append({"run_id": run["run_id"], "run_name": str(name), "reason": reason})
        self.log.info("%d runs cancelled", len(orphans))
        return orphans


def runs_code(run: dict[str, Any], code: str) -> bool:
    """Tell whether a run's jobs lie below a folder."""
    files = [task.get("spark_python_task", {}).get("python_file", "") for task in run.get("tasks", ())]
    return bool(files) and all(file.startswith(code) for file in files)


def orphaned(name: RunName, run_id: int, ti: Any) -> str | None:
    """Say why no task waits for a run; None when one does, or will when it is tried again."""
    states = ti.get_task_states(name.dag_id, task_ids=[name.task_id], run_ids=[name.run_id])
    state = states.get(name.run_id, {}).get(name.task, _ABSENT)
    if state == _ABSENT:
        return "its DAG run or task is gone"
    if state in ENDED:
        return f"its task is {state}"
    if state not in _AT_WORK:
        return None
    attached = ti.xcom_pull(
        task_ids=name.task_id,
        dag_id=name.dag_id,
        run_id=name.run_id,
        map_indexes=name.map_index,
        key="run_id",
    )
    return f"its task waits for run {attached}" if attached not in (None, run_id) else None
