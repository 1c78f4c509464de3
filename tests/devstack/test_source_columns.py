import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.errors import StackError
from devstack.source import columns

Change = Callable[[list[dict[str, Any]]], None]


@pytest.fixture
def expected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Change], None]]:
    """Change what the contracts expect of user_data."""

    def change(how: Change) -> None:
        said = json.loads(columns.EXPECTED.read_text())
        how(said["tables"]["user"]["columns"])
        (tmp_path / "source.json").write_text(json.dumps(said))
        monkeypatch.setattr(columns, "EXPECTED", tmp_path / "source.json")
        columns.tables.cache_clear()

    yield change
    columns.tables.cache_clear()


def test_a_column_the_local_source_does_not_have_is_left_out(expected: Callable[[Change], None]) -> None:
    before = columns.tables()
    new = {"name": "language", "wire": "text", "required": False, "nullable": True}
    expected(lambda found: found.append(new))
    assert columns.tables() == before
    assert columns.tables()[2].names == ("ind", "first_name", "last_name", "age", "date_joined")


def test_a_column_that_no_contract_reads_is_named_with_the_repair(
    expected: Callable[[Change], None],
) -> None:
    expected(lambda found: found.remove(next(one for one in found if one["name"] == "age")))
    with pytest.raises(StackError, match=r"create_user_data\.sql has columns .*: age\. Repair: .*contracts"):
        columns.tables()
