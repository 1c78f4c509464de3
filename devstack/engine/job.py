"""The order and the report of one run, as files in the run's folder.

`job.json` is written by the endpoint, `started` by the run when its own code begins, `outcome.json` by
the run when it ends by itself, and `result.json` last, by the engine, when the process is gone.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

JOB, STARTED, OUTCOME, RESULT = "job.json", "started", "outcome.json", "result.json"


def now_ms() -> int:
    """Return the clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.replace(file)


def read_json(file: Path) -> dict[str, Any] | None:
    """Read a file written by `write_json`; None when it is absent."""
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


def mark_started(folder: Path) -> None:
    """Say that the run's own code begins."""
    (folder / STARTED).write_text(str(now_ms()))


def started_ms(folder: Path) -> int | None:
    """Return when the run's own code began, None when it has not."""
    try:
        return int((folder / STARTED).read_text() or 0)
    except FileNotFoundError:
        return None


def result(folder: Path, exit_status: int, reason: tuple[str, str] | None) -> dict[str, Any]:
    """Say how a process ended; `reason` (state, message) is why the engine ended it, if it did."""
    ended = {"started": started_ms(folder), "ended": now_ms()}
    outcome = read_json(folder / OUTCOME)
    if outcome and (reason is None or outcome["state"] == "SUCCESS"):
        return {**outcome, **ended}
    if reason:
        return {"state": reason[0], "error": reason[1], "trace": "", **ended}
    if os.WIFSIGNALED(exit_status):
        error = (
            f"The run's process was ended by signal {os.WTERMSIG(exit_status)}. Repair: if that was not you, "
            "the machine ran out of memory: close other programs or handle less at a time, and run again."
        )
    else:
        error = f"The run's process ended with status {os.waitstatus_to_exitcode(exit_status)} by itself."
    return {"state": "FAILED", "error": error, "trace": "", **ended}
