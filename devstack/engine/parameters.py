"""Named parameters of a statement, written into it as typed literals.

Spark 4.2 binds `args` inside its parser, and Delta 4.4's parser, which stands in front of it, drops them.
"""

import re
from typing import Any

# what may hold a colon without meaning a parameter comes first, so that it is passed over
_TOKENS = re.compile(
    r"""
    (?P<skip> r'[^']*' | r"[^"]*" | '(?:\\.|''|[^'\\])*' | "(?:\\.|""|[^"\\])*" | `(?:``|[^`])*`
            | --[^\n]* | /\*.*?\*/ | ::)
    | (?<![\w`\])]) : (?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_TYPE = re.compile(r"[A-Za-z_]+(\(\s*\d+\s*(,\s*\d+\s*)?\))?")


def bind(statement: str, parameters: list[dict[str, Any]]) -> str:
    """Replace each `:name` that is given; raises ValueError for a type that is no scalar."""
    literals = {item["name"]: _literal(item) for item in parameters}

    def replace(found: re.Match[str]) -> str:
        return literals.get(found["name"] or "", found[0])

    return _TOKENS.sub(replace, statement) if literals else statement


def _literal(item: dict[str, Any]) -> str:
    kind, value = str(item.get("type") or "STRING"), item.get("value")
    if not _TYPE.fullmatch(kind.strip()):
        raise ValueError(f"Parameter {item['name']} has the type {kind!r}. Repair: use a scalar SQL type.")
    if value is None:
        return f"CAST(NULL AS {kind})"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"CAST('{text}' AS {kind})"
