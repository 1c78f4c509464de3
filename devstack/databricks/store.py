"""Runs and statements in SQLite, so that they survive the endpoint."""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  run_id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER REFERENCES runs ON DELETE CASCADE,
  name TEXT NOT NULL, spec TEXT NOT NULL, token TEXT UNIQUE, life TEXT NOT NULL,
  result TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
  submitted INTEGER NOT NULL, started INTEGER, ended INTEGER);
CREATE INDEX IF NOT EXISTS runs_parent ON runs (parent);
CREATE TABLE IF NOT EXISTS statements (
  statement_id TEXT PRIMARY KEY, spec TEXT NOT NULL, state TEXT NOT NULL,
  error_code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', sql_state TEXT NOT NULL DEFAULT '',
  submitted INTEGER NOT NULL, ended INTEGER);
INSERT INTO sqlite_sequence SELECT 'runs', 1000
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'runs');
"""
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
STATEMENT_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "CLOSED")
RETRY_SECONDS = 5.0
Row = dict[str, Any]
log = logging.getLogger(__name__)


def now_ms() -> int:
    """Return the clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def kept[T](work: Callable[[], T]) -> T:
    """Read or write until SQLite does it: nothing may stay at work for ever because the disk was full."""
    while True:
        try:
            return work()
        except sqlite3.Error:
            log.exception("The end of a run or statement is not kept; it is tried again.")
            await asyncio.sleep(RETRY_SECONDS)


class Store:
    """The endpoint's memory; used from one thread."""

    def __init__(self, file: Path) -> None:
        self.db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;")
        self.db.executescript(SCHEMA)

    def _one(self, sql: str, *values: object) -> Row | None:
        row = self.db.execute(sql, values).fetchone()
        return self._row(row) if row else None

    def _all(self, sql: str, *values: object) -> list[Row]:
        return [self._row(row) for row in self.db.execute(sql, values)]

    @staticmethod
    def _row(row: sqlite3.Row) -> Row:
        return {**dict(row), "spec": json.loads(row["spec"])}

    def add_run(self, name: str, spec: Row, token: str | None, tasks: list[Row]) -> int:
        """Keep a new run with its tasks; return its id."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            insert = (
                "INSERT INTO runs (parent, name, spec, token, life, submitted) "
                "VALUES (?, ?, ?, ?, 'PENDING', ?)"
            )
            run_id = self.db.execute(insert, (None, name, json.dumps(spec), token, now_ms())).lastrowid
            for task in tasks:
                self.db.execute(insert, (run_id, task["task_key"], json.dumps(task), None, now_ms()))
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")
        return int(run_id or 0)

    def run(self, run_id: int) -> Row | None:
        """Return a run or a task's run."""
        return self._one("SELECT * FROM runs WHERE run_id = ?", run_id)

    def tasks(self, run_id: int) -> list[Row]:
        """Return the task runs of a run in the order of submission."""
        return self._all("SELECT * FROM runs WHERE parent = ? ORDER BY run_id", run_id)

    def by_token(self, token: str) -> Row | None:
        """Return the run submitted under an idempotency token."""
        return self._one("SELECT * FROM runs WHERE token = ?", token)

    def update_run(self, run_id: int, **values: object) -> None:
        """Set columns of a run that has not ended."""
        columns = ", ".join(f"{name} = ?" for name in values)
        self.db.execute(
            f"UPDATE runs SET {columns} WHERE run_id = ? AND life NOT IN {ENDED}",  # noqa: S608 - our own names
            (*values.values(), run_id),
        )

    def end_run(self, run_id: int, life: str, result: str, message: str) -> None:
        """Close a run."""
        self.update_run(run_id, life=life, result=result, message=message, ended=now_ms())

    def alive_runs(self) -> list[Row]:
        """Return the runs (no tasks) that have not ended."""
        return self._all(f"SELECT * FROM runs WHERE parent IS NULL AND life NOT IN {ENDED}")  # noqa: S608

    def list_runs(self, where: list[tuple[str, object]], before: int | None, limit: int) -> list[Row]:
        """Return runs newest first; `where` holds conditions with one placeholder each."""
        conditions = ["parent IS NULL", *(condition for condition, _ in where)]
        values = [value for _, value in where]
        if before is not None:
            conditions.append("run_id < ?")
            values.append(before)
        sql = f"SELECT * FROM runs WHERE {' AND '.join(conditions)} ORDER BY run_id DESC LIMIT ?"  # noqa: S608
        return self._all(sql, *values, limit)

    def delete_run(self, run_id: int) -> None:
        """Forget a run and its tasks."""
        self.db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))

    def add_statement(self, statement_id: str, spec: Row) -> None:
        """Keep a new statement."""
        self.db.execute(
            "INSERT INTO statements (statement_id, spec, state, submitted) VALUES (?, ?, 'PENDING', ?)",
            (statement_id, json.dumps(spec), now_ms()),
        )

    def statement(self, statement_id: str) -> Row | None:
        """Return a statement."""
        return self._one("SELECT * FROM statements WHERE statement_id = ?", statement_id)

    def end_statement(self, statement_id: str, state: str, code: str, message: str, sql_state: str) -> None:
        """Close a statement."""
        self.db.execute(
            "UPDATE statements SET state = ?, error_code = ?, message = ?, sql_state = ?, ended = ? "  # noqa: S608
            f"WHERE statement_id = ? AND state NOT IN {STATEMENT_ENDED}",
            (state, code, message, sql_state, now_ms(), statement_id),
        )

    def alive_statements(self) -> list[Row]:
        """Return the statements that have not ended."""
        return self._all(f"SELECT * FROM statements WHERE state NOT IN {STATEMENT_ENDED}")  # noqa: S608

    def close_statements(self, before: int) -> None:
        """Mark statements that succeeded before a moment as closed: their rows are gone."""
        self.db.execute(
            "UPDATE statements SET state = 'CLOSED' WHERE state = 'SUCCEEDED' AND ended < ?", (before,)
        )
