"""Which lines are one user's: rows in every shape a topic can hold, and other people's beside them."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinflow.erasure import ERASED, Request, User, blank, drop, erased, zipped
from pinflow.errors import EraseError

NAME = "Zoë Abbott"
USER = User(frozenset({4, 40}), NAME, (20, "2015-10-21 03:04:05"), sole=False)
SOLE = User(frozenset({4}), NAME, None, sole=True)


def row(ind: Any, first: Any = "Zoë", last: Any = "Abbott", age: Any = 20, **more: Any) -> bytes:
    fields = {"ind": ind, "first_name": first, "last_name": last, "age": age}
    return json.dumps({**fields, "date_joined": "2015-10-21T03:04:05", **more}).encode()


@pytest.mark.parametrize(
    "line",
    [
        row(4),
        row(4, "Other", "Person"),
        row(4.0),
        row("4"),
        b' \t{"ind" : 4 , "age": NaN}\r',
        b'{"ind":9,"ind":4}',
        b'{"ind":4,"first_name":"Zo',
        b'\xff{"ind": "4"',
        b'[{"ind":40}]',
        row(9),
        row(9, date_joined="2015:10:21 03:04:05"),
        json.dumps(json.loads(row(9)), ensure_ascii=True).encode(),
    ],
)
def test_a_line_of_the_users_posts_or_of_the_user_is_theirs(line: bytes) -> None:
    assert USER.owns("user", line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        row(None, "Other"),
        row(9, age=21),
        row(9, age=None),
        row(9, date_joined="2015-10-22T03:04:05"),
        row(9, date_joined=None),
        row(9, "Zoe"),
        row(44, "a"),
        row(400, "a"),
        row(-4, "a"),
        row(9, "a", "b", text='"ind":4'),
        row(9, "a", "b", inner={"ind": 4}),
        b'{"index":9,"title":"{\\"index\\":4}"}',
        b'{"first_name":"Zo\xc3\xab","last_name":"Abbott"',
    ],
)
def test_other_peoples_lines_are_not(line: bytes) -> None:
    assert not USER.owns("user", line)


def test_junk_with_the_name_goes_only_when_nobody_else_has_it() -> None:
    junk = '{"first_name":"Zoë" , "last_name" :"Abbott","age":2'.encode()
    assert SOLE.owns("user", junk)
    assert SOLE.owns("user", b'{"first_name":"Zo\\u00eb","last_name":"Abbott","age":2')
    assert not SOLE.owns("pin", junk)
    assert not USER.owns("user", junk)
    assert not SOLE.owns("user", b'{"first_name":"Zo\xc3\xab","age":2')


def test_pin_and_geo_go_by_their_own_key() -> None:
    assert USER.owns("pin", b'{"index":4,"title":"x"}')
    assert not USER.owns("pin", b'{"index":5,"ind":4}')
    assert USER.owns("geo", b'{"ind":4}')


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), st.integers(0, 5))
def test_every_other_line_keeps_its_number_and_its_bytes(others: list[bytes], at: int) -> None:
    others = [line for line in others if not USER.owns("geo", line)]
    at = min(at, len(others))
    lines = [*others[:at], b'{"ind":4}', *others[at:]]
    content, count = blank(b"\n".join([*lines, b""]), "geo", USER)
    assert count == 1
    after = content.split(b"\n")
    assert [*after[:at], *after[at + 1 : -1]] == others
    assert json.loads(after[at]) == {"ind": ERASED}
    assert erased(after[at], "ind")
    assert blank(content, "geo", USER) == (content, 0)


def test_an_id_file_loses_the_posts_and_nothing_else() -> None:
    lines = [
        {"ind": ind, "post_ts": "2022-10-15T00:00:00Z", "partition": 0, "offset": ind} for ind in (3, 4, 5)
    ]
    packed = gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode())
    content, count = zipped(lambda inside: drop(inside, USER.posts), packed)
    assert count == 1
    assert [json.loads(line)["ind"] for line in gzip.decompress(content).splitlines()] == [3, 5]


def test_a_request_holds_what_is_given_and_tells_only_the_names_digest() -> None:
    request = Request.parse({"user_name": NAME, "age": None, "date_joined": "2015-10-21"})
    assert request.to_json() == {"name_sha256": request.digest, "age": None, "date_joined": "2015-10-21"}
    assert NAME not in json.dumps(request.to_json(), ensure_ascii=False)
    assert Request.parse({"user_name": NAME}).given == {}
    exact = Request.parse({"user_name": NAME, "date_joined": "2015-10-21T03:04:05"})
    assert exact.given == {"date_joined": "2015-10-21 03:04:05"}


@pytest.mark.parametrize(
    ("param", "said"),
    [
        ("Zoë Abbott", "no object"),
        ({}, "no object"),
        ({"user_name": NAME, "posts": [1]}, "no object"),
        ({"user_name": " "}, "user_name is no text"),
        ({"user_name": 7}, "user_name is no text"),
        ({"user_name": NAME, "age": "20' OR 1=1"}, "age is no whole number"),
        ({"user_name": NAME, "age": True}, "age is no whole number"),
        ({"user_name": NAME, "date_joined": "'; DROP TABLE x"}, "date_joined is no date"),
        ({"user_name": NAME, "date_joined": 2015}, "date_joined is no date"),
    ],
)
def test_a_request_that_names_nobody_is_refused_without_repeating_the_name(param: Any, said: str) -> None:
    with pytest.raises(EraseError, match=rf"{said}.*Repair: .*#erase") as raised:
        Request.parse(param)
    assert NAME not in str(raised.value)
