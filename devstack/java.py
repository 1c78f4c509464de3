"""What Java asks of the files it reads."""

import json
from collections.abc import Mapping
from pathlib import Path


def write_properties(path: Path, values: Mapping[str, str]) -> None:
    """Write a .properties file; Java reads it as Latin-1, so every other sign is escaped."""
    lines = (f"{key}={_escape(value)}\n" for key, value in values.items())
    path.write_text("".join(lines), encoding="ascii")


def _escape(value: str) -> str:
    r"""Escape as JSON does, which Java reads the same: `\\` and `\uXXXX`, and `\"` is a quote."""
    return json.dumps(value)[1:-1]
