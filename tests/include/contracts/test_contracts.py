import zipfile
from pathlib import Path

import pytest

import pinspark.contracts as module
from pinspark.contracts import TABLES, ContractError, load_contract, parse_contract

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
        "key": ["ind"],
        "source": [
            {"name": "a", "wire": "blob", "doc": ""},
            {"name": "b", "wire": "int", "doc": "", "colour": 1},
        ],
        "columns": [{"name": "x", "type": "INT", "from": ["missing"], "rule": "guess", "doc": ""}],
        "quality": [{"rule": "nonsense", "action": "explode", "doc": ""}, {"action": "warn", "doc": ""}],
    }
    with pytest.raises(ContractError) as error:
        parse_contract(broken, "pin.yaml")
    text = str(error.value)
    for part in ("blob", "colour", "guess", "missing", "nonsense", "explode", "'ind'", "nowhere", "Repair:"):
        assert part in text


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
