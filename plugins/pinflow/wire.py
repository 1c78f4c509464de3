"""A source row as it goes over the wire, and the line that takes the place of one that is too large."""

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

# the job `clean` knows it by this name (pinspark.landing)
OVERSIZE = "pinflow_oversize"


def _plain(value: object) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(f"a column of type {type(value).__name__} has no JSON form")


# one encoder: json.dumps makes a new one each time
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode


def wire(row: dict[str, Any]) -> bytes:
    """Write a source row as it goes over the wire: one JSON object, numbers as numbers, ISO 8601."""
    return _COMPACT(row).encode("utf-8", "replace")


def fit(key: str, ind: int, line: bytes, most: int) -> bytes:
    """Return the line, or of one with more than `most` bytes its id, size and SHA-256, for quarantine."""
    if len(line) <= most:
        return line
    said = {"bytes": len(line), "limit": most, "sha256": hashlib.sha256(line).hexdigest()}
    return _COMPACT({key: ind, OVERSIZE: said}).encode()
