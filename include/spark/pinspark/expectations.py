"""Expectations of the contracts: the names in a SQL condition, found without a parser of SQL."""

import re
from collections.abc import Callable, Collection, Iterator

_PARTS = re.compile(
    r"""'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*"     # texts
      | `(?P<quoted>[^`]+)`
      | \d+(?:\.\d+)?(?:[eE][+-]?\d+)?\w*          # numbers, 1e6 and 5L among them
      | \.\s*\w+                                   # a field of a column
      | \bAS\s+\w+                                 # a type, in TRY_CAST(x AS DATE)
      | [A-Za-z_]\w*(?=\s*[('])                    # IN (, a function, the type of a literal
      | (?P<word>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_FUNCTION = re.compile(r"([A-Za-z_]\w*)\s*\(")
KEYWORDS = {
    *("AND", "OR", "NOT", "IN", "IS", "NULL", "TRUE", "FALSE", "BETWEEN", "LIKE", "RLIKE", "ILIKE", "ESCAPE"),
    *("CASE", "WHEN", "THEN", "ELSE", "END", "DISTINCT", "FROM", "DIV", "INTERVAL"),
    *("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"),
    *("YEARS", "MONTHS", "DAYS", "HOURS", "MINUTES", "SECONDS"),
}


def _names(expect: str) -> Iterator[re.Match[str]]:
    for found in _PARTS.finditer(expect):
        if found["quoted"] or (found["word"] and found["word"].upper() not in KEYWORDS):
            yield found


def names_in(expect: str) -> list[str]:
    """Columns that an expectation names, in small letters, each once and in order."""
    return list(dict.fromkeys((found["quoted"] or found["word"]).lower() for found in _names(expect)))


def renamed(expect: str, name: Callable[[str], str]) -> str:
    """Write an expectation anew with other names of its columns."""
    parts, at = [], 0
    for found in _names(expect):
        parts += [expect[at : found.start()], f"`{name((found['quoted'] or found['word']).lower())}`"]
        at = found.end()
    return "".join([*parts, expect[at:]])


def faults_in(expect: str, columns: Collection[str]) -> list[str]:
    """List the names that are no column, and what could fail on a value and would show it."""
    unknown = [name for name in names_in(expect) if name not in columns]
    faults = [f"unknown column {', '.join(unknown)}"] if unknown else []
    called = {found.upper() for found in _FUNCTION.findall(_without_texts(expect))}
    if "CAST" in called or "::" in _without_texts(expect):
        faults.append("a cast that fails on some values; TRY_CAST gives NULL")
    return faults if names_in(expect) else [*faults, "no column in it"]


def _without_texts(expect: str) -> str:
    return _PARTS.sub(lambda found: "''" if found[0][0] in "'\"" else found[0], expect)


def quoted(value: str | float) -> str:
    """Write a value as a literal of SQL."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)
