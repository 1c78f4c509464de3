"""Lines that are bad, and what is said of them; needs no Spark."""

from collections.abc import Callable
from typing import Any

from tests.include.landed import Row, geo_row, pin_row, user_row, wire

DAY = "2022-10-05"
FIRST = 10_000
EARLY = "joined_in_its_time: Nobody joined before the service was begun in December 2009"
STRICT = "row: not strict JSON: NaN, Infinity, repeated keys inside a value, or too large"


def geo(ind: int, **changes: Any) -> Row:
    return geo_row(ind, timestamp=f"{DAY}T01:02:03") | changes


def without(row: Row, field: str) -> Row:
    return {name: value for name, value in row.items() if name != field}


# table, the line of a post, its reasons
WAYS: dict[str, tuple[str, Callable[[int], bytes], list[str]]] = {
    "repeated keys": (
        "pin",
        lambda ind: wire(pin_row(ind)).replace(b'"title":', b'"title":"other","title":'),
        ["row: repeated keys"],
    ),
    "lone surrogate": (
        "pin",
        lambda ind: wire(pin_row(ind)).replace(b"words", b"\\ud83d"),
        ["row: a lone surrogate"],
    ),
    "no number": ("pin", lambda ind: wire(pin_row(ind)).replace(b'ded":1', b'ded":NaN'), [STRICT]),
    "field missing": ("pin", lambda ind: wire(without(pin_row(ind), "title")), ["title: missing"]),
    "field retyped": ("pin", lambda ind: wire(pin_row(ind, title=7)), ["title: 7 is not a text"]),
    "unreadable count": (
        "pin",
        lambda ind: wire(pin_row(ind, follower_count="many")),
        ["follower_count: 'many' is not a BIGINT (digits, then k or M)"],
    ),
    "no such latitude": (
        "geo",
        lambda ind: wire(geo(ind, latitude=91.5)),
        ["latitude: 91.5 is outside [-90, 90]"],
    ),
    "unreadable time": (
        "geo",
        lambda ind: wire(geo(ind, timestamp="2022-13-45T01:02:03")),
        ["timestamp: '2022-13-45T01:02:03' is not a datetime"],
    ),
    "not UTF-8": ("geo", lambda ind: wire(geo(ind)).replace(b"Cuba", b"\xff"), ["row: not UTF-8"]),
    "impossible date": (
        "user",
        lambda ind: wire(user_row(ind, date_joined="1970-01-01 00:00:00")),
        [EARLY],
    ),
    "age as a text": ("user", lambda ind: wire(user_row(ind, age="20")), ["age: *** (STRING) is not an INT"]),
    "three at once": (
        "user",
        lambda ind: wire(user_row(ind, first_name=5, age=2.5, date_joined="1970-01-01T00:00:00")),
        ["first_name: *** (BIGINT) is not a text", "age: *** (DECIMAL) is not an INT", EARLY],
    ),
}
JUNK = {
    "truncated": wire(pin_row(FIRST))[:-9],
    "null": b"null",
    "array": b"[" + wire(pin_row(FIRST)) + b"]",
    "byte order mark": b"\xef\xbb\xbf" + wire(pin_row(FIRST)),
    "NUL": wire(pin_row(FIRST)).replace(b"words", b"wo\x00rds"),
}
