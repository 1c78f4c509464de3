"""Run `pinterest_batch` through Airflow's REST API and wait: an initial load, a backfill."""

import itertools
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from devstack.airflow_api import (
    BAD,
    PAGE,
    AirflowApi,
    Backfill,
    BackfillActiveError,
    BackfillOptions,
    Run,
    Task,
)
from devstack.config import Settings
from devstack.errors import StackError

DAG = "pinterest_batch"
REPROCESS = ("none", "failed", "completed")
POLL_SECONDS = 1.0
TASKS_EVERY = 3  # a list of tasks is dear for the API server
LOG_LINES = 12
MAX_ACTIVE_RUNS = 3
CLOSE_SECONDS = 60
Say = Callable[[str], None]


def days(first: str, last: str) -> tuple[date, date]:
    """Check FROM and TO: UTC days, both included, in order."""
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise StackError(
            f"FROM={first} TO={last}: {error}. Repair: give two UTC days, as FROM=2022-10-15 TO=2022-10-17."
        ) from error
    if end < begin:
        raise StackError(
            f"FROM={first} lies after TO={last}. Repair: give the earlier day first; both are included."
        )
    return begin, end


def window_text(first: date, last: date) -> str:
    """Show the half-open window that two included days mean."""
    return f"[{first}T00:00:00Z, {last + timedelta(days=1)}T00:00:00Z)"


def load(settings: Settings, first: str, last: str, say: Say = print) -> Run:
    """Load all posts of the days from first to last in one manual run, and wait for it."""
    begin, end = days(first, last)
    api = AirflowApi(settings.airflow_url)
    conf = {"window_start": begin.isoformat(), "window_end": (end + timedelta(days=1)).isoformat()}
    run_id = f"load__{begin}__{end}__{datetime.now(UTC):%Y%m%dT%H%M%S}"
    say(f"load: one run of {DAG} over {window_text(begin, end)}")
    return run_and_wait(api, DAG, run_id, conf, say)


def run_and_wait(api: AirflowApi, dag_id: str, run_id: str, conf: dict[str, Any], say: Say = print) -> Run:
    """Trigger a manual run, show its tasks as they end, and raise when it fails."""
    api.wait_for_dag(dag_id)
    api.unpause(dag_id)
    run = api.trigger(dag_id, run_id, conf)
    say(f"{dag_id}: {api.run_link(dag_id, run_id)}")
    return follow(api, run, say)


def follow(api: AirflowApi, run: Run, say: Say = print) -> Run:
    """Print a line for each task that ends until the run does; raise when it fails."""
    shown: set[tuple[str, int, int, str]] = set()
    for turn in itertools.count():
        run = api.run(run.dag_id, run.run_id)
        look = run.ended or turn % TASKS_EVERY == 0
        for task in api.tasks(run.dag_id, run.run_id) if look else ():
            key = (task.task_id, task.map_index, task.try_number, task.state)
            if task.end and key not in shown and task.state in ("success", "skipped", "up_for_retry", *BAD):
                shown.add(key)
                again = f"   try {task.try_number}" if task.try_number > 1 else ""
                say(f"  {task.end:%H:%M:%S}  {task.state:<15} {task.seconds:6.1f} s  {_name(task)}{again}")
        if run.ended:
            break
        time.sleep(POLL_SECONDS)
    if run.state != "success":
        raise StackError(failure_text(api, run))
    say(f"{run.dag_id} {run.run_id}: {run.state} after {seconds(run):.1f} s")
    return run


def seconds(run: Run) -> float:
    """Return how long a run took so far."""
    if not run.start:
        return 0.0
    return ((run.end or datetime.now(UTC)) - run.start).total_seconds()


def _name(task: Task) -> str:
    return f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id


