"""Start, stop and show the stack's services: `up`, `down`, `reset`, `status`."""

import fcntl
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from xmlrpc.client import Fault

from devstack import account, jars, memory, processes, registry, supervisord
from devstack.config import MARKER, Settings
from devstack.errors import StackError
from devstack.service import Service

Say = Callable[[str], None]
ALIVE = ("STARTING", "RUNNING", "BACKOFF", "STOPPING")


@dataclass(frozen=True)
class Row:
    """One service as `status` shows it; memory in MiB, uptime in seconds."""

    name: str
    state: str
    pid: int | None
    ports: tuple[int, ...]
    megabytes: float
    uptime: int


def up(settings: Settings, wanted: Iterable[str] = (), say: Say = print) -> None:
    """Start the wanted services (all by default) and what they need, each when its needs are ready."""
    with _locked(settings):
        _claim_state(settings)
        fetched = jars.ensure(settings)
        if fetched:
            say(f"jars: {fetched:.0f} MB downloaded")
        services = registry.services(settings)
        order = registry.with_needs(services, wanted)
        sampler = memory.service(settings)
        _stop_failing(settings, {*order, sampler.name})
        _check_ports(settings, [services[name] for name in order])
        supervisord.ensure(settings, services | {sampler.name: sampler})
        _launch(settings, sampler)
        _start_all(settings, [services[name] for name in order], say)


def _stop_failing(settings: Settings, names: set[str]) -> None:
    """Stop what the supervisor itself tries again and again: that it would refuse to start."""
    for name in names & {str(info["name"]) for info in _infos(settings)}:
        while (state := _state(settings, name)) == "STARTING":
            time.sleep(0.1)
        if state == "BACKOFF":
            _stop(settings, name)


def _start_all(settings: Settings, todo: list[Service], say: Say) -> None:
    """Start services side by side, none before its needs; the first error stops the rest from starting."""
    done: set[str] = set()
    running: dict[Future[float], Service] = {}
    waiting = {service.name: service for service in todo}
    with ThreadPoolExecutor(max_workers=len(todo)) as pool:
        while waiting or running:
            for name in [name for name, service in waiting.items() if done.issuperset(service.needs)]:
                service = waiting.pop(name)
                running[pool.submit(start, settings, service)] = service
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                service = running.pop(future)
                seconds = future.result()
                done.add(service.name)
                say(f"{service.name:<20} ready   {seconds:5.1f} s   {_where(service)}".rstrip())


def _where(service: Service) -> str:
    return " ".join(f"127.0.0.1:{port}" for port in service.ports.values())


def start(settings: Settings, service: Service) -> float:
    """Prepare, start and await one service; return the seconds it took."""
    begun = time.monotonic()
    if not _is_running(settings, service.name):
        service.prepare()
        _launch(settings, service)
    _await_ready(settings, service, begun)
    service.after()
    return time.monotonic() - begun


def _is_running(settings: Settings, name: str) -> bool:
    return _state(settings, name) in ("STARTING", "RUNNING")


def _state(settings: Settings, name: str) -> str:
    return str(supervisord.rpc(settings).getProcessInfo(name)["statename"])


def _launch(settings: Settings, service: Service) -> None:
    if not _is_running(settings, service.name):
        try:
            supervisord.rpc(settings).startProcess(service.name, False)
        except Fault as fault:
            raise _failure(settings, service, f"did not start ({fault.faultString})") from fault


def _await_ready(settings: Settings, service: Service, begun: float) -> None:
    daemon = supervisord.rpc(settings)
    while True:
        info = daemon.getProcessInfo(service.name)
        if info["statename"] in ("STARTING", "RUNNING") and service.ready():
            return
        if info["statename"] in ("FATAL", "EXITED", "STOPPED", "UNKNOWN", "BACKOFF"):
            raise _failure(
                settings, service, f"ended while starting ({info['spawnerr'] or info['statename']})"
            )
        if time.monotonic() - begun > service.ready_seconds:
            raise _failure(settings, service, f"was not ready after {service.ready_seconds:.0f} s")
        time.sleep(0.1)


def _failure(settings: Settings, service: Service, what: str) -> StackError:
    lines = "\n    ".join(supervisord.last_lines(settings, service.name)) or "(empty)"
    log = supervisord.log_file(settings, service.name)
    return StackError(
        f"Service {service.name} {what}. The last lines of {log}:\n    {lines}\n"
        "Repair: mend what the log says, then `make up` again (after `make down` if you change a setting; "
        "`make reset` forgets all state)."
    )


