"""Record the peak memory of all processes of the stack; runs as one of its supervised programs."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import psutil

from devstack import processes
from devstack.config import REPO, Settings
from devstack.service import Service

INTERVAL = 2.0


class Peak(TypedDict):
    """The record in peak_memory.json; megabytes are MiB, shared pages counted once."""

    peak_megabytes: float
    at: str
    processes: int
    by_program: dict[str, float]


def record(settings: Settings) -> Path:
    """Name the file of the record."""
    return settings.state_dir / "peak_memory.json"


def peak(settings: Settings) -> Peak | None:
    """Return the record since the last `forget`, if there is one."""
    try:
        found: Peak = json.loads(record(settings).read_text())
    except (OSError, ValueError):
        return None
    return found


def forget(settings: Settings) -> None:
    """Start a new record."""
    record(settings).unlink(missing_ok=True)


class Sampler:
    """Weigh the stack's processes again and again; what belongs to it is looked up once a process."""

    def __init__(self, settings: Settings) -> None:
        self.state_dir = settings.state_dir
        self.known: dict[tuple[int, float], str | None] = {}

    def sample(self) -> dict[str, float]:
        """Return megabytes by program."""
        alive: dict[tuple[int, float], str | None] = {}
        by_pid: dict[int, str | None] = {}
        total: dict[str, float] = {}
        for process in psutil.process_iter():
            try:
                key = (process.pid, process.create_time())
                label = self.known[key] if key in self.known else self._label(process, by_pid)
            except (psutil.Error, OSError):
                continue
            alive[key] = by_pid[process.pid] = label
            if label:
                total[label] = total.get(label, 0.0) + processes.megabytes(process)
        self.known = alive
        return total

    def _label(self, process: psutil.Process, by_pid: dict[int, str | None]) -> str | None:
        """Name the program a process belongs to: by its mark, as a child, or as one of our commands."""
        if processes.marked(process, self.state_dir):
            return process.environ().get("SUPERVISOR_PROCESS_NAME", "supervisor")
        if parent := by_pid.get(process.ppid()):
            return parent
        command = process.cmdline()[:4]
        is_command = "-m" in command and "devstack" in command and Path(process.cwd()) == REPO
        return "command" if is_command else None


def _sample_once(settings: Settings, sampler: Sampler) -> None:
    total = sampler.sample()
    best = peak(settings)
    megabytes = sum(total.values())
    if best is None or megabytes > best["peak_megabytes"]:
        now: Peak = {
            "peak_megabytes": round(megabytes, 1),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "processes": sum(1 for label in sampler.known.values() if label),
            "by_program": {name: round(total[name], 1) for name in sorted(total, key=lambda n: -total[n])},
        }
        fresh = record(settings).with_suffix(".new")
        fresh.write_text(json.dumps(now, indent=1))
        fresh.replace(record(settings))


def main() -> None:
    """Sample until the supervisor ends us."""
    settings = Settings()
    sampler = Sampler(settings)
    while True:
        begun = time.process_time()
        _sample_once(settings, sampler)
        # a busy machine with large processes makes a sample dear: never more than a fiftieth of a core
        time.sleep(max(INTERVAL, 50 * (time.process_time() - begun)))


def service(settings: Settings) -> Service:
    """Describe the sampler to the supervisor."""
    command = [str(settings.airflow_python), "-m", "devstack.memory"]
    return Service(name="memory", command=command, ready=lambda: True)


if __name__ == "__main__":
    main()
