"""A person's own dump, hostile in every field, on its way from files to silver or quarantine."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from devstack.source.dump import load as load_dump
from tests import answers
from tests.devstack.dumps import TEXTS, hostile, write
from tests.e2e.conftest import TABLES, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.long]
DAY, END = "2022-10-18", "2022-10-19"


def test_a_hostile_dump_is_in_silver_exactly_or_in_quarantine_with_its_reason(
    stack: Stack, tmp_path: Path
) -> None:
    load_dump(stack.settings, str(write(tmp_path, "jsonl", hostile())))
    stack.load(DAY, END, answers=False)
    ledger = stack.assert_ledger_holds(DAY, END)
    window = (datetime.fromisoformat(DAY), datetime.fromisoformat(END))
    expected = answers.clean_expectation(*hostile(), window)
    for table in TABLES:
        counts = expected[table].silver, expected[table].quarantined
        assert (ledger[table]["silver"], ledger[table]["quarantined"]) == counts, table
    kept = {
        int(row["ind"]): row["title"]
        for row in stack.rows(f"SELECT ind, title FROM silver.pin WHERE post_date = '{DAY}'")
    }
    refused = {
        int(row["ind"]): row
        for row in stack.rows(
            f"SELECT ind, raw, reasons FROM silver.quarantine WHERE source_table = 'pin' AND post_date = '{DAY}'"
        )
    }
    assert kept
    assert refused
    for ind, text in enumerate(TEXTS):
        if ind in kept:
            assert kept[ind] == (text if text.strip() else None), ind
        else:
            assert json.loads(refused[ind]["raw"])["title"] == text, ind
            assert "follower_count" in refused[ind]["reasons"]
