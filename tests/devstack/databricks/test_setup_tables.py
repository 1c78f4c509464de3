"""Setup's create_tables against the real endpoint, Spark and Delta: tables made, altered, left alone, refused."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.airflow_entries import as_variables
from devstack.config import REPO
from pinflow import paths, setup
from pinflow.errors import SetupError
from tests.devstack.databricks.conftest import Workspace

pytestmark = pytest.mark.stack

LINES = (
    '  - {name: language, type: STRING, wire: text, doc: "Language, the poster\'s own"}\n',
    "  - {name: likes, type: INT, wire: int, doc: Likes of the post}\n",
)


def rows(workspace: Workspace, sql: str) -> list[list[Any]]:
    answer = workspace.statement(sql)
    assert answer["status"]["state"] == "SUCCEEDED", answer
    return (answer.get("result") or {}).get("data_array") or []


def columns(workspace: Workspace, table: str) -> list[str]:
    return [name for name, *_ in rows(workspace, f"DESCRIBE TABLE {table}") if name and name[0] != "#"]


def versions(workspace: Workspace) -> list[int]:
    return [
        len(rows(workspace, f"DESCRIBE HISTORY {schema}.`{table}`"))
        for schema in ("stage", "silver")
        for table in ("pin", "geo", "user")
    ]


def with_lines(folder: Path, python: Path, *lines: str) -> Path:
    """Copy include/ with these lines in pin's contract, behind `title`, and what `make contracts` writes."""
    shutil.copytree(REPO / "include", folder / "include", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs").mkdir()
    contract = folder / "include" / "contracts" / "pin.yaml"
    text = contract.read_text()
    before = "  - name: description\n"
    assert text.count(before) == 1
    contract.write_text(text.replace(before, "".join(lines) + before))
    subprocess.run(
        [str(python), "-m", "pinspark.generate", "--repo", str(folder)],
        env={"PYTHONPATH": str(folder / "include" / "spark")}, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "include"


def test_columns_are_added_to_tables_with_rows_and_nothing_is_ever_dropped(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in as_variables(workspace.settings).items():
        monkeypatch.setenv(name, value)
    folders = ("silver", "star", "serving")
    assert setup.create_tables() == [file for folder in folders for file in paths.sql_files(folder)]
    rows(workspace, "INSERT INTO silver.pin (ind, title, post_date) VALUES (1, 'old', DATE'2022-10-15')")
    before, made = columns(workspace, "silver.pin"), versions(workspace)
    setup.create_tables()
    assert (columns(workspace, "silver.pin"), versions(workspace)) == (before, made)

    monkeypatch.setenv("PINFLOW_INCLUDE", str(with_lines(tmp_path, workspace.settings.spark_python, *LINES)))
    setup.create_tables()
    at = before.index("title") + 1
    assert columns(workspace, "silver.pin") == [*before[:at], "language", "likes", *before[at:]]
    assert columns(workspace, "stage.pin")[: at + 2] == [*before[:at], "language", "likes"]
    assert rows(workspace, "SELECT ind, title, language, likes, post_date FROM silver.pin") == [
        ["1", "old", None, None, "2022-10-15"]
    ]
    altered = versions(workspace)
    assert [new - old for new, old in zip(altered, made, strict=True)] == [1, 0, 0, 1, 0, 0]
    setup.create_tables()
    assert versions(workspace) == altered

    monkeypatch.delenv("PINFLOW_INCLUDE")
    with pytest.raises(SetupError) as error:
        setup.create_tables()
    for name in ("language", "likes"):
        for table in ("`stage`.`pin`", "`silver`.`pin`"):
            assert f"{table}: {name} " in str(error.value)
    assert "no longer in the contract" in str(error.value)
    assert "Repair: " in str(error.value)
    assert versions(workspace) == altered
