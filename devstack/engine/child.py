"""What a forked process does: set up its own surroundings, then run one Python file as a script."""

import atexit
import ctypes
import importlib.metadata
import logging
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devstack.engine import job, statement
from devstack.engine.server import SparkServer

WAIT_FOR_SPARK = 90.0
FINISH_SECONDS = 20
_PR_SET_PDEATHSIG = 1


def detach(folder: Path) -> None:
    """Leave the parent's group, files and signals; die with it (Linux)."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for meant in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(meant, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number, name in ((1, "stdout.log"), (2, "stderr.log")):
        log = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, number)
    os.closerange(3, 4096)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def execute(folder: Path, session: str, server: SparkServer) -> int:
    """Do what the folder's job says and report; return the exit status."""
    order = job.read_json(folder / job.JOB) or {}
    logging.getLogger("SQLQueryContextLogger").disabled = True  # it repeats each error as a page of JSON
    work: Callable[[Path, dict[str, Any]], None] = statement.run if order.get("kind") == "sql" else run_file
    try:
        server.wait(WAIT_FOR_SPARK)
        os.environ["SPARK_REMOTE"] = server.url(session)
        job.mark_started(folder)
        work(folder, order)
        threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does: wait for threads
        report = {"state": "SUCCESS", "error": "", "trace": ""}
    except SystemExit as leaving:
        report = _exit_report(leaving)
    except BaseException as error:  # noqa: BLE001 - whatever ends a run is its report
        report = _failure_report(error)
    job.write_json(folder / job.OUTCOME, report)
    _finish()
    return 0 if report["state"] == "SUCCESS" else 1


def _exit_report(leaving: SystemExit) -> dict[str, Any]:
    if leaving.code in (None, 0):
        return {"state": "SUCCESS", "error": "", "trace": ""}
    if isinstance(leaving.code, str):
        print(leaving.code, file=sys.stderr)
        return {"state": "FAILED", "error": leaving.code, "trace": leaving.code}
    error = f"SystemExit: the script ended itself with status {leaving.code}"
    return {"state": "FAILED", "error": error, "trace": "".join(traceback.format_exception(leaving)[-1:])}


def _failure_report(error: BaseException) -> dict[str, Any]:
    frames = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    trace = "".join(traceback.format_exception(type(error), error, frames))
    print(trace, file=sys.stderr, flush=True)
    state = str(getattr(error, "engine_state", "FAILED"))
    return {
        "state": state,
        "error": f"{type(error).__name__}: {_message(error)}",
        "trace": trace,
        **statement.describe(error),
    }


def _message(error: BaseException) -> str:
    """Leave out the server's own stack, which Spark appends to its messages."""
    return str(error).split("\n\nJVM stacktrace:")[0]


def _is_ours(file: str) -> bool:
    return file.startswith(str(Path(__file__).parent)) or file.startswith("<frozen runpy>")


def _finish() -> None:
    """Run what the script left for its end, then give the server's session back, within bounds."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(FINISH_SECONDS)
    try:
        atexit._run_exitfuncs()
        session = sys.modules["pyspark.sql.connect.session"].SparkSession._get_default_session()
        if session is not None:
            session.client.release_session()
    except Exception as error:  # noqa: BLE001 - the run's own outcome stands
        print(f"at the end of the run: {type(error).__name__}: {_message(error)}", file=sys.stderr)
    finally:
        signal.alarm(0)


def run_file(folder: Path, order: dict[str, Any]) -> None:
    """Run the job's Python file as a script of its own."""
    _check_requirements(order.get("requirements", []))
    file = str(order["file"])
    _forget_engine()
    sys.path[:0] = [str(Path(file).parent), *order.get("path", [])]
    sys.argv = [file, *order.get("parameters", [])]
    work = folder / "work"
    work.mkdir(exist_ok=True)
    os.chdir(work)
    runpy.run_path(file, run_name="__main__")


def _forget_engine() -> None:
    """Hide the engine from the script: its modules, its folder, its arguments."""
    root = Path(__file__).resolve().parents[2]
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != root]
    for name in [name for name in sys.modules if name == "devstack" or name.startswith("devstack.")]:
        del sys.modules[name]


def _check_requirements(requirements: list[str]) -> None:
    """Refuse packages that this environment lacks; raises ModuleNotFoundError."""
    from packaging.requirements import Requirement

    for text in requirements:
        wanted = Requirement(text)
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        if not version or not wanted.specifier.contains(version, prereleases=True):
            raise ModuleNotFoundError(
                f"The run asks for {text}; the local engine has {wanted.name} {version or 'not at all'}. "
                "Repair: give it as a wheel (s3://... or /Volumes/...), or add it to requirements/spark.in."
            )
