"""Runs and statements end, whatever happens: errors nobody expected, a cancel at a bad moment."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from devstack.config import Settings
from devstack.databricks import faults, store
from devstack.databricks.code import Code
from devstack.databricks.engine import Engine
from devstack.databricks.runs import AT_ONCE, Runs
from devstack.databricks.statements import KEPT_SECONDS, Statements
from devstack.databricks.store import Store, kept
from devstack.engine import job
from devstack.engine import service as engine_service
from tests.devstack.databricks.conftest import Workspace

STATEMENTS = "/api/2.0/sql/statements"


@contextmanager
def _no_folder(folder: Path) -> Iterator[None]:
    """Put a file where a folder should be."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()


def test_a_run_that_meets_an_unexpected_error_ends_and_says_why(
    light: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with _no_folder(light.settings.state_dir / "databricks" / "code"):
        state = light.wait(light.submit(light.body("print()")), 10)["state"]
    assert (state["life_cycle_state"], state["result_state"]) == ("INTERNAL_ERROR", "FAILED")
    assert state["state_message"].startswith("NotADirectoryError: ")
    assert "Repair:" in state["state_message"]
    assert any(record.exc_info for record in caplog.records)


def test_a_statement_that_meets_an_unexpected_error_ends_and_says_why(light: Workspace) -> None:
    with _no_folder(light.settings.state_dir / "databricks" / "statements"):
        status = light.statement("SELECT 1")["status"]
    assert (status["state"], status["error"]["error_code"]) == ("FAILED", "INTERNAL_ERROR")
    assert status["error"]["message"].startswith("NotADirectoryError: ")
    assert "Repair:" in status["error"]["message"]


def test_a_run_that_cannot_be_read_again_after_a_restart_ends(tmp_path: Path) -> None:
    rows = Store(tmp_path / "store")
    engine = Engine(tmp_path / "no.sock")
    runs = Runs(tmp_path / "runs", rows, engine, Code(Settings(state_dir=tmp_path), tmp_path / "code"))
    run_id = rows.add_run("of an older version", {}, None, [{"task_key": "main", "notebook_task": {}}])

    async def recover() -> None:
        runs.recover()
        await runs.drivers[run_id]

    asyncio.run(recover())
    for row in (rows.run(run_id), *rows.tasks(run_id)):
        assert row is not None
        assert (row["life"], row["result"]) == ("INTERNAL_ERROR", "FAILED")
        assert "this has notebook_task" in row["message"]


def test_an_end_is_kept_as_soon_as_the_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.01)
    rows = Store(tmp_path / "store")
    rows.add_statement("one", {})

    async def end() -> None:
        rows.db.execute("PRAGMA query_only = ON")
        ending = asyncio.create_task(kept(lambda: rows.end_statement("one", "FAILED", "", "", "")))
        await asyncio.sleep(0.05)
        assert not ending.done()
        rows.db.execute("PRAGMA query_only = OFF")
        await ending

    asyncio.run(end())
    assert [row["state"] for row in [rows.statement("one")] if row] == ["FAILED"]
    assert "attempt to write a readonly database" in caplog.text


@contextmanager
def _away(socket: Path) -> Iterator[None]:
    """Take the engine's socket away, as a restart does."""
    aside = socket.with_suffix(".aside")
    socket.rename(aside)
    try:
        yield
    finally:
        aside.rename(socket)


def test_a_statement_cancelled_while_the_engine_restarts_does_not_run(light: Workspace) -> None:
    with _away(engine_service.socket_file(light.settings)):
        statement_id = light.statement("SELECT 1", wait_timeout="0s")["statement_id"]
        folder = light.settings.state_dir / "databricks" / "statements" / statement_id
        _until(lambda: (folder / job.JOB).exists())
        light.http.post(f"{STATEMENTS}/{statement_id}/cancel").raise_for_status()
        assert _state(light, statement_id) == "CANCELED"
    _until(lambda: (folder / job.RESULT).exists())
    assert (job.read_json(folder / job.RESULT) or {})["state"] == "CANCELED"
    assert _state(light, statement_id) == "CANCELED"


def _state(light: Workspace, statement_id: str) -> str:
    return str(light.http.get(f"{STATEMENTS}/{statement_id}").raise_for_status().json()["status"]["state"])


def _until(done: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_cancelled_while_it_waits_for_a_slot_ends_at_once(light: Workspace) -> None:
    body = light.body("import time\nprint('on', flush=True)\ntime.sleep(600)", name="busy.py")
    busy = [light.submit(body) for _ in range(AT_ONCE)]
    for run_id in busy:
        light.until_logged(run_id, "on")
    waiting = light.submit(body)
    light.until(waiting, lambda run: run["tasks"][0]["state"]["life_cycle_state"] == "QUEUED", 5)
    light.sdk.jobs.cancel_run(waiting)
    assert light.wait(waiting, 2)["state"]["result_state"] == "CANCELED"
    assert {light.get(run_id)["state"]["life_cycle_state"] for run_id in busy} == {"RUNNING"}
    for run_id in busy:
        light.sdk.jobs.cancel_run(run_id)
    for run_id in busy:
        light.wait(run_id)


def test_old_statements_leave_no_folder_and_a_failed_one_keeps_its_error(tmp_path: Path) -> None:
    rows = Store(tmp_path / "store")
    statements = Statements(tmp_path / "statements", rows, Engine(tmp_path / "no.sock"))
    ends = {
        "old success": "SUCCEEDED",
        "old failure": "FAILED",
        "new failure": "FAILED",
        "at work": "PENDING",
    }
    for name, state in ends.items():
        rows.add_statement(name, {})
        if state != "PENDING":
            rows.end_statement(name, state, "CODE", "why", "")
        (statements.folder / name).mkdir(parents=True)
    old = store.now_ms() - KEPT_SECONDS * 1000 - 1
    rows.db.execute("UPDATE statements SET ended = ? WHERE statement_id LIKE 'old%'", (old,))
    statements.forget_old()
    assert {folder.name for folder in statements.folder.iterdir()} == {"new failure", "at work"}
    assert statements.find("old success")["state"] == "CLOSED"
    assert (statements.find("old failure")["state"], statements.find("old failure")["message"]) == (
        "FAILED",
        "why",
    )


def test_an_unexpected_error_of_a_request_has_the_shape_of_databricks_and_reaches_the_log() -> None:
    app = FastAPI()
    faults.register(app)

    @app.get("/broken")
    def broken() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def get(to_server: bool) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=to_server)
            async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
                return await client.get("/broken")

        return asyncio.run(asked())

    answer = get(to_server=False)
    assert (answer.status_code, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert answer.json()["message"].startswith("OperationalError: database or disk is full. Repair: ")
    with pytest.raises(sqlite3.OperationalError):  # the server gets it, and logs what it gets
        get(to_server=True)
