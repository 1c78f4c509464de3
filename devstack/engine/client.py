"""Talk to the engine over its Unix socket, from either environment and without waiting for a reply twice."""

import json
import socket
from pathlib import Path
from typing import Any


class EngineDownError(ConnectionError):
    """The engine does not answer; the message names the repair."""


def down(path: Path, error: OSError) -> EngineDownError:
    """Say that nobody answers on the socket."""
    return EngineDownError(
        f"The engine does not answer on {path} ({error}). Repair: `python -m devstack up databricks`; "
        "its log is shown by `python -m devstack logs engine`."
    )


def ask(path: Path, op: str, seconds: float = 5, **arguments: Any) -> dict[str, Any]:
    """Send one request and return its answer; raises EngineDownError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError as error:
            raise down(path, error) from error
    if not line:
        raise down(path, ConnectionResetError("it hung up"))
    answer: dict[str, Any] = json.loads(line)
    return answer
