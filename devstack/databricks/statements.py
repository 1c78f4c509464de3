"""SQL statements: each in a session of its own, rows kept as files for an hour."""

import asyncio
import logging
import secrets
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from devstack.databricks import faults
from devstack.databricks.engine import Engine, LostError
from devstack.databricks.slots import Slots
from devstack.databricks.store import STATEMENT_ENDED, Row, Store, kept, now_ms
from devstack.engine import job
from devstack.engine.client import EngineDownError
from devstack.engine.statement import MANIFEST

AT_ONCE = 4
KEPT_SECONDS = 3600
INLINE_BYTES = 25 * 2**20
CANCELED = "The statement was cancelled."
_CODES = {
    "LOST": ("FAILED", "TEMPORARILY_UNAVAILABLE"),
    "BROKEN": ("FAILED", "INTERNAL_ERROR"),
    "CANCELED": ("CANCELED", "CANCELLED"),
}
log = logging.getLogger(__name__)


class Parameter(BaseModel):
    """A named parameter; its value is always a string."""

    name: str
    value: str | None = None
    type: str | None = None


class Order(BaseModel):
    """The body of a new statement."""

    statement: str = Field(min_length=1, max_length=16 * 2**20)
    warehouse_id: str = Field(min_length=1)
    catalog: str | None = None
    # "schema" is a name of pydantic's own
    schema_name: str | None = Field(None, alias="schema")
    parameters: list[Parameter] = []
    row_limit: int | None = Field(None, gt=0)
    byte_limit: int | None = Field(None, gt=0)
    disposition: Literal["INLINE", "EXTERNAL_LINKS"] = "INLINE"
    format: Literal["JSON_ARRAY"] = "JSON_ARRAY"
    wait_timeout: str = "10s"
    on_wait_timeout: Literal["CONTINUE", "CANCEL"] = "CONTINUE"

    @model_validator(mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        """Take null for absent, as the provider writes what it was not given."""
        return {name: item for name, item in value.items() if item is not None}

    @field_validator("wait_timeout")
    @classmethod
    def _wait(cls, value: str) -> str:
        seconds = value.removesuffix("s")
        if not seconds.isdigit() or not (int(seconds) == 0 or 5 <= int(seconds) <= 50):
            raise ValueError(f"{value!r} is neither 0s nor between 5s and 50s")
        return value

    def seconds(self) -> int:
        """Return how long the answer may wait."""
        return int(self.wait_timeout.removesuffix("s"))


class Statements:
    """Drives every statement that has not ended."""

    def __init__(self, folder: Path, store: Store, engine: Engine) -> None:
        self.folder = folder
        self.store = store
        self.engine = engine
        self.slots = Slots(AT_ONCE)
        self.drivers: dict[str, asyncio.Task[None]] = {}
        self.ending: set[str] = set()  # statements to be cancelled
        self.key = secrets.token_urlsafe(24)  # links of results are good until the endpoint restarts

    async def execute(self, order: Order) -> Row:
        """Start a statement and wait for it as long as asked."""
        statement_id = str(uuid.uuid4())
        spec = order.model_dump(exclude_none=True)
        self.store.add_statement(statement_id, spec)
        driver = self._drive(statement_id, spec, started=False)
        if order.seconds():
            done, _ = await asyncio.wait({driver}, timeout=order.seconds())
            if not done and order.on_wait_timeout == "CANCEL":
                await self.cancel(statement_id)
                if self.find(statement_id)["state"] not in STATEMENT_ENDED:
                    await asyncio.wait({driver}, timeout=10)
        return self.find(statement_id)

    def recover(self) -> None:
        """Go on with the statements that had not ended when the endpoint did, and drop old rows."""
        for row in self.store.alive_statements():
            self._drive(row["statement_id"], row["spec"], (self._place(row) / job.JOB).exists())
        self.forget_old()

    def forget_old(self) -> None:
        """Drop what is kept of ended statements for longer than promised; a failed one keeps its error."""
        before = now_ms() - KEPT_SECONDS * 1000
        self.store.close_statements(before)
        for folder in self.folder.glob("*/"):
            row = self.store.statement(folder.name)
            if row is None or (row["ended"] or before) < before:
                shutil.rmtree(folder, ignore_errors=True)

    def find(self, statement_id: str) -> Row:
        """Return a statement; raises Fault when there is none."""
        row = self.store.statement(statement_id)
        if row is None:
            raise faults.missing(f"The statement {statement_id} was not found.")
        return row

    async def cancel(self, statement_id: str) -> None:
        """Ask for the end of a statement; an ended one is left alone."""
        row = self.find(statement_id)
        if row["state"] in STATEMENT_ENDED:
            return
        self.ending.add(statement_id)
        await self.slots.look_again()
        begun = (self._place(row) / job.JOB).exists()
        if not begun or not await self._end(statement_id, "CANCELED", CANCELED):
            self._close(statement_id, {"state": "CANCELED", "error": CANCELED})

    async def _end(self, statement_id: str, state: str, message: str) -> bool:
        """End a statement's process; False when the engine is down, since its processes ended with it."""
        try:
            await self.engine.cancel(statement_id, state, message)
        except EngineDownError:
            return False
        return True

    def _place(self, row: Row) -> Path:
        return self.folder / str(row["statement_id"])

    def _drive(self, statement_id: str, spec: Row, started: bool) -> asyncio.Task[None]:
        driver = asyncio.create_task(self._run(statement_id, spec, started))
        self.drivers[statement_id] = driver
        driver.add_done_callback(lambda _: self._forget(statement_id))
        return driver

    def _forget(self, statement_id: str) -> None:
        self.drivers.pop(statement_id, None)
        self.ending.discard(statement_id)

    async def _run(self, statement_id: str, spec: Row, started: bool) -> None:
        try:
            async with self.slots.one(lambda: statement_id in self.ending):
                report = await self._work(statement_id, spec, started)
        except (LostError, EngineDownError) as error:
            report = {"state": "LOST", "error": str(error)}
        except Exception as error:
            log.exception("Statement %s ends, since nobody expected this.", statement_id)
            report = {"state": "BROKEN", "error": faults.unforeseen(error)}
            await self._end(statement_id, "LOST", report["error"])
        await kept(lambda: self._close(statement_id, report))

    async def _work(self, statement_id: str, spec: Row, started: bool) -> dict[str, Any]:
        """Start the statement unless it was started before, and wait for its report."""
        folder = self.folder / statement_id
        if not started:
            if statement_id in self.ending:
                return {"state": "CANCELED", "error": CANCELED}
            folder.mkdir(parents=True, exist_ok=True)
            job.write_json(folder / job.JOB, _job(spec))
            await self.engine.start(statement_id, folder)
            if statement_id in self.ending:  # it was cancelled before the engine knew it
                await self._end(statement_id, "CANCELED", CANCELED)
        return await self.engine.finish(statement_id, folder)

    def _close(self, statement_id: str, report: dict[str, Any]) -> None:
        if report["state"] == "SUCCESS":
            self.store.end_statement(statement_id, "SUCCEEDED", "", "", "")
        else:
            state, code = _CODES.get(report["state"], ("FAILED", "BAD_REQUEST"))
            self.store.end_statement(statement_id, state, code, report["error"], report.get("sql_state", ""))

    def state(self, row: Row) -> str:
        """Return the statement's state; it waits as PENDING until Spark takes it."""
        if row["state"] == "PENDING" and job.started_ms(self._place(row)) is not None:
            return "RUNNING"
        return str(row["state"])

    def manifest(self, row: Row) -> dict[str, Any] | None:
        """Return the description of a statement's rows while they are kept."""
        return job.read_json(self._place(row) / MANIFEST) if row["state"] == "SUCCEEDED" else None

    def chunk_file(self, row: Row, index: int) -> Path:
        """Name the file of one chunk; raises Fault when there is none."""
        file = self._place(row) / f"chunk-{index}.json"
        if row["state"] != "SUCCEEDED" or not file.exists():
            raise faults.missing(
                f"Statement {row['statement_id']} ({row['state']}) has no chunk {index}. Repair: ask for "
                f"one of its manifest; rows are kept for {KEPT_SECONDS // 60} minutes, then run it again."
            )
        return file

    def expiry(self) -> str:
        """Return until when a result's link is good."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + KEPT_SECONDS))


def _job(spec: Row) -> dict[str, Any]:
    return {
        "kind": "sql",
        "statement": spec["statement"],
        "parameters": spec["parameters"],
        "catalog": spec.get("catalog"),
        "schema": spec.get("schema_name"),
        "row_limit": spec.get("row_limit"),
        "byte_limit": spec.get("byte_limit"),
        "inline_limit": INLINE_BYTES if spec["disposition"] == "INLINE" else None,
    }
