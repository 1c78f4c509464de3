"""The forking parent: one thread, a Unix socket, a process for each run; it never opens a gRPC channel.

A request is one line of JSON, its answer another: `ping`, `list`, `start` (id, folder), `wait` (id; answered
when that run has ended), `cancel` (id, state, message).
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from devstack.engine import child, job, warm
from devstack.engine.server import REPAIR, SparkServer

TICK = 0.5
GRACE = 3.0
# Spark loses an interrupt that meets a statement while it is planned, and then nothing ends it any more
PLANNED = 1.5
REFUSALS = 2
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass
class Run:
    """A process at work."""

    id: str
    folder: Path
    pid: int
    session: str
    reason: tuple[str, str] | None = None
    kill_at: float | None = None
    waiters: list[socket.socket] = field(default_factory=list)


class Parent:
    """Starts, watches and ends runs."""

    def __init__(self, path: Path, server: SparkServer) -> None:
        self.path = path
        self.server = server
        self.runs: dict[str, Run] = {}
        self.warming: int | None = None
        self.refusals = REFUSALS  # a server not yet seen counts as away, so its first answer warms it
        self.listener = self._listen()
        self.wake, self.signalled = socket.socketpair()
        for end in (self.wake, self.signalled):
            end.setblocking(False)
        signal.set_wakeup_fd(self.signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._leave)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self.selector.register(self.wake, selectors.EVENT_READ, self._drain)

    def _listen(self) -> socket.socket:
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        self.path.chmod(0o600)
        listener.listen(64)
        return listener

    def serve(self) -> NoReturn:
        """Answer requests until a signal ends this process."""
        print(f"engine: listening on {self.path}, Spark on port {self.server.port}", flush=True)
        last = 0.0
        while True:
            for key, _ in self.selector.select(TICK):
                key.data(key.fileobj)
            self._reap()
            if time.monotonic() - last >= TICK:
                last = time.monotonic()
                self._tick()

    def _drain(self, wake: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            wake.recv(4096)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(5)
        self.selector.register(connection, selectors.EVENT_READ, self._request)

    def _request(self, connection: socket.socket) -> None:
        self.selector.unregister(connection)
        try:
            line = connection.makefile("rb").readline()
            if not line:
                connection.close()
                return
            request = json.loads(line)
            answers: dict[str, Callable[..., dict[str, Any] | None]] = {
                "ping": self._ping,
                "list": self._list,
                "start": self._start,
                "wait": self._wait,
                "cancel": self._cancel,
            }
            answer = answers[request.pop("op")](connection, **request)
        except Exception as error:  # noqa: BLE001 - a bad request must not end the others' runs
            traceback.print_exc()
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        if answer is not None:
            _answer(connection, answer)

    def _ping(self, connection: socket.socket) -> dict[str, Any]:
        del connection
        return {"ok": True, "pid": os.getpid(), "spark": self.server.answers(), "warming": bool(self.warming)}

    def _list(self, connection: socket.socket) -> dict[str, Any]:
        del connection
        return {"ok": True, "ids": sorted(self.runs)}

    def _start(self, connection: socket.socket, id: str, folder: str) -> dict[str, Any]:
        del connection
        if id not in self.runs:
            session, place = str(uuid.uuid4()), Path(folder)
            pid = self._fork(lambda: child.execute(place, session, self.server), place)
            self.runs[id] = Run(id, place, pid, session)
            print(f"{id}: started as process {pid}", flush=True)
        return {"ok": True, "pid": self.runs[id].pid}

    def _wait(self, connection: socket.socket, id: str) -> dict[str, Any] | None:
        if id not in self.runs:
            return {"ok": True}
        self.runs[id].waiters.append(connection)
        return None

    def _cancel(self, connection: socket.socket, id: str, state: str, message: str) -> dict[str, Any]:
        del connection
        if id in self.runs:
            self._end(self.runs[id], (state, message))
        return {"ok": True}

    def _fork(self, work: Callable[[], int], folder: Path) -> int:
        """Run `work` in a process of its own; its return value is the exit status."""
        sys.stdout.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # a child must not meet a signal with our handlers
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            return pid
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            child.detach(folder)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            status = work()
        except BaseException:  # noqa: BLE001 - nothing of the child may reach the parent's code
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _end(self, run: Run, reason: tuple[str, str]) -> None:
        """Stop a run: its work in Spark first, then its process group."""
        if run.reason is None:
            run.reason = reason
            run.kill_at = time.monotonic() + GRACE
            self._release(run)
            _signal_group(run.pid, signal.SIGTERM)

    def _release(self, run: Run) -> None:
        """Interrupt a session from a process that may open a channel, when its statement is planned."""

        def release() -> None:
            time.sleep(PLANNED)
            self.server.release(run.session)

        if self.server.answers():
            self._fork(lambda: warm.bounded(release), self.path.parent)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.warming = None if pid == self.warming else self.warming
            run = next((run for run in self.runs.values() if run.pid == pid), None)
            if run:
                self._ended(run, status)

    def _ended(self, run: Run, status: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # what the run itself has started
        if os.WIFSIGNALED(status) and run.reason is None:
            self._release(run)
        report = job.result(run.folder, status, run.reason)
        job.write_json(run.folder / job.RESULT, report)
        del self.runs[run.id]
        print(
            f"{run.id}: {report['state']} {report['error'].splitlines()[0] if report['error'] else ''}",
            flush=True,
        )
        for waiter in run.waiters:
            _answer(waiter, {"ok": True})

    def _tick(self) -> None:
        """Kill what does not end, notice a lost Spark server, warm one that came."""
        for run in self.runs.values():
            if run.kill_at and time.monotonic() > run.kill_at:
                _signal_group(run.pid, signal.SIGKILL)
        if self.server.answers():
            if self.refusals >= REFUSALS and not self.runs:  # a run that waits warms it by itself
                self.warming = self._fork(lambda: warm.warm(self.server), self.path.parent)
            self.refusals = 0
            return
        self.refusals += 1
        if self.refusals == REFUSALS:
            for run in self.runs.values():
                if job.started_ms(run.folder) is not None:
                    self._end(
                        run, ("LOST", f"The Spark server went away while the run was at work. {REPAIR}")
                    )

    def _leave(self, number: int, frame: object) -> NoReturn:
        """End every run, then this process."""
        del number, frame
        for run in self.runs.values():
            run.reason = run.reason or ("LOST", f"The engine was stopped while the run was at work. {REPAIR}")
            _signal_group(run.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while self.runs and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        self.path.unlink(missing_ok=True)
        os._exit(0)


def _signal_group(pid: int, number: int) -> None:
    """Signal a run's group; before it has made one, the process itself."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(answer).encode() + b"\n")
    connection.close()
