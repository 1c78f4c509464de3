"""The Jobs API: runs/submit, get, get-output, list, cancel, delete (2.1 and 2.2)."""

import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from devstack.databricks import faults
from devstack.databricks.runs import Runs
from devstack.databricks.store import ENDED, Row
from devstack.databricks.views import Views

LIST_MAX = 25
_Body = Annotated[dict[str, Any], Body(default_factory=dict)]


async def arguments(request: Request) -> dict[str, Any]:
    """Read a GET's parameters from its query or, as the provider's triggers send them, from a JSON body."""
    found: dict[str, Any] = dict(request.query_params)
    if await request.body():
        try:
            body = await request.json()
        except ValueError as error:
            raise faults.Fault(400, "MALFORMED_REQUEST", f"The body is no JSON: {error}.") from error
        found |= body if isinstance(body, dict) else {}
    return found


def _number(values: dict[str, Any], name: str, default: int | None = None) -> int:
    value = values.get(name, default)
    try:
        return int(str(value))
    except ValueError:
        raise faults.invalid(f"{name} must be a number, not {value!r}. Repair: give {name}.") from None


def _flag(values: dict[str, Any], name: str) -> bool:
    return str(values.get(name, "")).lower() == "true"


class JobsApi:
    """The routes over the runs."""

    def __init__(self, runs: Runs, views: Views) -> None:
        self.runs = runs
        self.views = views

    def router(self) -> APIRouter:
        """Return the routes."""
        routes = APIRouter()
        for base in ("/api/2.1/jobs", "/api/2.2/jobs"):
            for method, path, answer in (
                ("POST", "runs/submit", self.submit),
                ("GET", "runs/get", self.get),
                ("GET", "runs/get-output", self.get_output),
                ("GET", "runs/list", self.list),
                ("POST", "runs/cancel", self.cancel),
                ("POST", "runs/delete", self.delete),
                ("GET", "list", self.no_jobs),
            ):
                routes.add_api_route(f"{base}/{path}", answer, methods=[method])
        return routes

    def _find(self, values: dict[str, Any]) -> Row:
        run_id = _number(values, "run_id")
        row = self.runs.store.run(run_id)
        if row is None:
            raise faults.no_run(run_id)
        return row

    async def submit(self, body: _Body) -> dict[str, int]:
        """Start a run."""
        return {"run_id": self.runs.submit(body)}

    async def get(self, request: Request) -> dict[str, Any]:
        """Describe a run."""
        return self.views.any(self._find(await arguments(request)))

    async def get_output(self, request: Request) -> dict[str, Any]:
        """Describe what a task's run printed and how it failed."""
        row = self._find(await arguments(request))
        tasks = [row] if row["parent"] else self.runs.store.tasks(row["run_id"])
        if len(tasks) > 1:
            raise faults.invalid(
                "Retrieving the output of runs with multiple tasks is not supported. Repair: ask for the "
                f"output of a task's own run: {', '.join(str(task['run_id']) for task in tasks)}."
            )
        return self.views.output(tasks[0])

    async def cancel(self, body: _Body) -> dict[str, Any]:
        """Ask for the end of a run."""
        await self.runs.cancel(_number(body, "run_id"))
        return {}

    async def delete(self, body: _Body) -> dict[str, Any]:
        """Forget a run that has ended."""
        row = self._find(body)
        if row["parent"] or row["life"] not in ENDED:
            raise faults.invalid(f"Run {row['run_id']} is at work or a task. Repair: cancel its run first.")
        for task in self.runs.store.tasks(row["run_id"]):
            shutil.rmtree(self.runs.task_folder(task["run_id"]), ignore_errors=True)
        self.runs.store.delete_run(row["run_id"])
        return {}

    async def list(self, request: Request) -> dict[str, Any]:
        """List runs, newest first."""
        return _list(self.runs, self.views, await arguments(request))

    async def no_jobs(self) -> dict[str, Any]:
        """Say that there are no jobs: one-time runs have none of their own, and no other kind is served."""
        return {}


def _list(runs: Runs, views: Views, values: dict[str, Any]) -> dict[str, Any]:
    """Return a page of runs, newest first; the page token is the last id shown."""
    limit = _number(values, "limit", 20)
    if not 1 <= limit <= LIST_MAX:
        raise faults.invalid(f"limit must be 1 to {LIST_MAX}, not {limit}. Repair: page with page_token.")
    if _flag(values, "active_only") and _flag(values, "completed_only"):
        raise faults.invalid("active_only and completed_only exclude each other. Repair: give one of them.")
    where: list[tuple[str, object]] = []
    marks = ", ".join(f"'{life}'" for life in ENDED)
    if _flag(values, "active_only"):
        where.append((f"life NOT IN ({marks}) AND 1 = ?", 1))
    if _flag(values, "completed_only"):
        where.append((f"life IN ({marks}) AND 1 = ?", 1))
    for name, condition in (
        ("job_id", "run_id = ?"),
        ("start_time_from", "submitted >= ?"),
        ("start_time_to", "submitted <= ?"),
    ):
        if values.get(name):
            where.append((condition, _number(values, name)))
    before = _number(values, "page_token") if values.get("page_token") else None
    rows = runs.store.list_runs(where, before, limit + 1)
    found: dict[str, Any] = {
        "runs": [views.run(row, _flag(values, "expand_tasks")) for row in rows[:limit]],
        "has_more": len(rows) > limit,
    }
    if len(rows) > limit:
        found["next_page_token"] = str(rows[limit - 1]["run_id"])
    return found
