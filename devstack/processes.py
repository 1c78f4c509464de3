"""Find, weigh and end the processes of one stack: all that carry its mark in their environment."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "DEVSTACK_STATE"


def ours(state_dir: Path) -> list[psutil.Process]:
    """Return every process marked with this state folder and their descendants, without this command."""
    skipped = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid not in skipped and marked(process, state_dir):
            found |= {member.pid: member for member in tree(process.pid)}
    return [process for pid, process in found.items() if pid not in skipped and not _is_zombie(process)]


def marked(process: psutil.Process, state_dir: Path) -> bool:
    """Tell whether a process was started with this state folder's mark."""
    try:
        return process.environ().get(MARK) == str(state_dir.resolve())
    except (psutil.Error, OSError):
        return False


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def describe(process: psutil.Process) -> str:
    """Name a process by pid and the start of its command line."""
    try:
        command = " ".join(process.cmdline())[:100] or process.name()
    except psutil.Error:
        command = "gone"
    return f"{process.pid} ({command})"


def end(found: Iterable[psutil.Process], patience: float = 10) -> None:
    """Ask processes to end, then kill those that stay."""
    left = list(found)
    for process in left:
        _signal(process, "terminate")
    _, left = psutil.wait_procs(left, timeout=patience)
    for process in left:
        _signal(process, "kill")
    psutil.wait_procs(left, timeout=5)


def _signal(process: psutil.Process, what: str) -> None:
    try:
        getattr(process, what)()
    except psutil.NoSuchProcess:
        return


def wait_gone(pid: int, seconds: float) -> bool:
    """Wait until a process has gone; tell whether it has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if _is_zombie(psutil.Process(pid)):
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def megabytes(process: psutil.Process) -> float:
    """Weigh one process by its proportional share of memory, so that shared pages count once over all."""
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    try:
        return float(process.memory_full_info().uss) / 2**20
    except (psutil.Error, AttributeError):
        return 0.0


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def listener(port: int) -> str | None:
    """Describe who listens on a port, when the system tells."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        address: tuple[object, ...] = tuple(connection.laddr)
        if connection.status == psutil.CONN_LISTEN and address[1:2] == (port,) and connection.pid:
            return describe(psutil.Process(connection.pid))
    return None
