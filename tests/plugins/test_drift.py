"""The source's columns against the contracts', as rows of information_schema; test_drift_stack asks a database."""

from typing import Any

import pytest
import yaml

from pinflow.drift import compare, source_tables
from pinflow.errors import SourceDriftError, SourceError

KINDS = {"text": "text", "int": "int", "float": "float", "datetime": "datetime"}
Rows = list[dict[str, str]]


def as_expected() -> Rows:
    return [
        column(table.table, wanted.name, KINDS[wanted.wire])
        for table in source_tables().values()
        for wanted in table.columns
    ]


def column(table: str, name: str, kind: str, full: str = "") -> dict[str, str]:
    return {"table_name": table, "column_name": name, "data_type": kind, "column_type": full or kind}


def without(name: str) -> Rows:
    return [row for row in as_expected() if row["column_name"] != name]


def retyped(name: str, kind: str, full: str = "") -> Rows:
    return [
        row | ({"data_type": kind, "column_type": full or kind} if row["column_name"] == name else {})
        for row in as_expected()
    ]


def test_a_source_as_the_contracts_expect_it_is_read_whole_and_silently() -> None:
    drift = compare(as_expected(), "MySQL")
    assert drift.warnings == []
    assert drift.columns == {
        frame: [wanted.name for wanted in table.columns] for frame, table in source_tables().items()
    }
    upper = [{name: value.upper() for name, value in row.items()} for row in as_expected()]
    assert compare(upper, "MySQL") == drift


@pytest.mark.parametrize(
    ("kind", "full", "wire", "clean"),
    [
        ("varchar", "varchar(5)", "text", "STRING"),
        ("bigint", "bigint(20) unsigned", "int", "INT"),
        ("decimal", "decimal(8,2)", "float", "DOUBLE"),
        ("timestamp", "timestamp", "datetime", "TIMESTAMP"),
    ],
)
def test_an_added_column_is_named_with_its_type_and_the_line_that_takes_it_in(
    kind: str, full: str, wire: str, clean: str
) -> None:
    drift = compare([*as_expected(), column("user_data", "extra", kind, full)], "MySQL")
    (warning,) = drift.warnings
    assert warning.startswith(f"user_data.extra {full} is not in the contract and is not read")
    for words in ("include/contracts/user.yaml", "make contracts", "pinterest_setup"):
        assert words in warning
    (line,) = yaml.safe_load(warning.split("`")[1])
    assert line == {"name": "extra", "type": clean, "wire": wire, "doc": "..."}
    assert "extra" not in drift.columns["user"]


def test_an_added_column_of_no_known_type_is_named_too() -> None:
    (warning,) = compare([*as_expected(), column("geolocation_data", "area", "polygon")], "MySQL").warnings
    assert "geolocation_data.area polygon is not in the contract" in warning
    assert "cannot be taken in" in warning


def test_all_missing_columns_stop_the_run_in_one_error_with_the_repair() -> None:
    rows = [row for row in as_expected() if row["column_name"] not in ("category", "age", "downloaded")]
    with pytest.raises(SourceDriftError) as error:
        compare(rows, "MySQL h:3306/d")
    text = str(error.value)
    assert (
        "MySQL h:3306/d: pinterest_data has no column category; user_data has no column age. Repair: " in text
    )
    assert "downloaded" not in text  # it may be absent
    assert text.endswith("(docs/runbook.md#drift)")


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ([("topic", "varchar", "varchar(40)")], "has no column category; renamed to topic varchar(40)?"),
        (
            [("topic", "text", "text"), ("kind", "text", "text")],
            "has no column category; renamed to topic text or kind text?",
        ),
        ([("topic", "int", "int(11)")], "has no column category."),
    ],
    ids=["one", "two", "another type"],
)
def test_a_renamed_column_is_told_as_such_when_an_added_one_is_alike(
    added: list[tuple[str, str, str]], said: str
) -> None:
    rows = [*without("category"), *(column("pinterest_data", *new) for new in added)]
    with pytest.raises(SourceDriftError) as error:
        compare(rows, "MySQL")
    assert said in str(error.value)


def test_a_column_that_may_be_absent_is_not_read_and_told() -> None:
    drift = compare(without("downloaded"), "MySQL")
    assert drift.warnings == ["pinterest_data has no column downloaded; it may be absent and is NULL then"]
    assert "downloaded" not in drift.columns["pin"]
    assert len(drift.columns["pin"]) == len(source_tables()["pin"].columns) - 1


@pytest.mark.parametrize(
    ("name", "kind", "warns"),
    [
        ("follower_count", "int", True),
        ("follower_count", "varchar", False),
        ("age", "varchar", True),
        ("age", "bigint", False),
        ("age", "decimal", True),
        ("latitude", "decimal", False),
        ("latitude", "int", False),
        ("date_joined", "varchar", True),
        ("date_joined", "timestamp", False),
        ("date_joined", "date", True),
    ],
)
def test_a_column_of_another_family_of_types_is_warned_of_and_read(name: str, kind: str, warns: bool) -> None:
    drift = compare(retyped(name, kind), "MySQL")
    assert [f"{name} is {kind}, " in warning for warning in drift.warnings] == [True] * warns
    assert all("may go to quarantine. Repair: " in warning for warning in drift.warnings)
    assert name in [read for columns in drift.columns.values() for read in columns]


def test_a_table_that_is_missing_names_the_grant_and_the_schema() -> None:
    rows: list[dict[str, Any]] = [row for row in as_expected() if row["table_name"] != "user_data"]
    with pytest.raises(
        SourceError, match=r"no such table, or .* not read it: user_data.*Repair: grant SELECT"
    ):
        compare(rows, "MySQL")
