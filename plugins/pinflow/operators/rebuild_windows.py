"""Rebuild stale days: decide which, then run the batch layer over them and wait without a worker slot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from pinflow.errors import RebuildError

if TYPE_CHECKING:
    from airflow.sdk import Context

BATCH = "pinterest_batch"


class PlanRebuildOperator(BaseOperator):
    """Return the windows to rebuild, as `window_start` and `window_end`; none unless the run was told to.

    :param found: what the reconcile job returned (templated).

    Raises RebuildError when the batch layer is paused: its runs would wait for ever.
    """

    template_fields: Sequence[str] = ("found",)

    def __init__(self, *, found: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.found = found

    def execute(self, context: "Context") -> list[dict[str, str]]:
        """Look at the param, then at what was found."""
        windows: list[dict[str, str]] = self.found["windows"]
        if not context["params"]["rebuild"]:
            self.log.info("%d windows are stale; the param `rebuild` is off: nothing to do", len(windows))
            return []
        if windows and context["ti"].get_dag(BATCH).is_paused:
            raise RebuildError(
                f"{BATCH} is paused, and {len(windows)} windows are to be rebuilt by it.",
                f"unpause {BATCH}, then clear this task.",
            )
        self.log.info("To rebuild: %s", windows)
        return windows


class RebuildWindowOperator(TriggerDagRunOperator):
    """Run the batch layer over one window and wait for its end; each try makes a run of its own.

    :param conf: `window_start` and `window_end`, the end excluded (templated).

    Raises RebuildError when that run fails.
    """

    def __init__(self, **kwargs: Any) -> None:
        fixed = {
            "trigger_dag_id": BATCH,
            "trigger_run_id": "rebuild__{{ ti.id }}",
            "logical_date": None,
            "wait_for_completion": True,
            "deferrable": True,
        }
        super().__init__(**{**fixed, **kwargs})

    def execute_complete(self, context: "Context", event: tuple[str, dict[str, Any]]) -> None:
        """Come back from the trigger."""
        try:
            super().execute_complete(context, event)
        except AirflowException as error:
            raise RebuildError(
                f"The rebuild of {self.conf} failed: {error}.",
                "read the log of that run's failed task; after the repair clear this task for a new run.",
            ) from error
