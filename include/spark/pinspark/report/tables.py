"""Answers as tables of the page: numbers with their exact value, long ones cut with a remark."""

from dataclasses import dataclass

from pinspark.report.answers import MOST_ROWS, Answer, Value
from pinspark.report.labels import shortened

# of a longer table the first and the last half of these
MOST_SHOWN = 24


@dataclass(frozen=True)
class Cell:
    """One value as it is shown; `value` is the exact one of a number."""

    kind: str
    text: str
    value: str = ""


@dataclass(frozen=True)
class Head:
    """A column's name, and whether it holds numbers."""

    name: str
    numeric: bool


@dataclass(frozen=True)
class Shown:
    """A table of the page."""

    columns: list[Head]
    rows: list[list[Cell]]
    remarks: list[str]


def cell(value: Value) -> Cell:
    """Write a value; broken numbers are rounded where they are shown."""
    if value is None:
        return Cell("null", "none")
    if isinstance(value, (bool, str)):
        return Cell("text", shortened(str(value)))
    text = str(value) if isinstance(value, int) else f"{value:.4f}".rstrip("0").rstrip(".")
    return Cell("number", text, repr(value))


def tile(name: str, value: Value) -> dict[str, str]:
    """Write a headline number with its thousands set apart."""
    shown = cell(value)
    text = f"{value:,}" if isinstance(value, int) else shown.text
    return {"name": name.replace("_", " "), "kind": shown.kind, "text": text, "value": shown.value}


def table(answer: Answer, personal: frozenset[str] = frozenset(), most: int = MOST_SHOWN) -> Shown:
    """Lay an answer out; say what is left out or masked."""
    count, half = len(answer.rows), most // 2
    rows = answer.rows if count <= most else (*answer.rows[:half], *answer.rows[-half:])
    remarks = [] if rows is answer.rows else [f"The first and the last {half} of {_count(answer)} are shown."]
    hidden = [name for name in answer.columns if name in personal]
    remarks += [f"{', '.join(hidden)}: personal, shown as ***."] if hidden and count else []
    remarks += [] if count else ["No rows."]
    heads = [Head(name, _is_numeric(answer.column(name))) for name in answer.columns]
    return Shown(heads, [[cell(value) for value in row] for row in rows], remarks)


def counted(answer: Answer) -> str:
    """Say how many rows there are."""
    return f"{_count(answer)}" if len(answer.rows) != 1 else "1 row"


def _count(answer: Answer) -> str:
    return f"more than {MOST_ROWS} rows" if answer.cut else f"{len(answer.rows)} rows"


def _is_numeric(values: list[Value]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in known
    )
