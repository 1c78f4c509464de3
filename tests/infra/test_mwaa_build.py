"""What `make mwaa` writes, and what an Airflow with only that on its path makes of it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.mwaa.build import REPO, build

BUILT = ["dags", "plugins.zip", "requirements.txt", "startup.sh"]
# an Airflow that has only a version: whatever else is imported of it, it is not there
PRETENDED = "__version__ = {version!r}\n"
PARSE = """
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
heavy = sorted({"pyspark", "altair", "pandas", "fastapi"} & set(sys.modules))
print(json.dumps({"errors": bag.import_errors, "dags": sorted(bag.dags), "heavy": heavy, "package": sys.modules["pinflow"].__file__}))
"""
SERVE = """
import json
from airflow import plugins_manager
from airflow.api_fastapi.app import init_plugins
from airflow.api_fastapi.core_api.datamodels.plugins import PluginResponse
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
init_plugins(app)
answer = TestClient(app).get("/pinflow/")
info = next(info for info in plugins_manager.get_plugin_info() if info["name"] == "pinflow")
view, = PluginResponse.model_validate(info).external_views
print(json.dumps({"status": answer.status_code, "page": answer.text, "menu": [view.name, view.href, view.destination]}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("mwaa") / "out").parent


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def python(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), **variables}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_two_builds_are_the_same_byte_for_byte(built: Path, tmp_path: Path) -> None:
    # another clone: other times, another umask, compiled files lying about
    clone = tmp_path / "clone"
    for part in ("plugins", "dags", "include", "infra"):
        shutil.copytree(REPO / part, clone / part)
    (clone / "docs").mkdir()
    shutil.copyfile(REPO / "docs" / "runbook.md", clone / "docs" / "runbook.md")
    shutil.copyfile(REPO / "requirements.txt", clone / "requirements.txt")
    (clone / "plugins" / "pinflow" / "__pycache__").mkdir(exist_ok=True)
    (clone / "plugins" / "pinflow" / "__pycache__" / "x.pyc").write_bytes(b"x")
    for file in clone.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    done = python("-m", "infra.mwaa", "build", cwd=clone)
    assert done.returncode == 0, done.stderr
    assert content(clone / "build" / "mwaa") == content(built)


def test_everything_that_is_to_be_uploaded_is_there_and_nothing_else(built: Path) -> None:
    assert sorted(path.name for path in built.iterdir()) == BUILT
    assert (built / "requirements.txt").read_bytes() == (REPO / "requirements.txt").read_bytes()
    assert not [name for name in content(built) if name.endswith(".pyc") or "__pycache__" in name]


def test_the_requirements_are_exact_pins_and_hold_nothing_heavy(built: Path) -> None:
    lines = (built / "requirements.txt").read_text().splitlines()
    assert all(line.count("==") == 1 for line in lines), "MWAA needs exact pins"
    names = {line.split("==")[0] for line in lines}
    assert not names & {"pyspark", "altair", "pandas", "apache-airflow", "moto", "duckdb"}


def test_the_plugins_hold_the_page_and_nothing_of_the_package(built: Path) -> None:
    with zipfile.ZipFile(built / "plugins.zip") as archive:
        assert archive.namelist() == ["pinflow_plugin.py", "pinflow_runbook.md"]
        assert "import pinflow" not in archive.read("pinflow_plugin.py").decode()
    assert (built / "plugins.zip").stat().st_size < 100_000


def test_an_airflow_with_nothing_but_the_tree_imports_every_dag(built: Path, tmp_path: Path) -> None:
    (tmp_path / "parse.py").write_text(PARSE)
    dags = built / "dags"
    done = python(
        "parse.py", str(dags), cwd=tmp_path,
        AIRFLOW_HOME=str(tmp_path / "airflow"), AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(dags), AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path / "none"),
        AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="600", PYTHONPATH=str(dags),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert shown["errors"] == {}
    assert shown["dags"] == sorted(file.stem for file in (REPO / "dags").glob("*.py"))
    assert shown["heavy"] == []
    assert shown["package"].startswith(str(dags))


def test_the_unpacked_plugins_add_a_menu_entry_and_the_page(built: Path, tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    with zipfile.ZipFile(built / "plugins.zip") as archive:
        archive.extractall(tmp_path / "plugins")
    done = python(
        "serve.py", cwd=tmp_path,
        AIRFLOW_HOME=str(tmp_path / "airflow"), AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(built / "dags"), AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path / "plugins"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert shown["status"] == 200
    assert shown["menu"] == ["Pinflow", "pinflow/", "nav"]
    assert '<a id="settings"></a>' in shown["page"]
    assert 'href="../dags/pinterest_batch"' in shown["page"]
    assert "of version" not in done.stderr


@pytest.mark.parametrize("version", ["2.11.0", "3.1.7"])
@pytest.mark.parametrize("file", sorted((REPO / "dags").glob("*.py")), ids=lambda file: file.stem)
def test_an_older_airflow_is_refused_by_its_name(
    built: Path, tmp_path: Path, file: Path, version: str
) -> None:
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").write_text(PRETENDED.format(version=version))
    dag = built / "dags" / "pinflow" / file.name
    done = python("-S", str(dag), cwd=tmp_path, PYTHONPATH=f"{tmp_path}:{built / 'dags'}")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: pinflow ")
    assert f"this is Airflow {version}. Repair: " in last


@pytest.mark.parametrize(
    ("version", "said"),
    [("2.11.0", "will not import before 3.2"), ("3.2.1", "Airflow 3.2.1"), (None, "this is Airflow 0.0")],
)
def test_the_start_of_a_container_says_which_airflow_it_has_and_goes_on(
    built: Path, tmp_path: Path, version: str | None, said: str
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    (folder / "python3").chmod(0o755)
    if version:
        info = tmp_path / f"apache_airflow-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: apache-airflow\nVersion: {version}\n")
    done = subprocess.run(
        ["sh", "-e", "-c", f'. "{built / "startup.sh"}"; echo "goes on"'],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert done.stdout.endswith("goes on\n")
