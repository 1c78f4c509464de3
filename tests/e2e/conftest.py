"""One whole stack for the session, with a state folder and ports of its own, and four months of posts."""

import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from devstack import supervise
from devstack.airflow_api import AirflowApi, Run, Task
from devstack.config import Settings
from devstack.lake import query
from devstack.source import seed

POSTS = 12_200  # 100 a day
SPAN = "2022-09-01..2022-12-31"
TABLES = ("pin", "geo", "user")
BATCH = "pinterest_batch"
SETUP = "pinterest_setup"


@dataclass(frozen=True)
class Stack:
    """The running stack, as a test drives it."""

    settings: Settings
    api: AirflowApi

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Ask the lake; values are JSON strings as Databricks returns them."""
        columns, rows = query(self.settings, sql)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def checksum(self, table: str, where: str = "true") -> str:
        """SHA-256 of a table's rows as sorted CSV."""
        _, rows = query(self.settings, f"SELECT * FROM {table} WHERE {where}")
        lines = []
        for row in rows:
            buffer = io.StringIO()
            csv.writer(buffer).writerow(row)
            lines.append(buffer.getvalue())
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

    def mysql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements on the source as its owner; return the last one's rows."""
        import mysql.connector

        s = self.settings
        connection = mysql.connector.connect(
            host="127.0.0.1", port=s.mysql_port, user=s.mysql_user, password=s.mysql_password,
            database=s.mysql_database, charset="utf8mb4",
        )  # fmt: skip
        try:
            cursor = connection.cursor()
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.with_rows else []
            connection.commit()
            return rows
        finally:
            connection.close()

    def trigger(
        self, dag_id: str, conf: dict[str, Any] | None = None, day: str | None = None, answers: bool = True
    ) -> str:
        """Start a manual run, for one day when given; return its id."""
        run_id = f"e2e__{time.time_ns()}"
        logical = datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
        self.api.trigger(dag_id, run_id, conf or {}, logical)
        if not answers:
            self.leave_answers(run_id)
        return run_id

    def leave_answers(self, run_id: str) -> None:
        """Mark star and answers as skipped, more than half of a window's work: a later run rebuilds them."""
        path = f"/dags/{BATCH}/dagRuns/{quote(run_id)}/taskInstances/claim_answers"
        self.api._call("PATCH", path, json={"new_state": "skipped", "include_downstream": True})

    def load(self, first: str, end: str, expect: str = "success", answers: bool = True) -> str:
        """Make one manual run of [first, end) and wait for it; return its run id."""
        run_id = self.trigger(BATCH, {"window_start": first, "window_end": end}, answers=answers)
        self.finish(BATCH, run_id, expect)
        return run_id

    def finish(self, dag_id: str, run_id: str, expect: str = "success", seconds: int = 600) -> Run:
        """Wait for a run to end and compare its state."""
        run = self.await_run(dag_id, run_id, seconds)
        assert run.state == expect, f"{dag_id} {run_id} ended {run.state}: {self.failures(dag_id, run_id)}"
        return run

    def await_run(self, dag_id: str, run_id: str, seconds: int = 600) -> Run:
        """Wait for a run to end."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            run = self.api.run(dag_id, run_id)
            if run.ended:
                return run
            time.sleep(0.5)
        states = {task.task_id: task.state for task in self.api.tasks(dag_id, run_id)}
        raise AssertionError(f"{dag_id} {run_id} has not ended in {seconds} s: {states}")

    def task(self, dag_id: str, run_id: str, task_id: str) -> Task:
        """Return one task instance."""
        return next(task for task in self.api.tasks(dag_id, run_id) if task.task_id == task_id)

    def log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the log of a task's last try."""
        return "\n".join(self.api.log(dag_id, run_id, self.task(dag_id, run_id, task_id)))

    def has_submitted(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Tell whether a task has started its Databricks run and not ended."""
        alive = self.task(dag_id, run_id, task_id).state in ("running", "deferred")
        return alive and self.api.xcom(dag_id, run_id, task_id, "run_id") is not None

    def until(
        self, run_id: str, reached: Callable[[], bool], seconds: int = 300, dag_id: str = BATCH
    ) -> None:
        """Wait for something in a run, by default of the batch DAG, that must not end before."""
        ends = time.monotonic() + seconds
        while not reached():
            assert not self.api.run(dag_id, run_id).ended, self.failures(dag_id, run_id)
            assert time.monotonic() < ends, run_id
            time.sleep(0.1)

    def pid(self, service: str) -> int:
        """Return the process of a service that runs."""
        found = next(row.pid for row in supervise.status(self.settings) if row.name == service)
        assert found, f"{service} does not run"
        return found

    def failures(self, dag_id: str, run_id: str) -> str:
        """Return the end of each failed task's log."""
        failed = [task.task_id for task in self.api.tasks(dag_id, run_id) if task.state == "failed"]
        return "\n".join(f"{task}: {self.log(dag_id, run_id, task)[-3000:]}" for task in failed)

    def backfill(self, first: str, last: str, expect: str = "success", answers: bool = True) -> list[str]:
        """Backfill whole days, both included, finished ones too; wait and return the run ids."""
        made = self.api.create_backfill(
            BATCH, date.fromisoformat(first), date.fromisoformat(last), reprocess_behavior="completed"
        )
        days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        ends = time.monotonic() + 900
        while time.monotonic() < ends:
            # a day that a manual run has had keeps that run's id when a backfill takes it over
            runs = self.api.runs(
                BATCH, logical_date_gte=f"{first}T00:00:00Z", logical_date_lte=f"{last}T00:00:00Z"
            )
            if self.api.backfill(made.id).completed and len(runs) == days:
                for run in runs:
                    assert run.state == expect, self.failures(BATCH, run.run_id)
                return [run.run_id for run in runs]
            for run in runs:
                claims = not (answers or run.ended)
                if claims and self.task(BATCH, run.run_id, "claim_answers").state != "skipped":
                    self.leave_answers(run.run_id)
            time.sleep(0.5)
        raise AssertionError(f"the backfill {first}..{last} has not ended")

    def await_no_backfill(self, seconds: int = 120) -> None:
        """Wait until Airflow has closed the last backfill: it runs one at a time."""
        ends = time.monotonic() + seconds
        while active := self.api.active_backfills(BATCH):
            assert time.monotonic() < ends, f"still active: {', '.join(map(str, active))}"
            time.sleep(0.5)

    def ledger(self, first: str, end: str) -> dict[str, dict[str, int]]:
        """Sum the ledger over [first, end) per source table."""
        rows = self.rows(
            "SELECT source_table, sum(selected) selected, sum(acknowledged) acknowledged, sum(orphans) orphans, "
            "sum(silver) silver, sum(quarantined) quarantined, sum(doubles) doubles, "
            "sum(foreign_doubles) foreign_doubles, sum(foreign) foreign FROM ops.ledger "
            f"WHERE post_date >= '{first}' AND post_date < '{end}' GROUP BY source_table"
        )
        return {row.pop("source_table"): {k: int(v) for k, v in row.items()} for row in rows}

    def assert_ledger_holds(self, first: str, end: str) -> dict[str, dict[str, int]]:
        """Every acknowledged id is in silver or in quarantine, exactly once."""
        ledger = self.ledger(first, end)
        assert set(ledger) == set(TABLES)
        span = f"post_date >= '{first}' AND post_date < '{end}'"
        for table, counts in ledger.items():
            assert counts["acknowledged"] == counts["silver"] + counts["quarantined"], (table, counts)
            assert counts["selected"] == counts["acknowledged"] + counts["orphans"], (table, counts)
            found = self.rows(
                f"SELECT count(*) n, count(DISTINCT ind) ids FROM silver.`{table}` WHERE {span}"
            )[0]
            assert int(found["n"]) == int(found["ids"]) == counts["silver"], (table, found, counts)
        return ledger


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    kept = os.environ.get("PINFLOW_E2E_STATE")  # a folder to keep between runs while writing tests
    state = Path(kept) if kept else tmp_path_factory.mktemp("e2e") / "state"
    settings = Settings(state_dir=state, port_offset=500)  # beside the one a person may be running
    try:
        yield ready(settings, POSTS, SPAN)
    finally:
        if not kept:
            supervise.reset(settings)


def ready(settings: Settings, posts: int, span: str) -> Stack:
    """Start a stack; the first time seed it and run the set-up."""
    supervise.up(settings)
    api = AirflowApi(settings.airflow_url)
    whole = Stack(settings, api)
    seeded = settings.state_dir / "seeded"
    if not seeded.exists():
        seed(settings, posts=posts, span=span, random_seed=7)
        for dag_id in (SETUP, BATCH):
            api.wait_for_dag(dag_id)
        api.unpause(SETUP)
        whole.finish(SETUP, whole.trigger(SETUP))
        api.unpause(BATCH)
        seeded.touch()
    return whole


@pytest.fixture
def variable(stack: Stack) -> Iterator[dict[str, Any]]:
    """The Variable `pinflow`; put back after the test."""
    before = stack.api.get_variable("pinflow")
    yield json.loads(before)
    stack.api.set_variable("pinflow", before)
