"""Run `pinterest_batch` through Airflow's REST API and wait: an initial load, a backfill."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from devstack import progress
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
OVERLAP = timedelta(seconds=10)  # a change is seen when it is committed, a little after the time it bears
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
    link = api.run_link(dag_id, run_id)
    say(f"{dag_id}: {link}")
    with _interruptible(f"run {run_id} of {dag_id}", f"{link}, and mark it there as failed to end it", say):
        return follow(api, run, say)


@contextmanager
def _interruptible(what: str, where: str, say: Say) -> Iterator[None]:
    """Tell a person who presses Ctrl-C what goes on, and where it can be seen and ended."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"\n{what} goes on in Airflow: look at it at {where}.")
        raise


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
    say(f"{run.dag_id} {run.run_id}: {run.state} after {run.seconds:.1f} s")
    return run


def _name(task: Task) -> str:
    return f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id


def failure_text(api: AirflowApi, run: Run) -> str:
    """Name the failed tasks of a run, the end of the first one's log, and where to look."""
    failed = [task for task in api.tasks(run.dag_id, run.run_id) if task.state == "failed"]
    if not failed:
        link = api.run_link(run.dag_id, run.run_id)
        return (
            f"Run {run.run_id} of {run.dag_id} {run.state} without a failed task. Repair: look at {link}; "
            "a run that was cancelled can be given again (a day of a backfill with REPROCESS=failed)."
        )
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
    span = days(first, last)
    if reprocess not in REPROCESS:
        raise StackError(f"REPROCESS={reprocess} is unknown. Repair: choose from {', '.join(REPROCESS)}.")
    api = AirflowApi(settings.airflow_url)
    api.wait_for_dag(DAG)
    _check_span(span, api.start_date(DAG), datetime.now(UTC))
    api.unpause(DAG)
    options: BackfillOptions = {
        "reprocess_behavior": reprocess,
        "run_backwards": run_backwards,
        "max_active_runs": MAX_ACTIVE_RUNS,
    }
    _await_closed(api, say)
    due = _announce(api, span, options, say)
    if not due:
        return []
    started = datetime.now(UTC) - timedelta(seconds=1)
    made = api.create_backfill(DAG, *span, **options)
    link = api.backfills_link(DAG)
    say(f"backfill {made.id}: {link}")
    with _interruptible(f"backfill {made.id}", f"{link}; *Cancel backfill* there ends it", say):
        return _await_backfill(api, made, due, started, say)


def _check_span(span: tuple[date, date], start: date | None, now: datetime) -> None:
    """Refuse days that Airflow would leave out without a word, or make runs of whose tasks never start."""
    begin, end = span
    if start and begin < start:
        raise StackError(
            f"FROM={begin} lies before {start}, the first day of {DAG}. Repair: give FROM={start} or later."
        )
    newest = now.astimezone(UTC).date() - timedelta(days=1)
    if end > newest:
        raise StackError(
            f"TO={end}: that UTC day is not over ({now:%Y-%m-%d %H:%M} UTC now), so it has no backfill yet. "
            f"Repair: give TO={newest} or earlier."
        )


def _await_closed(api: AirflowApi, say: Say) -> None:
    """Refuse while another backfill runs; one that has ended is closed by the scheduler (every 30 s)."""
    deadline = time.monotonic() + CLOSE_SECONDS
    waited = False
    while active := api.active_backfills(DAG):
        running = api.runs(DAG, run_type="backfill", state=["queued", "running"])
        if running or time.monotonic() > deadline:
            raise BackfillActiveError(api.active_text(DAG, active))
        if not waited:
            say("waiting for Airflow to close the last backfill")
        waited = True
        time.sleep(POLL_SECONDS)


def _announce(api: AirflowApi, span: tuple[date, date], options: BackfillOptions, say: Say) -> list[date]:
    """Say which days will run and which will not, and why; return those that will."""
    begin, end = span
    due = api.days_to_run(DAG, *span, **options)
    shown = f"{len(due)} daily run(s) of {DAG}" + (f", {_spans(due)}" if due else "")
    say(f"backfill over {window_text(begin, end)}, reprocess {options['reprocess_behavior']}: {shown}")
    every = {begin + timedelta(days=number) for number in range((end - begin).days + 1)}
    if left := every - set(due):
        found = {f"{run.logical_date:%Y-%m-%d %H%M%S}": run.state for run in _runs_of(api, span)}
        states = {day: found.get(f"{day} 000000", "no run") for day in left}
        for state in sorted(set(states.values())):
            say(f"  not again: {_spans(day for day in left if states[day] == state)} ({_why(state)})")
    return due


def _why(state: str) -> str:
    """Tell why a day is left out of a backfill."""
    return {
        "success": "success; REPROCESS=completed runs finished days again",
        "failed": "failed; REPROCESS=failed or completed runs it again",
        "no run": "Airflow makes no run of it",
    }.get(state, f"{state}; give the day again when its run has ended")


def _spans(wanted: Iterable[date]) -> str:
    """Write days shortly, `2022-10-15 to 2022-10-17, 2022-10-20`."""
    found: list[list[date]] = []
    for day in sorted(wanted):
        if found and day - found[-1][-1] == timedelta(days=1):
            found[-1].append(day)
        else:
            found.append([day])
    return ", ".join(f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}" for days in found)


def _await_backfill(
    api: AirflowApi, made: Backfill, due: list[date], started: datetime, say: Say
) -> list[Run]:
    """Show how far the days are until all have ended; raise when any failed."""
    board = progress.Board(api.edges(DAG), due)
    with progress.view(board, say) as view:
        runs = _follow_backfill(api, made, board, started, view)
    if failed := [run for run in runs if run.state != "success"]:
        days_failed = _spans(run.logical_date.date() for run in failed if run.logical_date)
        how = " was cancelled and" if api.backfill(made.id).cancelled else ""
        raise StackError(f"Backfill {made.id}{how} failed for {days_failed}. {failure_text(api, failed[0])}")
    say(
        f"backfill {made.id}: {len(runs)} window(s) in {time.monotonic() - board.begun:.1f} s, "
        f"{board.per_minute():.1f} windows per minute"
    )
    return runs


def _follow_backfill(
    api: AirflowApi, made: Backfill, board: progress.Board, started: datetime, view: progress.View
) -> list[Run]:
    """Look at the runs, and less often at their tasks, until every run has ended."""
    span, since, over = (min(board.days), max(board.days)), started, 0
    for turn in itertools.count():
        found = _runs_of(api, span, run_type="backfill")
        runs = [run for run in found if run.queued and run.queued >= started]
        ended = bool(runs) and all(run.ended for run in runs)
        tasks: list[Task] = []
        if turn % TASKS_EVERY == 0 or over < sum(run.ended for run in runs):
            now, over = datetime.now(UTC), sum(run.ended for run in runs)
            tasks = api.changed_tasks(DAG, since, **_within(span))
            since = now - OVERLAP
        board.take(runs, tasks)
        view.show()
        if ended or (not runs and api.backfill(made.id).completed):
            return runs
        time.sleep(POLL_SECONDS * (1 + len(runs) // PAGE))  # a long list is dear for the API server
    raise AssertionError("unreachable")


def _runs_of(api: AirflowApi, span: tuple[date, date], **filters: Any) -> list[Run]:
    """Return the runs of these days."""
    return api.runs(DAG, **_within(span), **filters)


def _within(span: tuple[date, date]) -> dict[str, str]:
    begin, end = span
    return {"logical_date_gte": f"{begin}T00:00:00Z", "logical_date_lte": f"{end}T23:59:59Z"}
