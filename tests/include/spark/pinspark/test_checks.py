from pathlib import Path

import pytest

from pinspark import checks as module
from pinspark.check_statements import statements, write
from pinspark.checks import CheckError, load_checks
from pinspark.contracts import ContractError, parse_contract
from tests.include.conftest import SQL
from tests.include.contracts.test_contracts import changed

HEADERS = ("-- ", "-- grain: one row, ", "-- reads: {{ stage }}.", "-- params: stage, run", "-- table: ", "-- action: ")  # fmt: skip
GOOD = "-- Doc.\n-- grain: one\n-- reads: x\n-- params: stage, run\n-- table: pin\n-- action: warn\n-- rule: own\nSELECT 1"  # fmt: skip


def test_statements_in_the_repository_are_what_the_contracts_say_and_others_stay(tmp_path: Path) -> None:
    repair = "Repair: make contracts"
    stored = {path.name: path.read_text("utf-8") for path in (SQL / "checks").glob("*.sql")}
    (tmp_path / "pin_values_old.sql").write_text(f"-- No more{module.MADE}\nSELECT 1")
    (tmp_path / "pin_by_hand.sql").write_text(GOOD)
    made = {path.name: path.read_text("utf-8") for path in write(tmp_path)}
    assert {name: text for name, text in stored.items() if module.MADE in text} == made, repair
    assert {path.name for path in tmp_path.iterdir()} == {*made, "pin_by_hand.sql"}


def test_every_check_has_its_header_and_a_name_of_its_own() -> None:
    found = load_checks()
    assert {check.file.split("_")[0] for check in found} == {check.table for check in found}
    for check in found:
        for line, wanted in zip(check.sql.split("\n"), HEADERS, strict=False):
            assert line.startswith(wanted), f"{check.file}: {line}"
        assert "made by" not in check.doc


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD.replace("-- rule: own\n", ""), "a.sql lacks the header rule"),
        (GOOD.replace("pin", "posts"), "a.sql: unknown table 'posts'"),
        (GOOD.replace("warn", "quarantine"), "a.sql: action is 'quarantine'"),
        (GOOD.replace("own", "sums"), "2 rules of pin are called sums"),
        (GOOD.replace("own", "range(follower_count)"), r"2 rules of pin are called range\(follower_count\)"),
    ],
)
def test_faults_of_a_check_are_named_with_the_repair(
    monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    monkeypatch.setattr(module, "check_texts", lambda: {"a.sql": text, "b.sql": GOOD.replace("own", "other")})
    with pytest.raises(CheckError, match=f"{fault}.*Repair:"):
        load_checks()


def test_a_relation_to_a_column_that_is_not_there_is_refused() -> None:
    relation = {"columns": ["ind"], "to": "geo", "to_columns": ["age"], "action": "warn", "doc": ""}
    contract = parse_contract(changed("user", relations=[relation]), "user.yaml")
    with pytest.raises(ContractError, match=r"relation\(ind to geo\): geo has no column age.*Repair:"):
        statements(contract)


def test_values_that_refuse_rows_are_no_statement_and_texts_are_quoted() -> None:
    columns = {"user_name": {"values": ["O'Hara"], "values_action": "fail"}, "age": {"values": [20]}}
    made = statements(parse_contract(changed("user", columns=columns), "user.yaml"))
    assert set(made) == {"user_unique_ind.sql", "user_values_user_name.sql", "user_relation_ind_geo.sql"}
    assert r"'O\'Hara'" in made["user_values_user_name.sql"]
