"""Submitted runs: their tasks in order, time-outs, cancel, and what is left of them after a restart."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

from devstack.databricks import faults
from devstack.databricks.code import Code, CodeError
from devstack.databricks.engine import Engine, LostError
from devstack.databricks.slots import Slots
from devstack.databricks.store import ENDED, Row, Store, kept
from devstack.databricks.submit import Submission, parse
from devstack.engine import job
from devstack.engine.client import EngineDownError

AT_ONCE = 6
MESSAGE_CHARACTERS = 2_000
CANCELED = "Run cancelled."
# how a report of the engine reads as life_cycle_state and result_state
STATES = {
    "SUCCESS": ("TERMINATED", "SUCCESS"),
    "FAILED": ("TERMINATED", "FAILED"),
    "CANCELED": ("TERMINATED", "CANCELED"),
    "TIMEDOUT": ("TERMINATED", "TIMEDOUT"),
    "LOST": ("INTERNAL_ERROR", "FAILED"),
}
log = logging.getLogger(__name__)


def engine_id(run_id: int) -> str:
    """Name a task's run to the engine."""
    return f"run-{run_id}"


class Runs:
    """Drives every run that has not ended."""

    def __init__(self, folder: Path, store: Store, engine: Engine, code: Code) -> None:
        self.folder = folder
        self.store = store
        self.engine = engine
        self.code = code
        self.slots = Slots(AT_ONCE)
        self.drivers: dict[int, asyncio.Task[None]] = {}
        self.ending: dict[int, tuple[str, str]] = {}  # runs to be ended, and as what

    def task_folder(self, run_id: int) -> Path:
        """Return the folder of a task's run."""
        return self.folder / str(run_id)

    def submit(self, body: Any) -> int:
        """Check and start a run, or return the one submitted under the same token."""
        submission = parse(body)
        token = submission.idempotency_token or None
        known = self.store.by_token(token) if token else None
        if known:
            return int(known["run_id"])
        tasks = [task.model_dump(exclude_none=True) for task in submission.tasks]
        spec = submission.model_dump(exclude={"tasks"}, exclude_none=True)
        run_id = self.store.add_run(submission.run_name, spec, token, tasks)
        self._drive(run_id)
        return run_id

    def recover(self) -> None:
        """Go on with the runs that had not ended when the endpoint did."""
        for row in self.store.alive_runs():
            if row["life"] == "TERMINATING":
                self.ending[row["run_id"]] = ("CANCELED", CANCELED)
            self._drive(row["run_id"])

    def _drive(self, run_id: int) -> None:
        driver = asyncio.create_task(self._run(run_id))
        self.drivers[run_id] = driver
        driver.add_done_callback(lambda _: self._forget(run_id))

    def _forget(self, run_id: int) -> None:
        self.drivers.pop(run_id, None)
        self.ending.pop(run_id, None)

    async def cancel(self, run_id: int) -> None:
        """Ask for the end of a run; an ended one is left alone, as Databricks does."""
        row = self.store.run(run_id)
        if row is None:
            raise faults.no_run(run_id)
        await self._end(row["parent"] or run_id, "CANCELED", CANCELED)

    async def _end(self, run_id: int, state: str, message: str) -> None:
        if run_id in self.drivers:
            state, message = self.ending.setdefault(run_id, (state, message))
            await self.slots.look_again()
            self.store.update_run(run_id, life="TERMINATING", message=message)
            for task in self.store.tasks(run_id):
                if task["life"] not in ENDED:
                    await self._end_task(task["run_id"], state, message)

    async def _end_task(self, run_id: int, state: str, message: str) -> None:
        try:
            await self.engine.cancel(engine_id(run_id), state, message)
        except EngineDownError:
            return  # its processes ended with it

    async def _run(self, run_id: int) -> None:
        """Run the tasks, then close the run, whatever happens."""
        try:
            await self._run_tasks(run_id)
        except Exception as error:
            log.exception("Run %s ends, since nobody expected this.", run_id)
            await self._give_up(run_id, faults.unforeseen(error))
        await kept(lambda: self._close(run_id))

    async def _give_up(self, run_id: int, message: str) -> None:
        """End the tasks that are left, here and in the engine."""
        for task in await kept(lambda: self.store.tasks(run_id)):
            if task["life"] not in ENDED:
                await self._end_task(task["run_id"], "LOST", message)
                await self._end_row(task["run_id"], {"state": "LOST", "error": message})

    async def _run_tasks(self, run_id: int) -> None:
        """Run the tasks, each when those it depends on have ended."""
        row = self.store.run(run_id)
        if row is None:
            return
        submission = Submission.model_validate(
            {**row["spec"], "tasks": [task["spec"] for task in self.store.tasks(run_id)]}
        )
        timer = self._timer(row, submission.timeout_seconds)
        self.store.update_run(run_id, started=row["started"] or row["submitted"])
        if run_id not in self.ending:
            self.store.update_run(run_id, life="RUNNING")
        ended = {task.task_key: asyncio.Event() for task in submission.tasks}
        try:
            async with asyncio.TaskGroup() as group:
                for task in self.store.tasks(run_id):
                    group.create_task(self._task(task, submission, ended))
        finally:
            if timer:
                timer.cancel()

    def _timer(self, row: Row, seconds: int) -> asyncio.Task[None] | None:
        if not seconds:
            return None

        async def end_late() -> None:
            await asyncio.sleep(row["submitted"] / 1000 + seconds - time.time())
            await self._end(row["run_id"], "TIMEDOUT", f"Run timed out after {seconds} seconds.")

        return asyncio.create_task(end_late())

    def _close(self, run_id: int) -> None:
        tasks = self.store.tasks(run_id)
        state, message = self.ending.get(run_id, ("", ""))
        worst = next((task for task in tasks if task["result"] not in ("SUCCESS", "UPSTREAM_FAILED")), None)
        if worst is None:
            self.store.end_run(run_id, "TERMINATED", "SUCCESS", "")
        elif state and worst["result"] != "FAILED":
            self.store.end_run(run_id, *STATES[state], message)
        else:
            text = worst["message"] if len(tasks) == 1 else f"Task {worst['name']}: {worst['message']}"
            self.store.end_run(run_id, worst["life"], worst["result"], text)

    async def _task(self, row: Row, submission: Submission, ended: dict[str, asyncio.Event]) -> None:
        task = next(task for task in submission.tasks if task.task_key == row["name"])
        run_id, parent = row["run_id"], row["parent"]
        try:
            for needed in task.depends_on:
                await ended[needed.task_key].wait()
            if row["life"] in ENDED:
                return
            needs = {needed.task_key for needed in task.depends_on}
            if any(
                other["name"] in needs and other["result"] != "SUCCESS" for other in self.store.tasks(parent)
            ):
                message = "An upstream task did not succeed."
                self.store.end_run(run_id, "SKIPPED", "UPSTREAM_FAILED", message)
                return
            if row["life"] == "PENDING":
                self.store.update_run(run_id, life="QUEUED")
            async with self.slots.one(lambda: parent in self.ending):
                report = await self._work(row, submission.dependencies(task), task.timeout_seconds)
            await self._end_row(run_id, report)
        finally:
            ended[task.task_key].set()

    async def _end_row(self, run_id: int, report: dict[str, Any]) -> None:
        life, result = STATES[report["state"]]
        message = "" if result == "SUCCESS" else _first(report["error"])
        await kept(lambda: self.store.end_run(run_id, life, result, message))

    async def _work(self, row: Row, dependencies: list[str], timeout: int) -> dict[str, Any]:
        """Start the task unless it was started before, and wait for its report."""
        run_id, folder = row["run_id"], self.task_folder(row["run_id"])
        name = engine_id(run_id)
        if row["parent"] in self.ending and row["life"] != "RUNNING":
            state, message = self.ending[row["parent"]]
            return {"state": state, "error": message}
        try:
            if row["life"] != "RUNNING":
                order = await asyncio.to_thread(self.code.order, row["spec"], dependencies)
                folder.mkdir(parents=True, exist_ok=True)
                job.write_json(folder / job.JOB, order)
                self.store.update_run(run_id, life="RUNNING")
                await self.engine.start(name, folder)
            if row["parent"] in self.ending:
                await self._end_task(run_id, *self.ending[row["parent"]])
            return await self._await_report(name, folder, timeout)
        except (CodeError, LostError, EngineDownError) as error:
            return {"state": "LOST", "error": str(error)}
        except Exception as error:
            log.exception("Task run %s ends, since nobody expected this.", run_id)
            message = faults.unforeseen(error)
            await self._end_task(run_id, "LOST", message)
            return {"state": "LOST", "error": message}

    async def _await_report(self, name: str, folder: Path, timeout: int) -> dict[str, Any]:
        try:
            async with asyncio.timeout(timeout or None):
                return await self.engine.finish(name, folder)
        except TimeoutError:
            await self.engine.cancel(name, "TIMEDOUT", f"Task timed out after {timeout} seconds.")
            return await self.engine.finish(name, folder)


def _first(error: str) -> str:
    """Return what of an error fits in a state message."""
    return error if len(error) <= MESSAGE_CHARACTERS else f"{error[:MESSAGE_CHARACTERS]} ..."