def _check_ports(settings: Settings, todo: list[Service]) -> None:
    """Raise one error naming every port that is taken by somebody else."""
    alive = {row["name"] for row in _infos(settings) if row["statename"] in ALIVE}
    taken = []
    for service in todo:
        for setting, port in service.ports.items():
            if service.name not in alive and not _is_free(port):
                holder = processes.listener(port) or "a process we may not look at"
                taken.append(
                    f"port {port} of {service.name} is taken by {holder}: "
                    f"set DEVSTACK_{setting.upper()} to a free port, or end that process"
                )
    if taken:
        raise StackError(
            f"{'; '.join(taken)}. Repair: as said, or move all ports with DEVSTACK_PORT_OFFSET=1000."
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _infos(settings: Settings) -> list[dict[str, object]]:
    if supervisord.pid(settings) is None:
        return []
    return list(supervisord.rpc(settings).getAllProcessInfo())


def status(settings: Settings) -> list[Row]:
    """Return a row for each service that has been started, and for those that could be."""
    services = registry.services(settings)
    infos = {str(info["name"]): info for info in _infos(settings)}
    rows = []
    for name in [*services, "memory", *(name for name in infos if name not in {*services, "memory"})]:
        info = infos.get(name)
        alive = bool(info and info["pid"])
        pid = int(str(info["pid"])) if info and alive else None
        rows.append(
            Row(
                name=name,
                state=str(info["statename"]).lower() if info else "stopped",
                pid=pid,
                ports=tuple(services[name].ports.values()) if name in services else (),
                megabytes=sum(processes.megabytes(process) for process in processes.tree(pid))
                if pid
                else 0.0,
                uptime=int(str(info["now"])) - int(str(info["start"])) if info and alive else 0,
            )
        )
    return rows


def down(settings: Settings, say: Say = print) -> None:
    """Stop every service, dependants first, and prove that no process of this stack is left."""
    with _locked(settings):
        daemon_pid = supervisord.pid(settings)
        if daemon_pid is not None:
            _stop_all(settings)
            supervisord.rpc(settings).shutdown()
            processes.wait_gone(daemon_pid, 20)
        left = processes.ours(settings.state_dir)
        if left:
            say(f"ending {len(left)} leftover process(es): {', '.join(map(processes.describe, left))}")
            processes.end(left)
            left = processes.ours(settings.state_dir)
        if left:
            names = ", ".join(map(processes.describe, left))
            raise StackError(f"These processes do not end: {names}. Repair: kill them by hand.")
        supervisord.socket_file(settings).unlink(missing_ok=True)
        say("down: no process of the stack is left")


def _stop_all(settings: Settings) -> None:
    """Stop level by level: a service stops when all that need it have stopped."""
    known = registry.services(settings)
    alive = {str(info["name"]) for info in _infos(settings) if info["statename"] in ALIVE}
    while alive:
        needed = {need for name in alive if name in known for need in known[name].needs}
        level = [name for name in alive if name not in needed] or list(alive)
        with ThreadPoolExecutor(max_workers=len(level)) as pool:
            list(pool.map(lambda name: _stop(settings, name), level))
        alive -= set(level)


def _stop(settings: Settings, name: str) -> None:
    try:
        supervisord.rpc(settings).stopProcess(name)
    except Fault:
        return  # it ended by itself meanwhile


def reset(settings: Settings, say: Say = print) -> None:
    """Stop the stack and forget all its data; the download cache stays."""
    down(settings, say)
    if settings.state_dir.exists() and not (settings.state_dir / MARKER).exists():
        raise StackError(
            f"{settings.state_dir} was not made by `up`, so it is not removed. Repair: remove it by hand."
        )
    for folder in (settings.state_dir, account.fallback_dir(settings.state_dir), settings.run_dir):
        if folder.exists():
            shutil.rmtree(folder)
    say(f"reset: forgot {settings.state_dir}")


def _claim_state(settings: Settings) -> None:
    """Mark the state folder as ours, so that `reset` never removes anything else."""
    folder = settings.state_dir
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MARKER).exists():
        return
    foreign = {path.name for path in folder.iterdir()} - {*registry.FACTORIES, "logs"}
    if foreign:
        raise StackError(
            f"{folder} holds other things ({', '.join(sorted(foreign)[:3])}). "
            "Repair: set DEVSTACK_STATE_DIR to an empty folder."
        )
    (folder / MARKER).touch()


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """Let one `up` or `down` work at a time."""
    with (settings.run_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise StackError(
                f"Another `up`, `down` or `reset` of {settings.state_dir} is at work. Repair: wait for it."
            ) from busy
        yield