def failure_text(api: AirflowApi, run: Run) -> str:
    """Name the failed tasks of a run, the end of the first one's log, and where to look."""
    failed = [task for task in api.tasks(run.dag_id, run.run_id) if task.state == "failed"]
    if not failed:
        link = api.run_link(run.dag_id, run.run_id)
        return f"Run {run.run_id} of {run.dag_id} {run.state} without a failed task. Repair: look at {link}."
    first = failed[0]
    log = [line for line in api.log(run.dag_id, run.run_id, first) if not line.startswith("::")]
    lines = "\n    ".join(log[-LOG_LINES:])
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    link = api.task_link(run.dag_id, run.run_id, first)
    return (
        f"Task {_name(first)}{others} of {run.dag_id} {run.run_id} failed. Its log ends with:\n    {lines}\n"
        f"Repair: mend what the log says, then clear the task at {link}."
    )


def backfill(
    settings: Settings,
    first: str,
    last: str,
    *,
    reprocess: str = "none",
    run_backwards: bool = False,
    say: Say = print,
) -> list[Run]:
    """Run each day from first to last through Airflow's backfill, and wait for it."""
    begin, end = days(first, last)
    if reprocess not in REPROCESS:
        raise StackError(f"REPROCESS={reprocess} is unknown. Repair: choose from {', '.join(REPROCESS)}.")
    api = AirflowApi(settings.airflow_url)
    api.wait_for_dag(DAG)
    api.unpause(DAG)
    count = (end - begin).days + 1
    say(f"backfill: {count} daily run(s) of {DAG} over {window_text(begin, end)}, reprocess {reprocess}")
    options: BackfillOptions = {
        "reprocess_behavior": reprocess,
        "run_backwards": run_backwards,
        "max_active_runs": MAX_ACTIVE_RUNS,
    }
    started = datetime.now(UTC) - timedelta(seconds=1)
    made = _create_backfill(api, (begin, end), options, say)
    say(f"backfill {made.id}: {api.url}/dags/{DAG}/backfills")
    return _await_backfill(api, made.id, (begin, end), started, say)


def _create_backfill(
    api: AirflowApi, span: tuple[date, date], options: BackfillOptions, say: Say
) -> Backfill:
    """Create a backfill; when the last one has ended, wait for the scheduler to close it (every 30 s)."""
    deadline = time.monotonic() + CLOSE_SECONDS
    waited = False
    while True:
        try:
            return api.create_backfill(DAG, *span, **options)
        except BackfillActiveError:
            active = api.runs(DAG, run_type="backfill", state=["queued", "running"])
            if active or time.monotonic() > deadline:
                raise
            if not waited:
                say("waiting for Airflow to close the last backfill")
            waited = True
            time.sleep(POLL_SECONDS)


def _await_backfill(
    api: AirflowApi, number: int, span: tuple[date, date], started: datetime, say: Say
) -> list[Run]:
    """Print a line for each run of the backfill that ends; raise when any failed."""
    shown: set[str] = set()
    while True:
        completed = api.backfill(number).completed
        runs = _runs_of(api, span, started)
        for run in runs:
            if run.ended and run.run_id not in shown:
                shown.add(run.run_id)
                done = f"({len(shown)}/{len(runs)})"
                say(f"  {run.logical_date:%Y-%m-%d}  {run.state:<8} {seconds(run):6.1f} s  {done}")
        if all(run.ended for run in runs) and (runs or completed):
            break
        time.sleep(POLL_SECONDS * (1 + len(runs) // PAGE))  # a long list is dear for the API server
    failed = [run for run in runs if run.state != "success"]
    if failed:
        days_failed = ", ".join(f"{run.logical_date:%Y-%m-%d}" for run in failed)
        raise StackError(f"Backfill {number} failed for {days_failed}. {failure_text(api, failed[0])}")
    if not runs:
        say("Every day of it has already run, so nothing was done; REPROCESS=completed runs them again.")
    return runs


def _runs_of(api: AirflowApi, span: tuple[date, date], started: datetime) -> list[Run]:
    """Return the backfill runs of these days that were queued since the backfill was made."""
    begin, end = span
    runs = api.runs(
        DAG,
        run_type="backfill",
        logical_date_gte=f"{begin}T00:00:00Z",
        logical_date_lte=f"{end}T23:59:59Z",
    )
    return [run for run in runs if run.queued and run.queued >= started]
