"""What the stack knows of one service: how it is started, probed and finished."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from devstack.config import REPO


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Service:
    """One supervised process; `prepare` and `after` are idempotent, `ready` never raises."""

    name: str
    command: list[str]
    ready: Callable[[], bool]
    env: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    ports: dict[str, int] = field(default_factory=dict)
    user: str | None = None
    prepare: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing
    directory: Path = REPO
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    ready_seconds: float = 180


def port_open(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
