"""Values as labels: in the order a person expects, without what would disturb the text around them."""

import re
import unicodedata
from typing import Any

NUMBER = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
FACTORS = {"": 1, "k": 1_000, "M": 1_000_000}
NONE = "(none)"
LONGEST = 200
REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def order(value: Any) -> tuple[int, float, str]:
    """Sort None first, then numbers and texts that begin with one (18-24, 50+, 10k-99k) by it, then texts."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, (int, float)):
        return (1, float(value), "")
    found = NUMBER.match(str(value))
    if found:
        return (1, float(found[1]) * FACTORS[found[2]], str(value))
    return (2, 0.0, str(value))


def label(value: Any) -> str:
    """Write a value on one line; control and formatting characters, which could reorder text, are shown."""
    if value is None:
        return NONE
    return "".join(_shown(char) for char in str(value))


def _shown(char: str) -> str:
    if char in "\t\n\r":
        return " "
    hidden = unicodedata.category(char) in ("Cc", "Cs") or char in REORDERING
    return "\ufffd" if hidden else char


def shortened(text: str) -> str:
    """Cut a long text and say how long it was."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
