"""Named parameters become literals, and nothing else of a statement changes."""

from typing import Any

import pytest

from devstack.engine.parameters import bind

GIVEN: list[dict[str, Any]] = [
    {"name": "day", "type": "DATE", "value": "2022-10-15"},
    {"name": "text", "value": "it's a \\ back"},
    {"name": "none", "type": "DECIMAL(5, 2)"},
]


@pytest.mark.parametrize(
    ("statement", "bound"),
    [
        ("SELECT :day", "SELECT CAST('2022-10-15' AS DATE)"),
        ("SELECT f(:text)", r"SELECT f(CAST('it\'s a \\ back' AS STRING))"),
        ("SELECT :none,:unknown", "SELECT CAST(NULL AS DECIMAL(5, 2)),:unknown"),
        ("SELECT ':day', \":day\", `:day`, r':day'", None),
        ("SELECT 'it''s :day', 'a\\' :day'", None),
        ("SELECT 1 -- :day\n/* :day\n :day */", None),
        ("SELECT a::date, js:day, `x`:day, f(1)::day", None),
    ],
)
def test_parameters_are_bound_outside_of_texts_and_comments(statement: str, bound: str | None) -> None:
    assert bind(statement, GIVEN) == (bound or statement)


def test_a_type_that_is_no_scalar_is_refused() -> None:
    with pytest.raises(ValueError, match="Repair: use a scalar SQL type"):
        bind("SELECT :a", [{"name": "a", "type": "INT) OR (1 = 1", "value": "1"}])
