import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import pinspark.contracts as module
from pinspark.contracts import TABLES, ContractError, contract_text, load_contract, parse_contract

ORDER = {
    "pin": "ind unique_id title description follower_count poster_name tag_list is_image_or_video image_src "
    "save_location category",
    "geo": "ind country coordinates timestamp",
    "user": "ind user_name age date_joined",
}
TYPES = {
    "pin": {"ind": "INT", "follower_count": "BIGINT"},
    "geo": {"ind": "INT", "coordinates": "ARRAY<DOUBLE>", "timestamp": "TIMESTAMP"},
    "user": {"ind": "INT", "age": "INT", "date_joined": "TIMESTAMP"},
}


@pytest.mark.parametrize("table", TABLES)
def test_columns_stand_in_the_agreed_order_with_the_agreed_types(table: str) -> None:
    contract = load_contract(table)
    assert contract.names == ORDER[table].split()
    assert {c.name: c.type for c in contract.columns if c.type != "STRING"} == TYPES[table]


@pytest.mark.parametrize("table", TABLES)
def test_every_audit_has_the_rules_that_stop_a_run(table: str) -> None:
    fails = {rule.rule for rule in load_contract(table).quality if rule.action == "fail"}
    assert {"sums", "types", "unique", "in_window"} <= fails


def test_all_faults_of_a_contract_come_in_one_error_with_the_repair() -> None:
    broken = {
        "table": "pin",
        "id": "nowhere",
        "colour": "red",
        "source": [
            {"name": "a", "wire": "blob", "doc": ""},
            {"name": "b", "wire": "int", "doc": "", "colour": 1},
        ],
        "columns": [{"name": "x", "type": "INT", "from": ["missing"], "rule": "guess", "doc": ""}],
        "rows": [{"rule": "other", "expect": "y > 0", "action": "stop"}],
        "relations": [
            {"columns": ["z"], "to": "posts", "to_columns": ["ind"], "action": "quarantine", "doc": ""}
        ],
        "quality": [{"rule": "nonsense", "action": "explode", "doc": ""}, {"action": "warn", "doc": ""}],
    }
    with pytest.raises(ContractError) as error:
        parse_contract(broken, "pin.yaml")
    text = str(error.value)
    for part in (
        *(
            "unknown colour;",
            "blob",
            "has unknown colour",
            "guess",
            "missing",
            "nonsense",
            "explode",
            "nowhere",
        ),
        *(
            "no column is the key",
            "other: unknown column y",
            "other: action is 'stop'",
            "unknown table 'posts'",
        ),
        *(
            "relation(z to posts): unknown column z",
            "relation(z to posts): action is 'quarantine'",
            "Repair:",
        ),
    ):
        assert part in text, part


def changed(table: str, **parts: Any) -> dict[str, Any]:
    """A contract of the repository with other parts; `columns` and `source` change entries by their name."""
    data: dict[str, Any] = yaml.safe_load(contract_text(table))
    for part in ("columns", "source"):
        for name, words in parts.pop(part, {}).items():
            next(entry for entry in data[part] if entry["name"] == name).update(words)
    return data | parts


