"""Values of a dump: can the column hold it? What it holds and the cleaning refuses is for the quarantine."""

import re
from collections.abc import Callable
from datetime import datetime

from devstack.source.columns import Column

Value = int | float | str | datetime | None
INT = (-(2**31), 2**31 - 1)
FLOAT = 3.402823466e38
TEXT = 65_535
FIRST_YEAR = 1000  # MySQL's DATETIME begins here
SHOWN = 40
LONGEST_INT = 10

_WHOLE = re.compile(r"([+-]?)0*([0-9]+?)(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(
    r"([0-9]{4})([-/:])([0-9]{1,2})\2([0-9]{1,2})"
    r"(?:[T ]([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.0{0,9})?)?)?"
)


class Number(str):
    """A number as it was written, without quotes."""

    __slots__ = ()


class Other(str):
    """What is neither a text nor a number nor NULL, as it was written."""

    __slots__ = ()


class UnfitError(ValueError):
    """The column cannot hold the value; the message says what it can hold."""


Given = str | None  # a text, a Number, an Other, or NULL


def is_number(text: str) -> bool:
    """Tell whether a text is a number literal."""
    return _NUMBER.fullmatch(text) is not None


def read(column: Column, given: Given, *, typed: bool) -> Value:
    """Return the value that the column will hold; `typed`: the format tells numbers from texts."""
    if given is None:
        if column.nullable:
            return None
        raise UnfitError("a value, not NULL")
    written_as_number = isinstance(given, Number)
    is_numeric = column.wire in ("int", "float")
    if isinstance(given, Other) or (written_as_number != is_numeric and (typed or written_as_number)):
        raise UnfitError(_EXPECTED[column.type])
    return _READERS[column.type](column, given)


def shown(given: Given) -> str:
    """Show a value in a message: on one line, and not all of a long one."""
    if given is None:
        return "NULL"
    text = given[:SHOWN] + "…" if len(given) > SHOWN else given[:]
    written = text if isinstance(given, Number) else repr(text)
    return f"{written} ({len(given):,} characters)" if len(given) > SHOWN else written


def _whole(column: Column, given: str) -> int:
    found = _WHOLE.fullmatch(given.strip(" \t"))
    # the length first: a hostile number may have more digits than int() reads
    number = int(found[1] + found[2]) if found and len(found[2]) <= LONGEST_INT else INT[1] + 1
    if not INT[0] <= number <= INT[1]:
        raise UnfitError(_EXPECTED[column.type])
    return number


def _real(column: Column, given: str) -> float:
    text = given.strip(" \t")
    if not is_number(text) or not abs(float(text)) <= FLOAT:
        raise UnfitError(_EXPECTED[column.type])
    return float(text)


def _time(column: Column, given: str) -> datetime:
    found = _TIME.fullmatch(given.strip(" \t"))
    try:
        if not found or int(found[1]) < FIRST_YEAR:
            raise ValueError(given)
        year, month, day, hour, minute, second = (int(part or 0) for part in found.group(1, 3, 4, 5, 6, 7))
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise UnfitError(_EXPECTED[column.type]) from None


def _text(column: Column, given: str) -> str:
    try:
        size = len(given) if given.isascii() else len(given.encode())
    except UnicodeEncodeError:
        raise UnfitError("text in valid UTF-8, without lone surrogates") from None
    if size > TEXT:
        raise UnfitError(f"at most {TEXT:,} bytes of UTF-8, not {size:,}")
    if column.length and len(given) > column.length:
        raise UnfitError(f"at most {column.length} characters, not {len(given):,}")
    return given


_EXPECTED = {
    "INT": f"a whole number from {INT[0]} to {INT[1]}",
    "FLOAT": "a number of at most 3.4e38",
    "DATETIME": "a time as 2022-10-18 21:05:00, from the year 1000 on, without a zone",
    "TEXT": "a text in quotes",
    "VARCHAR": "a text in quotes",
}
_READERS: dict[str, Callable[[Column, str], Value]] = {
    "INT": _whole,
    "FLOAT": _real,
    "DATETIME": _time,
    "TEXT": _text,
    "VARCHAR": _text,
}
