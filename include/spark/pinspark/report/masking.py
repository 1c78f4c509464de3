"""Personal values are not shown: the contracts say which fields and columns hold them."""

import json
from typing import Any

from pinspark.contracts import TABLES, load_contract
from pinspark.reasons import MASK
from pinspark.report.answers import Answer


def personal_columns() -> frozenset[str]:
    """Name the columns that say who somebody is, of every contract."""
    columns = (column for table in TABLES for column in load_contract(table).columns)
    return frozenset(column.name for column in columns if column.pii)


def masked(answer: Answer, personal: frozenset[str]) -> Answer:
    """Put *** in place of personal values; what is not known stays unknown."""
    hidden = [name in personal for name in answer.columns]
    if not any(hidden):
        return answer
    rows = tuple(
        tuple(MASK if hide and value is not None else value for hide, value in zip(hidden, row, strict=True))
        for row in answer.rows
    )
    return Answer(answer.columns, rows, answer.dates, answer.cut)


def masked_line(source_table: Any, raw: Any) -> str:
    """Show of a refused line the fields that its contract knows and calls not personal."""
    text = "" if raw is None else str(raw)
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or source_table not in TABLES:
        return f"{MASK} ({len(text)} characters)"
    open_fields = {field.name for field in load_contract(str(source_table)).source if not field.pii}
    shown = {name: _shown(name, value, open_fields) for name, value in found.items()}
    return json.dumps(shown, ensure_ascii=False)


def _shown(name: str, value: Any, open_fields: set[str]) -> Any:
    """Hide what no contract knows, too, and what is no single value: its parts may be anything."""
    return value if name in open_fields and not isinstance(value, (dict, list)) else MASK


def masked_lines(answer: Answer) -> Answer:
    """Mask the column `raw` of a sample of the quarantine."""
    table, raw = answer.columns.index("source_table"), answer.columns.index("raw")
    rows = tuple((*row[:raw], masked_line(row[table], row[raw]), *row[raw + 1 :]) for row in answer.rows)
    return Answer(answer.columns, rows, answer.dates, answer.cut)
