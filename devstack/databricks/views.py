"""Runs as the Jobs API 2.2 shows them."""

from pathlib import Path
from typing import Any

from devstack.databricks.runs import Runs
from devstack.databricks.store import ENDED, Row
from devstack.engine import job

LOG_BYTES = 5 * 2**20
USER = "local@localhost"
_CODES = {
    "SUCCESS": ("SUCCESS", "SUCCESS"),
    "CANCELED": ("USER_CANCELED", "CLIENT_ERROR"),
    "TIMEDOUT": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    "FAILED": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    "UPSTREAM_FAILED": ("SKIPPED", "CLIENT_ERROR"),
}
_TASK_FIELDS = (
    "task_key",
    "spark_python_task",
    "depends_on",
    "environment_key",
    "libraries",
    "existing_cluster_id",
)


class Views:
    """Answers about runs."""

    def __init__(self, runs: Runs, url: str) -> None:
        self.runs = runs
        self.url = url

    def page(self, run_id: int) -> str:
        """Return the address of a run's page."""
        return f"{self.url}/runs/{run_id}"

    def life(self, row: Row) -> str:
        """Return the life-cycle state; a task waits as PENDING until its own code begins."""
        waits = row["parent"] and job.started_ms(self.runs.task_folder(row["run_id"])) is None
        return "PENDING" if row["life"] == "RUNNING" and waits else str(row["life"])

    def run(self, row: Row, with_tasks: bool = True) -> dict[str, Any]:
        """Describe a run."""
        tasks = self.runs.store.tasks(row["run_id"])
        found = {
            "job_id": row["run_id"],
            "number_in_job": row["run_id"],
            "run_name": row["name"],
            "run_type": "SUBMIT_RUN",
            "format": "MULTI_TASK",
            "creator_user_name": USER,
            "trigger": "ONE_TIME",
            **self._common(row),
        }
        if with_tasks:
            found["tasks"] = [self.task(task) for task in tasks]
            if row["spec"].get("environments"):
                found["environments"] = row["spec"]["environments"]
        return found

    def task(self, row: Row) -> dict[str, Any]:
        """Describe the run of one task."""
        fields = {name: row["spec"][name] for name in _TASK_FIELDS if row["spec"].get(name)}
        return {**fields, "task_key": row["name"], "attempt_number": 0, **self._common(row)}

    def any(self, row: Row) -> dict[str, Any]:
        """Describe a run, or the run of a task as a run of its own."""
        if not row["parent"]:
            return self.run(row)
        parent = self.runs.store.run(row["parent"]) or row
        return {
            **self.run(parent),
            **self._common(row),
            "job_run_id": parent["run_id"],
            "tasks": [self.task(row)],
        }

    def _common(self, row: Row) -> dict[str, Any]:
        begun = job.started_ms(self.runs.task_folder(row["run_id"])) if row["parent"] else row["started"]
        ended = row["ended"] or 0
        return {
            "run_id": row["run_id"],
            "run_page_url": self.page(row["run_id"]),
            "start_time": row["submitted"],
            "setup_duration": max(0, begun - row["submitted"]) if begun else 0,
            "execution_duration": max(0, ended - (begun or ended)),
            "cleanup_duration": 0,
            "end_time": ended,
            "run_duration": ended - row["submitted"] if ended else 0,
            "state": self._state(row),
            "status": self._status(row),
        }

    def _state(self, row: Row) -> dict[str, Any]:
        state = {
            "life_cycle_state": self.life(row),
            "state_message": row["message"],
            "user_cancelled_or_timedout": row["result"] in ("CANCELED", "TIMEDOUT"),
        }
        return state | {"result_state": row["result"]} if row["result"] else state

    def _status(self, row: Row) -> dict[str, Any]:
        if row["life"] not in ENDED:
            return {"state": self.life(row)}
        code, kind = _CODES[row["result"]]
        if row["life"] == "INTERNAL_ERROR":
            code, kind = "INTERNAL_ERROR", "INTERNAL_ERROR"
        return {
            "state": "TERMINATED",
            "termination_details": {"code": code, "type": kind, "message": row["message"]},
        }

    def output(self, row: Row) -> dict[str, Any]:
        """Describe what a task's run has printed and how it failed."""
        folder = self.runs.task_folder(row["run_id"])
        logs, truncated = tail(folder / "stdout.log")
        found: dict[str, Any] = {"metadata": self.any(row), "logs": logs, "logs_truncated": truncated}
        if row["life"] in ENDED and row["result"] != "SUCCESS":
            report = job.read_json(folder / job.RESULT) or {}
            found["error"] = report.get("error") or row["message"]
            if report.get("trace"):
                found["error_trace"] = report["trace"]
        return found


def tail(file: Path) -> tuple[str, bool]:
    """Return the end of a log that an answer may hold, and whether more was left out."""
    if not file.exists():
        return "", False
    size = file.stat().st_size
    with file.open("rb") as log:
        log.seek(max(0, size - LOG_BYTES))
        return log.read().decode("utf-8", "replace"), size > LOG_BYTES
