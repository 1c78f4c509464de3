"""Compiled models accept what a validator of JSON schemas accepts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from devstack.config import Settings
from devstack.gateway import document
from devstack.gateway.definition import DefinitionError
from devstack.gateway.model import compile_model

WRITTEN = document.read(Settings().gateway_file)
SCHEMAS = WRITTEN["components"]["schemas"]
ENVELOPE = {"$ref": "#/components/schemas/Records"}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
RECORD = st.fixed_dictionaries({}, optional={"value": ANY, "key": ANY, "partition": ANY, "other": ANY})
BODY = st.fixed_dictionaries({}, optional={"records": st.lists(RECORD, max_size=3) | ANY, "other": ANY}) | ANY


@given(BODY)
def test_the_envelope_is_checked_as_by_a_json_schema_validator(body: Any) -> None:
    reference = Draft4Validator({**ENVELOPE, "components": {"schemas": SCHEMAS}})
    check = compile_model(ENVELOPE, SCHEMAS, "model")
    assert check(json.dumps(body).encode()) == reference.is_valid(body)


@pytest.mark.parametrize(
    ("count", "fits"),
    [(0, False), (1, True), (1000, True), (1001, False)],
)
def test_the_number_of_records_is_limited_by_the_file(count: int, fits: bool) -> None:
    body = json.dumps({"records": [{"value": {}}] * count}).encode()
    assert compile_model(ENVELOPE, SCHEMAS, "model")(body) is fits


SCHEMA_CASES: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 2, "maximum": 5},
    {"type": "number", "minimum": 0.5},
    {"type": "string", "minLength": 1, "maxLength": 2},
    {"type": "string", "pattern": "^a"},
    {"type": "string", "enum": ["a", "bb"]},
    {"type": "boolean"},
    {"type": "null"},
    {"type": "array", "maxItems": 1},
    {"type": "object", "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    {},
]
INSTANCES = (
    ANY
    | st.integers(0, 6)
    | st.floats(0, 1)
    | st.sampled_from(["a", "bb", "abc", "", {"a": 1}, {"a": 1, "b": 2}, [1]])
)


@given(st.sampled_from(SCHEMA_CASES), INSTANCES)
def test_every_keyword_means_what_json_schema_says(schema: dict[str, Any], instance: Any) -> None:
    check = compile_model(schema, {}, "model")
    assert check(json.dumps(instance).encode()) == Draft4Validator(schema).is_valid(instance)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object", "minProperties": 1}, "minProperties"),
        ({"type": "string", "format": "date"}, "format"),
        ({"type": ["string", "null"]}, "type"),
        ({"type": "string", "nullable": True}, "nullable"),
        ({"anyOf": []}, "anyOf"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "additionalProperties"),
        ({"type": "string", "enum": [1]}, "enum"),
        ({"type": "string", "pattern": "("}, "not executed here"),
        ({"$ref": "#/components/schemas/Absent"}, "Absent"),
        ({"$ref": "#/components/schemas/Loop"}, "holds itself"),
        ({"type": "object", "properties": {"a": {"type": "file"}}}, r"model\.a: type 'file'"),
        ("text", "a schema is needed"),
    ],
)
def test_keywords_that_would_not_be_honoured_are_refused(schema: Any, why: str) -> None:
    schemas = {"Loop": {"type": "array", "items": {"$ref": "#/components/schemas/Loop"}}}
    with pytest.raises(DefinitionError, match=rf"{why}.*Repair: "):
        compile_model(schema, schemas, "model")


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b'{"records":[{"value":{"a":"\xff"}}]}', b"[" * 100_000, b"{}x"]
)
def test_what_is_no_json_is_outside_the_model(body: bytes) -> None:
    assert not compile_model(ENVELOPE, SCHEMAS, "model")(body)
