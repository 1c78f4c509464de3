"""What `make contracts` writes is up to date, and a new column costs one line of a contract."""

from pathlib import Path

from pinspark.generate import REPO, generate
from tests.include.changed import add_lines, copy, diff, make_contracts

LINE = "{name: language, type: STRING, wire: text, doc: Language of the post}"


def test_what_is_made_from_the_contracts_is_as_they_say(tmp_path: Path) -> None:
    changed = [str(path.relative_to(tmp_path)) for path in generate(copy(tmp_path))]
    assert changed == [], "Repair: make contracts"


def test_adding_a_column_is_one_line_of_a_contract_and_what_make_contracts_writes(tmp_path: Path) -> None:
    old, new = copy(tmp_path / "old"), copy(tmp_path / "new")
    add_lines(new, "pin", "- name: description", LINE)
    assert diff(old, new) == {"include/contracts/pin.yaml": (1, 0)}
    written = make_contracts(new)
    changed = diff(old, new)
    assert changed.pop("include/contracts/pin.yaml") == (1, 0)
    assert changed == {
        "docs/catalogue.md": (4, 0),  # the diagram, the tables of both layers, the source
        "include/contracts/source.json": (2, 1),  # the comma of the line above
        "include/sql/silver/silver_pin.sql": (1, 0),
        "include/sql/silver/speed_pin.sql": (1, 0),
        "include/sql/silver/stage_pin.sql": (1, 0),
    }
    assert written == [*changed, "5 files changed"]
    assert make_contracts(new) == ["0 files changed"]


def test_a_column_that_is_taken_back_leaves_no_trace(tmp_path: Path) -> None:
    old, new = copy(tmp_path / "old"), copy(tmp_path / "new")
    contract = new / "include" / "contracts" / "pin.yaml"
    before = contract.read_text("utf-8")
    add_lines(new, "pin", "- name: description", LINE)
    make_contracts(new)
    contract.write_text(before, "utf-8")
    make_contracts(new)
    assert diff(old, new) == {}


def test_a_statement_that_no_table_asks_for_is_removed_and_named(tmp_path: Path) -> None:
    repo = copy(tmp_path)
    stale = repo / "include" / "sql" / "silver" / "silver_old.sql"
    stale.write_text("SELECT 1", "utf-8")
    assert generate(repo) == [stale]
    assert not stale.exists()


def test_make_contracts_runs_both_generators_of_this_repository() -> None:
    import subprocess

    done = subprocess.run(
        ["make", "-n", "--no-print-directory", "contracts"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()[-2:]
    assert first.startswith("PYTHONPATH=include/spark ")
    assert first.endswith("-m pinspark.generate")
    assert second.endswith("-m infra.reference")
