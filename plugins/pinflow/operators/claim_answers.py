"""Of windows published one shortly after another let the last rebuild star and answers for all of them."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_AT_WORK = ["scheduled", "queued", "running", "deferred", "up_for_reschedule", "restarting"]
# A window that gets there in this time is waited for, in the worker slot (decision 0007)
_WAIT = 30.0
_POLL = 1.0
# Between two of its tasks a run at work has none at work; three looks in a row are believed.
_QUIET_LOOKS = 3


class ClaimAnswersOperator(BaseOperator):
    """Skip, and with it what follows, when another run is publishing: its answers will hold this window.

    Only a run of a backfill leaves its answers, and only to a run whose `publish` is at work: all that can
    refuse its data has passed, and what it builds is read after this window was published.

    :param publish: id of the task that publishes; a run beyond it answers for itself.
    :param before: ids of the tasks between the selection of posts and it.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e8e8e8"

    def __init__(self, *, publish: str, before: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.publish = publish
        self.before = list(before)

    def execute(self, context: "Context") -> None:
        """Look for other windows, wait a little for one that is nearly there."""
        ti, run = context["ti"], context["dag_run"]
        if run.run_type != "backfill" or ti.get_dr_count(self.dag_id, states=["running"]) < 2:
            return
        deadline, quiet = time.monotonic() + _WAIT, 0
        while quiet < _QUIET_LOOKS and time.monotonic() < deadline:
            if self._at_work(ti, [self.publish]):
                raise AirflowSkipException(
                    "Another window is being published: its run rebuilds star and answers for this one, too."
                )
            quiet = 0 if self._at_work(ti, self.before) else quiet + 1
            time.sleep(_POLL)
        self.log.info("No other window is about to be published; this run rebuilds star and answers")

    def _at_work(self, ti: Any, task_ids: list[str]) -> bool:
        count: int = ti.get_ti_count(self.dag_id, task_ids=task_ids, states=_AT_WORK)
        return count > 0
