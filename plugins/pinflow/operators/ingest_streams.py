"""Read the streams into the tables of the speed layer, unless a continuous reader is at it."""

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from pinflow.operators.cancel_orphans import runs_code
from pinflow.operators.spark_job import PinsparkRunOperator
from pinflow.run_name import RunName
from pinflow.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

JOB = "ingest.py"
TABLES = ["--user-id", "{{ user_id }}", "--silver", "{{ silver }}"]
CHECKPOINTS = ["--checkpoints", "s3://{{ bucket }}/checkpoints"]


class IngestStreamsOperator(PinsparkRunOperator):
    """Run the job ingest.py; a checkpoint has one writer, so that it skips while `beside` runs.

    :param until: moment until which the streams are read (templated, ISO 8601); None: up to now.
    :param rebuild: `true` begins new checkpoints, `again` goes on with what an earlier try began (templated).
    :param beside: DAG and task whose run reads the same streams continuously, as `dag_id.task_id`.

    Returns batches and records by table. Raises RemoteRunError with the run's page.
    """

    def __init__(
        self, *, until: str | None = None, rebuild: str = "false", beside: str | None = None, **kwargs: Any
    ) -> None:
        timed = [] if until is None else ["--until", until]
        arguments = [*TABLES, *CHECKPOINTS, *timed, "--rebuild", rebuild]
        super().__init__(**{"job": JOB, "arguments": arguments, **kwargs})
        self.beside = beside

    def execute(self, context: "Context") -> Any:
        """Look for the other reader, then run."""
        if self.beside and (other := self._other()):
            raise AirflowSkipException(
                f"Run {other} of {self.beside} reads the streams continuously, and these records too"
            )
        return super().execute(context)

    def _other(self) -> int | None:
        """Return the active run of the continuous reader."""
        code = f"{load_settings().code}/"
        for run in self._hook.active_runs():
            name = RunName.parse(run.get("run_name", ""))
            # another environment may have a reader of its own in the same workspace
            if name and f"{name.dag_id}.{name.task_id}" == self.beside and runs_code(run, code):
                return int(run["run_id"])
        return None
