"""How a run's end is reported, and how rows are written for a shell."""

import io
from pathlib import Path
from typing import Any

import pytest

from devstack.engine import job
from devstack.lake import Answer, _csv, _json, _table

EXIT_1, KILLED = 1 << 8, 9


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "state", "words"),
    [
        ("SUCCESS", 0, None, "SUCCESS", ""),
        ("FAILED", EXIT_1, None, "FAILED", "its own words"),
        (None, KILLED, None, "FAILED", "ended by signal 9. Repair:"),
        (None, EXIT_1, None, "FAILED", "ended with status 1 by itself"),
        (None, KILLED, ("CANCELED", "Run cancelled."), "CANCELED", "Run cancelled."),
        ("FAILED", EXIT_1, ("CANCELED", "Run cancelled."), "CANCELED", "Run cancelled."),
        ("SUCCESS", 0, ("TIMEDOUT", "late"), "SUCCESS", ""),
    ],
)
def test_a_report_prefers_success_then_the_reason_then_the_runs_own_words(
    tmp_path: Path,
    outcome: str | None,
    status: int,
    reason: tuple[str, str] | None,
    state: str,
    words: str,
) -> None:
    if outcome:
        error = "" if outcome == "SUCCESS" else "its own words"
        job.write_json(tmp_path / job.OUTCOME, {"state": outcome, "error": error, "trace": ""})
    report = job.result(tmp_path, status, reason)
    assert report["state"] == state
    assert words in report["error"]
    assert report["started"] is None


COLUMNS = {
    "id": "LONG",
    "half": "DOUBLE",
    "exact": "DECIMAL",
    "day": "DATE",
    "tags": "ARRAY",
    "on": "BOOLEAN",
}
ROWS: list[list[str | None]] = [
    ["1", "0.5", "2.50", "2022-10-15", '["a"]', "true"],
    [None, "NaN", "12345678901234567890.1", None, None, None],
]


def _answer(rows: list[list[str | None]]) -> Any:
    columns = [{"name": name, "type_name": kind} for name, kind in COLUMNS.items()]
    answer = Answer.__new__(Answer)
    answer.columns = columns
    answer.rows = lambda: iter(rows)  # type: ignore[method-assign]
    return answer


def test_json_keeps_types_and_digits() -> None:
    out = io.StringIO()
    _json(_answer(ROWS), out)
    assert out.getvalue() == (
        '[\n{"id": 1, "half": 0.5, "exact": 2.5, "day": "2022-10-15", "tags": ["a"], "on": true},\n'
        '{"id": null, "half": "NaN", "exact": "12345678901234567890.1", "day": null, "tags": null, "on": null}\n]\n'
    )


def test_csv_has_a_header_and_leaves_null_empty() -> None:
    out = io.StringIO()
    _csv(_answer(ROWS[1:]), out)
    assert out.getvalue() == "id,half,exact,day,tags,on\n,NaN,12345678901234567890.1,,,\n"


def test_a_table_shows_null_and_text_as_it_is() -> None:
    out = io.StringIO()
    _table(_answer([["1", "0.5", "[red]", None, None, None]]), out)
    assert "NULL" in out.getvalue()
    assert "[red]" in out.getvalue()
    assert "1 row\n" in out.getvalue()
