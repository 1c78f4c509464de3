import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.kafka_rest import envelope
from devstack.kafka_rest.faults import Fault

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(
        st.characters(exclude_categories=["Cs"])
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
TEXTS = st.builds(
    lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent),
    VALUES,
    st.booleans(),
    st.sampled_from([None, 0, 3]),
)


def values(body: bytes) -> list[bytes | None]:
    return [record.value for record in envelope.read(body)]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1.10,"b":123456789012345678901234567890}',
        '{"a" : 1E400, "b":-0, "b":0.0}',
        '{"😀":"\\ud83d\\ude00 שלום e\u0301 \\u0000 \\u2028 \u2028 \\"\\\\\\n"}',
        "[]",
        "42",
        '"42"',
        "true",
        '"' + "x" * 10_000 + '"',
    ],
)
def test_a_value_and_a_key_are_their_own_text(text: str) -> None:
    assert envelope.read(f'{{"records":[ {{"key" :{text} ,"value": {text} }}]}}'.encode()) == [
        (text.encode(), text.encode(), envelope.ANY_PARTITION)
    ]


def test_line_breaks_between_tokens_go_and_those_in_strings_stay() -> None:
    body = b'{"records":[{"value":{\r\n  "a": "b\\nc",\n\t"d": [1,\n2]\r}}]}'
    assert values(body) == [b'{  "a": "b\\nc",\t"d": [1,2]}']


def test_null_and_nothing_are_no_key_and_a_tombstone() -> None:
    body = b'{"records":[{"key":null,"value":null,"partition":null},{},{"value":"null","partition":2}]}'
    assert envelope.read(body) == [(None, None, -1), (None, None, -1), (None, b'"null"', 2)]


def test_of_repeated_names_the_last_counts() -> None:
    assert values(b'{"records":[{"value":1}],"records":[{"value":2,"value":{"a":1,"a":2}}]}') == [
        b'{"a":1,"a":2}'
    ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `records`"),
        (b'{"records":[]}', "length >= 1"),
        (b'{"records":{}}', "Expected `array`"),
        (b'{"records":[1]}', r"Expected `object`, got `int` - at `\$.records\[0\]`"),
        (b'{"records":[{"valeu":1}]}', "unknown field `valeu`"),
        (b'{"records":[{}],"more":1}', "unknown field `more`"),
        (b'{"records":[{"value":NaN}]}', "malformed"),
        (b'{"records":[{"value":01}]}', "malformed"),
        (b'{"records":[{"value":"a\nb"}]}', "malformed"),
        (b'{"records":[{"value":"a\x00b"}]}', "malformed"),
        (b'{"records":[{"value":1}]} x', "malformed"),
        (b'\xef\xbb\xbf{"records":[{"value":1}]}', "malformed"),
        (b'{"records":[{"value":"\\ud800"}]}', "half of a surrogate pair"),
        (b'{"records":[{"value":"\\udc00x"}]}', "half of a surrogate pair"),
        (b'{"records":[{"value":"\xed\xa0\x80"}]}', "not UTF-8"),
        (b'{"records":[{"value":"\xff"}]}', "not UTF-8"),
        (b'{"records":[{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}", "nested too deep"),
        (b'{"records":[{"partition":-1}]}', "int` >= 0"),
        (b'{"records":[{"partition":1.5}]}', "got `float`"),
        (b'{"records":[{"partition":99999999999999999999999999}]}', "partition"),
    ],
)
def test_what_is_no_envelope_says_why_and_what_to_send(body: bytes, why: str) -> None:
    with pytest.raises(Fault, match=rf"{why}.*Repair: send ") as raised:
        envelope.read(body)
    assert (raised.value.status, raised.value.code) == (422, 422)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_every_value_keeps_its_text_but_for_line_breaks_between_tokens(texts: list[str]) -> None:
    body = ('{"records":[\n' + ",".join(f'{{"value":{text}}}' for text in texts) + "]}").encode()
    expected = [None if text == "null" else text.replace("\n", "").encode() for text in texts]
    assert values(body) == expected


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_body_is_an_unexpected_error(noise: bytes) -> None:
    for body in (noise, b'{"records":[{"value":' + noise + b"}]}"):
        with suppress(Fault):
            for value in values(body):
                json.loads(value or b"null")
                assert b"\n" not in (value or b"")
