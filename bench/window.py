"""A daily window beside a DAG of as many no-op tasks with the same imports, on a whole stack of its own."""

import shutil
import time
from statistics import median
from typing import Any

from bench.measure import ratio
from devstack import supervise
from devstack.airflow_api import AirflowApi, Run
from devstack.config import REPO, Settings
from devstack.runs import DAG, seconds
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
    window, noop = (median(seconds(pair[side]) for pair in pairs) for side in (0, 1))
    return {
        "posts_per_day": POSTS // 10,
        "tasks": len(api.tasks(DAG, pairs[0][0].run_id)),
        "window_seconds": round(window, 1),
        "noop_seconds": round(noop, 1),
        "window_to_noop": ratio(window, noop),
        "task_seconds": {
            "noop, all tasks (interpreter, imports, scheduler)": _sums(api, [noop for _, noop in pairs])[
                "all"
            ],
            **{f"window, {name}": value for name, value in _sums(api, [run for run, _ in pairs]).items()},
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


def _sums(api: AirflowApi, runs: list[Run]) -> dict[str, float]:
    """Sum the seconds of tasks by stage, in the median of the runs."""
    found: dict[str, list[float]] = {}
    for run in runs:
        sums: dict[str, float] = {}
        for task in api.tasks(run.dag_id, run.run_id):
            for name in (task.task_id.split(".")[0], "all"):
                sums[name] = sums.get(name, 0.0) + task.seconds
        for name, value in sums.items():
            found.setdefault(name, []).append(value)
    return {name: round(median(values), 1) for name, values in found.items()}
