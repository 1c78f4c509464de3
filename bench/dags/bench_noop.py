"""As many tasks with the same edges and imports as `pinterest_batch`, none of which does anything."""

from typing import Any

import pinterest_batch
from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk import DAG
from airflow.sdk.definitions._internal.contextmanager import DagContext


class Noop(BaseOperator):
    """Does nothing, on a worker."""

    def execute(self, context: Any) -> None:
        """Do nothing."""


def edges() -> dict[str, set[str]]:
    """Return the tasks of the model with those downstream of each."""
    model = pinterest_batch.wait_for_posts.dag
    # the import has registered the model for this file, too; its own file delivers it
    DagContext.autoregistered_dags = {pair for pair in DagContext.autoregistered_dags if pair[0] is not model}
    return {task.task_id: set(task.downstream_task_ids) for task in model.tasks}


with DAG(dag_id="bench_noop", schedule=None, start_date=None, catchup=False, tags=["bench"]):
    found = edges()
    tasks = {task_id: Noop(task_id=task_id) for task_id in found}
    for task_id, downstream in found.items():
        for other in downstream:
            tasks[task_id] >> tasks[other]
