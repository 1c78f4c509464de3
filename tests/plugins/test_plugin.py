"""The plugin: what it says at start, and its page as a browser gets it."""

import logging
import subprocess
import sys
from pathlib import Path

import pinflow_plugin as plugin
import pytest
from airflow.configuration import conf

from pinflow import __version__

REPO = Path(__file__).resolve().parents[2]


def dags_of(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pinflow").mkdir()
    (folder / "pinflow" / "__init__.py").write_text(f'"""Package."""\n\n__version__ = "{version}"\n')
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(folder))
    assert conf.get("core", "dags_folder") == str(folder)


def test_the_plugin_is_of_the_packages_version_and_knows_its_dags() -> None:
    assert __version__ == plugin.VERSION
    assert sorted(plugin.DAG_IDS) == sorted(file.stem for file in (REPO / "dags").glob("*.py"))


def test_dags_of_another_version_are_said_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dags_of("0.0.9", tmp_path, monkeypatch)
    with caplog.at_level(logging.WARNING):
        plugin.PinflowPlugin.on_load()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"The plugin pinflow is of version {__version__}, the DAGs are of version 0.0.9. ")
    assert said.endswith("Repair: deploy plugins.zip and dags/pinflow of one `make mwaa`.")
    assert "of version 0.0.9" in plugin.page()


def test_dags_of_the_same_version_are_not_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dags_of(__version__, tmp_path, monkeypatch)
    with caplog.at_level(logging.WARNING):
        plugin.PinflowPlugin.on_load()
    assert caplog.records == []


def test_an_airflow_without_our_dags_is_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))
    monkeypatch.setattr(plugin, "_HERE", tmp_path)
    assert plugin.version_of_dags() is None
    assert plugin.difference() is None


def test_the_plugin_loads_where_the_package_is_not(tmp_path: Path) -> None:
    (tmp_path / "pinflow_plugin.py").write_bytes((REPO / "plugins" / "pinflow_plugin.py").read_bytes())
    code = "import sys, pinflow_plugin; pinflow_plugin.PinflowPlugin.on_load(); assert 'pinflow' not in sys.modules; assert 'fastapi' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