@pytest.mark.parametrize(
    ("table", "parts", "fault"),
    [
        ("user", {"columns": {"user_name": {"values": [1]}}}, r"user_name: values \[1\] are no STRING"),
        ("user", {"columns": {"age": {"values": ["x"]}}}, r"age: values \['x'\] are no INT"),
        ("user", {"columns": {"age": {"values": "x"}}}, "age: values are a list"),
        ("geo", {"columns": {"coordinates": {"values": [1]}}}, "values are for STRING, INT and BIGINT"),
        ("user", {"columns": {"user_name": {"minimum": 1}}}, "user_name: minimum and maximum are numbers"),
        ("user", {"columns": {"age": {"minimum": "1"}}}, "age: minimum and maximum are numbers"),
        ("user", {"columns": {"age": {"minimum": 200}}}, "age: minimum is above maximum"),
        ("user", {"columns": {"age": {"range_action": "no"}}}, r"range\(age\): action is 'no', not one of warn, "),
        ("pin", {"columns": {"category": {"values_action": "no"}}}, r"values\(category\): action is 'no'"),
        ("user", {"columns": {"age": {"pii": False}}}, "age: pii here and in the fields it is made of differ"),
        ("user", {"source": {"first_name": {"pii": False}, "last_name": {"pii": False}}}, "user_name: pii here"),
        ("user", {"rows": [{"rule": "a", "expect": 1, "action": "warn"}]}, "a: expect is no text"),
        ("user", {"rows": [{"rule": "a", "expect": "1 = 1", "action": "warn"}]}, "a: no column in it"),
        ("user", {"rows": [{"rule": "a", "expect": "CAST(user_name AS INT) > 0", "action": "warn"}]}, "TRY_CAST"),
        ("user", {"rows": [{"rule": "a", "expect": "age::STRING > ''", "action": "warn"}]}, "TRY_CAST"),
        ("user", {"rows": [{"rule": "age", "expect": "age > 0", "action": "warn"}]}, "'age' is no name for a rule"),
        ("user", {"rows": [{"rule": "row", "expect": "age > 0", "action": "warn"}]}, "'row' is no name for a rule"),
        ("user", {"rows": [{"rule": "A: b", "expect": "age > 0", "action": "warn"}]}, "'A: b' is no name for a rule"),
        ("user", {"rows": [{"rule": "a", "expect": "age > 0", "action": "warn"}] * 2}, "2 rules are called a"),
        ("user", {"rows": [{"rule": "a", "expect": "age > 0", "action": "warn", "if": 1}]}, "'a' has unknown if"),
        ("user", {"relations": [{"columns": ["ind"], "to": "geo", "to_columns": [], "action": "warn", "doc": ""}]}, "not as many"),
        ("user", {"relations": [{"columns": "ind", "to": "geo", "to_columns": ["ind"], "action": "warn", "doc": ""}]}, "are lists"),
    ],
)  # fmt: skip
def test_a_fault_of_a_rule_is_named(table: str, parts: dict[str, Any], fault: str) -> None:
    assert parse_contract(changed(table), "x.yaml")
    with pytest.raises(ContractError, match=f"x.yaml: .*{fault}.*Repair:"):
        parse_contract(changed(table, **parts), "x.yaml")


def test_what_a_column_says_of_its_values_is_a_rule_with_an_action_of_its_own() -> None:
    data = changed(
        "user",
        columns={
            "age": {"values": [20, 21]},
            "user_name": {"values": ["O'Hara \\"], "values_action": "warn"},
        },
        rows=[{"rule": "grown_up", "expect": "age > 17", "action": "fail"}],
    )
    contract = parse_contract(data, "user.yaml")
    rules = {rule.rule: (rule.expect, rule.action, rule.doc) for rule in contract.row_rules}
    assert rules == {
        "grown_up": ("age > 17", "fail", ""),
        "range(age)": ("`age` >= 13 AND `age` <= 120", "warn", "age is at least 13 and at most 120"),
        "values(age)": ("`age` IN (20, 21)", "quarantine", "age is one of 20, 21"),
        "values(user_name)": (
            r"`user_name` IN ('O\'Hara \\')",
            "warn",
            "user_name is one of O'Hara \\",
        ),
    }
    assert [rule.rule for rule in contract.refusing_rules] == ["values(age)"]
    assert [rule.rule for rule in contract.values_checks] == ["values(user_name)"]
    assert [rule.rule for rule in contract.counted_rules] == ["grown_up", "range(age)"]
    assert contract.row_rules[0].reason == "grown_up: age > 17"


@pytest.mark.parametrize("table", TABLES)
def test_names_and_what_tells_who_somebody_is_are_marked(table: str) -> None:
    marked = {column.name for column in load_contract(table).columns if column.pii}
    assert (
        marked == {"pin": {"poster_name"}, "geo": set(), "user": {"user_name", "age", "date_joined"}}[table]
    )


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(ContractError, match="'posts'"):
        load_contract("posts")


def test_a_zipped_package_reads_the_contracts_it_carries(tmp_path: Path) -> None:
    import subprocess
    import sys

    package, wheel = Path(module.__file__).parent, tmp_path / "pinspark-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in package.glob("*.py"):
            archive.write(path, f"pinspark/{path.name}")
        for path in (package.parents[1] / "contracts").glob("*.yaml"):
            archive.write(path, f"pinspark/contracts_data/{path.name}")
    code = "from pinspark.contracts import *; import pinspark; print(pinspark.__file__, load_contract('geo').names)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
    )
    assert str(wheel) in shown.stdout, shown.stderr
    assert "coordinates" in shown.stdout
