"""A daily window beside a DAG of as many no-op tasks with the same imports, on a whole stack of its own."""

import shutil
import time
from datetime import datetime
from statistics import median
from typing import Any

from bench.measure import ratio
from devstack import supervise
from devstack.airflow_api import AirflowApi, Run
from devstack.config import REPO, Settings
from devstack.runs import DAG
from devstack.source import seed

NOOP = "bench_noop"
SPAN = "2022-10-01..2022-10-10"
POSTS = 3_700  # 370 a day
WARM_DAYS = ("2022-10-01", "2022-10-02")
DAYS = ("2022-10-03", "2022-10-04", "2022-10-05")
Result = dict[str, Any]


def run(settings: Settings) -> Result:
    """Run a day and the no-op DAG in turn, after two warm days; seconds are medians."""
    folder = settings.state_dir.parent / "dags"
    shutil.copytree(REPO / "dags", folder)
    shutil.copy(REPO / "bench" / "dags" / "bench_noop.py", folder)
    settings = settings.model_copy(update={"dags_folder": folder})
    supervise.up(settings)
    seed(settings, posts=POSTS, span=SPAN)
    api = AirflowApi(settings.airflow_url)
    for dag_id in ("pinterest_setup", DAG, NOOP):
        api.wait_for_dag(dag_id)
        api.unpause(dag_id)
    _finish(api, "pinterest_setup", {})
    _await_scheduled(api)
    for day in WARM_DAYS:
        _finish(api, DAG, _window(day))
        _finish(api, NOOP, {})
    pairs = [(_finish(api, DAG, _window(day)), _finish(api, NOOP, {})) for day in DAYS]
    window, noop = (median(pair[side].seconds for pair in pairs) for side in (0, 1))
    return {
        "posts_per_day": POSTS // 10,
        "tasks": len(api.tasks(DAG, pairs[0][0].run_id)),
        "window_seconds": round(window, 1),
        "noop_seconds": round(noop, 1),
        "window_to_noop": ratio(window, noop),
        "until_the_stage_ended": {
            "noop (interpreter, imports, scheduler)": _stages(api, [noop for _, noop in pairs]),
            "window (emulate: MySQL and HTTP; land: flush of the sink; from clean on: Spark)": _stages(
                api, [run for run, _ in pairs]
            ),
        },
    }


def _window(day: str) -> dict[str, str]:
    return {"window_start": day, "window_end": f"{day[:-2]}{int(day[-2:]) + 1:02d}"}


def _finish(api: AirflowApi, dag_id: str, conf: dict[str, str]) -> Run:
    run = api.trigger(dag_id, f"bench__{time.time_ns()}", conf)
    while not run.ended:
        time.sleep(0.5)
        run = api.run(dag_id, run.run_id)
    if run.state != "success":
        raise SystemExit(f"bench: {dag_id} {run.run_id} ended {run.state}.")
    return run


def _await_scheduled(api: AirflowApi) -> None:
    """Wait for the run that Airflow makes for yesterday when the DAG is unpaused."""
    deadline = time.monotonic() + 300
    while not (runs := api.runs(DAG)) or not all(run.ended for run in runs):
        if time.monotonic() > deadline:
            raise SystemExit("bench: the scheduled run of yesterday has not ended in 300 s.")
        time.sleep(1)


def _stages(api: AirflowApi, runs: list[Run]) -> dict[str, float]:
    """Return the seconds from the end of one stage to the end of the next, in the median of the runs."""
    found: dict[str, list[float]] = {}
    for run in runs:
        ends: dict[str, datetime] = {}
        for task in api.tasks(run.dag_id, run.run_id):
            name = task.task_id.split(".")[0]
            if task.end and run.start:
                ends[name] = max(task.end, ends.get(name, run.start))
        last = run.start
        for name, end in sorted(ends.items(), key=lambda item: item[1]):
            found.setdefault(name, []).append((end - last).total_seconds() if last else 0.0)
            last = end
    return {name: round(median(values), 1) for name, values in found.items()}
