"""Submit one of our Spark jobs to Databricks, exactly once per try that needs it."""

import hashlib
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator

from pinflow.defaults import TASK_TIMEOUT
from pinflow.errors import RemoteRunError
from pinflow.hooks.databricks import CONNECTION
from pinflow.operators.on_databricks import OnDatabricks
from pinflow.run_name import RunName
from pinflow.settings import Compute, Settings, load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

_ENVIRONMENT = "pinspark"
_TERMINAL = {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}
_MOST_TRIES = 200
RESULT = "RESULT "
# A short run ends while the task waits; a longer one defers. (Airflow takes a deferral for a failure when its
# trigger fires before the worker has reported it.)
_WAIT = 20.0


def token(dag_id: str, run_id: str, task_id: str, k: int) -> str:
    """Idempotency token of the k-th run a task needs, 64 hex digits."""
    return hashlib.sha256(json.dumps([dag_id, run_id, task_id, k]).encode()).hexdigest()


def compute_of(
    compute: Compute, wheel: str, packages: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parts of a submit body that say where a task runs: (of the task, of the run)."""
    if compute.kind == "serverless":
        spec = {"environment_version": compute.environment_version, "dependencies": [wheel, *packages]}
        return {"environment_key": _ENVIRONMENT}, {
            "environments": [{"environment_key": _ENVIRONMENT, "spec": spec}]
        }
    library = {"libraries": [{"whl": wheel}, *({"pypi": {"package": name}} for name in packages)]}
    if compute.kind == "existing_cluster":
        return {"existing_cluster_id": compute.existing_cluster_id, **library}, {}
    return {"new_cluster": compute.new_cluster, **library}, {}


class PinsparkRunOperator(OnDatabricks, DatabricksSubmitRunOperator):
    """Run include/spark/jobs/<job> as a Databricks run; deferrable, re-attaching, cancelled when killed.

    :param job: file name below jobs/.
    :param arguments: command-line arguments of the job (templated); `{{ stage }}`, `{{ silver }}`,
        `{{ gold }}`, `{{ ops }}` and `{{ bucket }}` are the settings' names.
    :param code: what UploadSparkCodeOperator returned (templated).

    A subclass names in `packages` what its job needs beyond pinspark. Returns the object the job printed last
    behind `RESULT `. Raises RemoteRunError with the run's page.
    """

    template_fields: Sequence[str] = ("job", "arguments", "code")
    template_ext: Sequence[str] = ()
    packages: Sequence[str] = ()

    def __init__(self, *, job: str, arguments: list[str], code: Any, **kwargs: Any) -> None:
        super().__init__(**{"databricks_conn_id": CONNECTION, "deferrable": True, **kwargs})
        self.job = job
        self.arguments = arguments
        self.code = code

    def execute(self, context: "Context") -> Any:
        """Find or submit the run of this try, wait a little, then defer until it ends."""
        settings = load_settings()
        self.polling_period_seconds = settings.poll_seconds
        self.run_id, page, state = self._attach(self._body(settings, context), context)
        ti = context["ti"]
        ti.xcom_push(key="run_id", value=self.run_id)
        ti.xcom_push(key="run_page_url", value=page)
        self.log.info("Databricks run %s: %s", self.run_id, page)
        if state not in _TERMINAL and not self._ends_soon(self.run_id):
            self._defer(page)
        return self._finish(self.run_id, page)

    def execute_complete(self, context: dict[str, Any] | None, event: dict[str, Any]) -> Any:
        """Come back from the trigger."""
        del context
        self.run_id = event["run_id"]
        return self._finish(event["run_id"], event["run_page_url"])

    def _body(self, settings: Settings, context: "Context") -> dict[str, Any]:
        of_task, of_run = compute_of(settings.compute, self.code["wheel"], self.packages)
        timeout = self.execution_timeout or TASK_TIMEOUT
        seconds = int(timeout / timedelta(seconds=1))
        return {
            "run_name": str(RunName.of(context["ti"])),
            "timeout_seconds": seconds,
            "tasks": [
                {
                    "task_key": self.job.removesuffix(".py"),
                    "spark_python_task": {
                        "python_file": f"{self.code['jobs']}/{self.job}",
                        "parameters": list(self.arguments),
                    },
                    **of_task,
                }
            ],
            **of_run,
        }

    def _attach(self, body: dict[str, Any], context: "Context") -> tuple[int, str, str]:
        ti = context["ti"]
        task_id = ti.task_id if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
        for k in range(_MOST_TRIES):
            key = token(ti.dag_id, ti.run_id, task_id, k)
            run_id = self._hook.submit_run({**body, "idempotency_token": key})
            run = self._settled(run_id)
            state = run["state"]["life_cycle_state"]
            if state not in _TERMINAL or run["run_name"] == body["run_name"]:
                if run["run_name"] != body["run_name"]:
                    self.log.info(
                        "Attaching to run %s, which an earlier try submitted and which is alive", run_id
                    )
                return run_id, run["run_page_url"], state
        raise RemoteRunError(
            f"{ti.task_id} was tried over {_MOST_TRIES} times in run {ti.run_id}.",
            "delete this DAG run and run its date again.",
        )

    def _settled(self, run_id: int) -> dict[str, Any]:
        while True:
            run: dict[str, Any] = self._hook.get_run(run_id)
            if run["state"]["life_cycle_state"] != "TERMINATING":
                return run
            time.sleep(self.polling_period_seconds)

    def _ends_soon(self, run_id: int) -> bool:
        """Look at a run for a short while; tell whether it has ended."""
        deadline = time.monotonic() + _WAIT
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(self.polling_period_seconds, left))
            if self._hook.get_run(run_id)["state"]["life_cycle_state"] in _TERMINAL:
                return True
        return False

    def _defer(self, page: str) -> None:
        from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

        self.defer(
            trigger=DatabricksExecutionTrigger(
                run_id=self.run_id,
                databricks_conn_id=self.databricks_conn_id,
                polling_period_seconds=self.polling_period_seconds,
                retry_limit=self.databricks_retry_limit,
                retry_delay=self.databricks_retry_delay,
                run_page_url=page,
            ),
            method_name="execute_complete",
        )

    def _finish(self, run_id: int, page: str) -> Any:
        run = self._hook.get_run(run_id)
        output = self._hook.get_run_output(run["tasks"][0]["run_id"])
        lines = (output.get("logs") or "").splitlines()
        for line in lines:
            self.log.info("%s", line)
        state = run["state"]
        if state.get("result_state") != "SUCCESS":
            reason = output.get("error") or state.get("state_message") or "no message"
            ended = state.get("result_state") or state["life_cycle_state"]
            raise RemoteRunError(
                f"Databricks run {run_id} of {self.job} ended {ended}: {reason}",
                f"read the run's page {page}; after the repair clear this task, which submits a new run.",
            )
        results = [line.removeprefix(RESULT) for line in lines if line.startswith(RESULT)]
        return json.loads(results[-1]) if results else None
