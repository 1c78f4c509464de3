"""Our supervisor daemon: its generated configuration and its calls over a Unix socket."""

import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil

from devstack import loopback, processes
from devstack.config import Settings
from devstack.errors import StackError
from devstack.service import Service

# of our own surroundings only these reach the services, so that every shell starts the same stack
INHERITED = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH")
INHERITED_ENDINGS = ("_PROXY", "_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_ROOTS_FILE_PATH")
LOG_BYTES = "20MB"
ENDED = ("STOPPED", "EXITED", "FATAL")


def config_file(settings: Settings) -> Path:
    """Name the generated configuration."""
    return settings.state_dir / "supervisord.conf"


def socket_file(settings: Settings) -> Path:
    """Name the daemon's Unix socket."""
    return settings.run_dir / "supervisor.sock"


def log_file(settings: Settings, name: str) -> Path:
    """Name the log of a service (or of `supervisord` itself)."""
    return settings.state_dir / "logs" / f"{name}.log"


def render(settings: Settings, services: dict[str, Service]) -> str:
    """Write the daemon's configuration; nothing starts by itself, `up` starts in order."""
    sections = [
        "[unix_http_server]",
        f"file = {socket_file(settings)}",
        "chmod = 0700",
        "[supervisord]",
        f"logfile = {log_file(settings, 'supervisord')}",
        f"pidfile = {settings.run_dir / 'supervisord.pid'}",
        f"directory = {settings.state_dir}",
        "logfile_maxbytes = 5MB\nlogfile_backups = 1\nminfds = 1024\nloglevel = info",
        *(["user = root"] if os.geteuid() == 0 else []),
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    sections += [_program(settings, service) for service in services.values()]
    return "\n".join(sections).replace("%", "%%") + "\n"


def _program(settings: Settings, service: Service) -> str:
    environment = settings.environment() | {"PYTHONUNBUFFERED": "1"} | service.env
    lines = {
        "command": shlex.join(service.command),
        "directory": str(service.directory),
        "environment": ",".join(f'{name}="{value}"' for name, value in sorted(environment.items())),
        "user": service.user,
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "1",
        "startretries": "20",
        "stopsignal": service.stop_signal,
        "stopwaitsecs": str(service.stop_seconds),
        "stopasgroup": "true",
        "killasgroup": "true",
        "stdout_logfile": str(log_file(settings, service.name)),
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": "2",
        "redirect_stderr": "true",
    }
    for name, value in {**environment, **lines}.items():
        # the file format knows no escape for these
        forbidden = ("\n", " ;", " #", *(['"'] if name in environment else []))
        if value and any(sign in value for sign in forbidden):
            raise StackError(
                f"{name} of {service.name} holds a quote, a line feed or a comment sign: {value!r}. "
                "Repair: choose a value (or a folder name) without it."
            )
    return "\n".join(
        [f"[program:{service.name}]", *(f"{key} = {value}" for key, value in lines.items() if value)]
    )


def rpc(settings: Settings) -> Any:
    """Return the daemon's `supervisor` namespace; a proxy serves one thread."""
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{socket_file(settings)}")
    return ServerProxy("http://127.0.0.1", transport=transport).supervisor


def pid(settings: Settings) -> int | None:
    """Return the daemon's pid, or None when it does not run."""
    if not socket_file(settings).exists():
        return None
    try:
        return int(rpc(settings).getPID())
    except (OSError, Fault):
        return None


def ensure(settings: Settings, services: dict[str, Service]) -> None:
    """Make the daemon run and know these services; what runs with the same settings is left alone."""
    settings.state_dir.joinpath("logs").mkdir(parents=True, exist_ok=True)
    config_file(settings).write_text(render(settings, services))
    config_file(settings).chmod(0o600)
    if pid(settings) is None:
        _start(settings)
        return
    daemon = rpc(settings)
    added, changed, _ = daemon.reloadConfig()[0]
    infos = {name: daemon.getProcessInfo(name) for name in changed}
    running = {name: int(info["pid"]) for name, info in infos.items() if info["statename"] not in ENDED}
    if running:
        raise _changed(settings, running)
    for name in changed:
        daemon.removeProcessGroup(name)
    for name in (*added, *changed):
        daemon.addProcessGroup(name)


def _changed(settings: Settings, running: dict[str, int]) -> StackError:
    names: set[str] = set()
    for number in running.values():
        names |= _differing(settings, number)
    which = f" ({', '.join(sorted(names))})" if names else ""
    return StackError(
        f"The settings of {', '.join(running)} changed since they were started{which}. "
        "Repair: give them as they were, or `make down`, then `make up`."
    )


def _differing(settings: Settings, number: int) -> set[str]:
    """Name the DEVSTACK_* variables that a running process was given otherwise."""
    try:
        found = psutil.Process(number).environ()
    except psutil.Error:
        return set()
    given, now = (
        {item for item in variables.items() if item[0].startswith("DEVSTACK_")}
        for variables in (found, settings.environment())
    )
    return {name for name, _ in given ^ now}


def _start(settings: Settings) -> None:
    socket_file(settings).unlink(missing_ok=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED or name.upper().endswith(INHERITED_ENDINGS)
    }
    environment |= {processes.MARK: str(settings.state_dir.resolve())}
    loopback.spare(environment)
    command = [str(settings.airflow_python), "-m", "supervisor.supervisord", "-c", str(config_file(settings))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")
    deadline = time.monotonic() + 10
    while pid(settings) is None:
        if done.returncode or time.monotonic() > deadline:
            raise StackError(
                f"The supervisor did not start: {(done.stdout + done.stderr).strip()[-500:]}. "
                f"Repair: read {log_file(settings, 'supervisord')}, then `make down` and `make up`."
            )
        time.sleep(0.05)


def last_lines(settings: Settings, name: str, count: int = 15) -> list[str]:
    """Return the end of a service's log."""
    try:
        with log_file(settings, name).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []
