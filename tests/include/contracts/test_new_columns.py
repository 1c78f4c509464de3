"""A column that says its own wire type: one line is a column and the field it is made of."""

from typing import Any

import pytest

from pinspark.contracts import Contract, ContractError, Field, parse_contract


def contract(*columns: dict[str, Any]) -> Contract:
    first: dict[str, Any] = {"name": "ind", "type": "INT", "from": ["ind"], "rule": "copy", "doc": "Id"}
    first |= {"nullable": False, "key": True}
    data = {
        "table": "geo",
        "source_table": "geolocation_data",
        "doc": "Where",
        "id": "ind",
        "source": [{"name": "ind", "wire": "int", "nullable": False, "doc": "Id"}],
        "columns": [first, *columns],
    }
    return parse_contract(data, "geo.yaml")


def test_a_column_with_a_wire_type_brings_its_field_which_lines_may_lack() -> None:
    made = contract({"name": "language", "type": "STRING", "wire": "text", "doc": "Language"})
    assert made.source[-1] == Field("language", "text", "Language", required=False)
    assert (made.columns[-1].name, made.columns[-1].sources, made.columns[-1].rule) == (
        "language",
        ("language",),
        "copy",
    )
    assert made.names == ["ind", "language"]


def test_its_field_may_have_another_name_and_its_rule_be_another_one() -> None:
    column = {
        "name": "likes",
        "type": "BIGINT",
        "wire": "text",
        "from": ["shown"],
        "rule": "count",
        "doc": "Likes",
    }
    made = contract({**column, "null_markers": ["none"]})
    assert made.fields["shown"] == Field("shown", "text", "Likes", required=False)
    assert (made.columns[-1].rule, made.columns[-1].null_markers) == ("count", ("none",))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"name": "ind", "type": "INT", "wire": "int", "doc": ""}, "column 'ind' stands there twice"),
        (
            {"name": "x", "type": "INT", "wire": "int", "from": ["ind"], "doc": ""},
            "field 'ind' stands there twice",
        ),
        ({"name": "x", "type": "INT", "wire": "blob", "doc": ""}, "unknown wire type 'blob'"),
        (
            {"name": "x", "type": "INT", "wire": "int", "nullable": False, "doc": ""},
            "x: may not be NULL, but lines may lack 'x'",
        ),
        ({"name": "x", "type": "INT", "wire": "int"}, "missing 1 required positional argument: 'doc'"),
        ({"type": "INT", "wire": "int", "doc": ""}, "missing 1 required positional argument: 'name'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_the_repair(column: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError) as error:
        contract(column)
    assert said in str(error.value)
    assert "Repair:" in str(error.value)
