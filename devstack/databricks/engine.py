"""The endpoint's side of the engine's socket, without blocking the event loop."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from devstack.engine import job
from devstack.engine.client import EngineDownError, down

PATIENCE = 60.0


class LostError(RuntimeError):
    """The engine went away with a run; the message names the repair."""


class Engine:
    """Starts, awaits and cancels processes of the engine by id."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and return its answer; raises EngineDownError."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.path))
        except OSError as error:
            raise down(self.path, error) from error
        try:
            writer.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        except OSError as error:
            raise down(self.path, error) from error
        finally:
            writer.close()
        if not line.endswith(b"\n"):
            raise down(self.path, ConnectionResetError("it hung up"))
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def patiently(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask, and wait for a restarting engine for a bounded time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await self.ask(op, **arguments)
            except EngineDownError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.25)

    async def start(self, id: str, folder: Path) -> None:
        """Start the order in a folder."""
        answer = await self.patiently("start", id=id, folder=str(folder))
        if not answer["ok"]:
            raise LostError(
                f"The engine refused {id}: {answer['error']}. Repair: look at its log and run again."
            )

    async def finish(self, id: str, folder: Path) -> dict[str, Any]:
        """Wait until a started run has ended and return its report; raises LostError."""
        while True:
            report = job.read_json(folder / job.RESULT)
            if report:
                return report
            try:
                await self.ask("wait", id=id)
            except EngineDownError:
                answer = await self.patiently("list")
                if id in answer["ids"]:
                    continue
            report = job.read_json(folder / job.RESULT)
            if report is None:
                raise LostError(
                    f"The engine ended while {id} was at work. Repair: the supervisor restarts it by itself, "
                    "so run this again; its log is shown by `python -m devstack logs engine`."
                )
            return report

    async def cancel(self, id: str, state: str, message: str) -> None:
        """Ask for the end of a run; what has ended is left alone."""
        await self.ask("cancel", id=id, state=state, message=message)
