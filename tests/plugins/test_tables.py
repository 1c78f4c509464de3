"""What setup does to tables that are there, as statements; test_setup_tables in tests/devstack/databricks runs them."""

from typing import Any

import pytest

from pinflow import paths
from pinflow.tables import additions, parse, refusals, stored_columns

FILE = r"""-- what; made from include/contracts by `make contracts`.
-- grain: one row per post
-- reads: nothing
-- params: silver
CREATE TABLE IF NOT EXISTS `12e8`.`silver`.`geo` (
    `ind` INT NOT NULL COMMENT 'Id of the post',
    `names` MAP<STRING, INT> COMMENT 'Poster\'s names, a COMMENT \'x\',',
    `total` DECIMAL(38, 0) COMMENT 'Sum',
    `post_date` DATE COMMENT 'UTC date of the post'
)
USING DELTA
COMMENT 'Where'
CLUSTER BY (post_date)
"""
STORED = {"ind": "int", "names": "map<string,int>", "total": "decimal(38,0)", "post_date": "date"}


def table() -> Any:
    found = parse(FILE)
    assert found
    return found


def without(*names: str) -> dict[str, str]:
    return {name: kind for name, kind in STORED.items() if name not in names}


def test_a_file_is_read_with_types_and_comments_as_they_stand() -> None:
    assert (table().name, table().schema) == ("`12e8`.`silver`.`geo`", "`12e8`.`silver`")
    assert [(c.name, c.type, c.required) for c in table().columns] == [
        ("ind", "INT", True),
        ("names", "MAP<STRING, INT>", False),
        ("total", "DECIMAL(38, 0)", False),
        ("post_date", "DATE", False),
    ]
    assert table().columns[1].comment == r"'Poster\'s names, a COMMENT \'x\','"
    assert parse("CREATE OR REPLACE VIEW x AS SELECT 1") is None


@pytest.mark.parametrize("file", paths.sql_files("silver"))
def test_every_column_of_every_file_is_read(file: str) -> None:
    text = (paths.include_dir() / "sql" / file).read_text()
    found = parse(text.replace("{{ ", "").replace(" }}", ""))
    assert found
    assert len(found.columns) == sum(line.startswith("    `") for line in text.splitlines()) > 0


def test_what_describe_says_after_the_columns_is_no_column() -> None:
    rows: list[list[str | None]] = [
        ["ind", "int", None],
        ["post_date", "date", "UTC"],
        ["# Clustering Information", "", ""],
        ["# col_name", "data_type", "comment"],
        ["post_date", "date", "UTC"],
    ]
    assert stored_columns(rows) == {"ind": "int", "post_date": "date"}
    assert stored_columns([rows[0], ["", "", ""], rows[1]]) == {"ind": "int"}


def test_a_table_as_its_file_has_it_is_left_alone() -> None:
    assert additions(table(), STORED) is None
    assert refusals(table(), STORED) == []


def test_columns_are_added_where_the_file_has_them() -> None:
    assert additions(table(), without("names", "total")) == (
        r"ALTER TABLE `12e8`.`silver`.`geo` ADD COLUMNS (`names` MAP<STRING, INT> COMMENT 'Poster\'s names, a "
        r"COMMENT \'x\',' AFTER `ind`, `total` DECIMAL(38, 0) COMMENT 'Sum' AFTER `names`)"
    )
    added = additions(table(), without("ind"))
    assert added
    assert added.endswith("(`ind` INT COMMENT 'Id of the post' FIRST)")


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({**STORED, "old": "string"}, "old string is stored and no longer in the contract"),
        ({**STORED, "total": "bigint"}, "total is stored as bigint, the contract says DECIMAL(38, 0)"),
        (without("ind"), "ind is new and must not be NULL"),
        (dict(reversed(STORED.items())), "the order is post_date, total, names, ind, the contract says ind"),
    ],
    ids=["removed", "retyped", "required", "order"],
)
def test_what_would_lose_data_is_refused(stored: dict[str, str], said: str) -> None:
    (refused,) = refusals(table(), stored)
    assert refused.startswith(said)
