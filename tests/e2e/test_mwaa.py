"""The tree that MWAA gets, alone, in an environment with exactly MWAA's pins."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack import airflow_entries, bootstrap
from infra.mwaa.build import build
from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e
REPO = Path(__file__).resolve().parents[2]
DAY, END = "2022-12-05", "2022-12-06"

# runs inside MWAA's environment: imports, then renders every templated field of every task
CHECK = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
from datetime import datetime, timedelta, UTC
from airflow.dag_processing.dagbag import BundleDagBag

folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
import pinflow
manifest = {"table": "pin", "partitions": {}}
erasure = {"wanted": {}, "objects": [], "posts": "s3://x", "found": {}, "name_sha256": "x"}
rendered = 0
for dag in bag.dags.values():
    for task in dag.tasks:
        if task.is_mapped:
            continue  # what it renders is known when it has run
        ti = SimpleNamespace(xcom_pull=lambda *a, **k: manifest | erasure, try_number=1)
        context = {
            "ti": ti, "task": task, "params": dag.params.dump(), "run_id": "r", "expanded_ti_count": None,
            "dag_run": SimpleNamespace(start_date=datetime.now(UTC)), "macros": SimpleNamespace(timedelta=timedelta),
        }
        fields = [f for f in task.template_fields if f in ("sql", "target", "arguments", "job")]
        task.template_fields = fields
        task.render_template_fields(context)
        for field in fields:
            assert "{{" not in str(getattr(task, field)), (task.task_id, field)
            rendered += 1
print(json.dumps({"errors": bag.import_errors, "dags": sorted(bag.dags), "pinflow": pinflow.__file__, "rendered": rendered}))
"""


@pytest.fixture(scope="module")
def mwaa(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> Any:
    """A new virtual environment with MWAA's pins, the built tree, and the local connections as variables."""
    folder = tmp_path_factory.mktemp("mwaa")
    uv = bootstrap.find_uv()
    venv = folder / "venv"
    python = str(venv / "bin" / "python")
    subprocess.run([uv, "venv", "-q", "--python", bootstrap.find_python(uv), str(venv)], check=True)
    lock = str(REPO / "requirements" / "mwaa.lock")
    subprocess.run([uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock], check=True)
    dags = build(folder / "build")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "no-plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(dags),
        "NO_PROXY": "127.0.0.1",
        "AIRFLOW_VAR_PINFLOW": json.dumps(airflow_entries.variable(stack.settings)),
    }
    for entry in airflow_entries.connections(stack.settings):
        fields = {k: v for k, v in entry.items() if k not in ("connection_id", "description")}
        fields["extra"] = json.loads(fields.get("extra", "{}"))
        environment[f"AIRFLOW_CONN_{entry['connection_id'].upper()}"] = json.dumps(fields)
    (folder / "check.py").write_text(CHECK)
    return folder, python, dags, environment


def run(mwaa: Any, *command: str) -> str:
    folder, python, _, environment = mwaa
    done = subprocess.run(
        [python, *command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_tree_is_self_contained_and_has_nothing_beside_it(mwaa: Any) -> None:
    dags = mwaa[2]
    assert [path.name for path in dags.iterdir()] == ["pinflow"]
    names = {path.name for path in (dags / "pinflow").iterdir()}
    assert {
        ".airflowignore",
        "include",
        "pinterest_batch.py",
        "pinterest_live.py",
        "pinterest_maintenance.py",
        "pinterest_replay.py",
        "pinterest_setup.py",
        "pinterest_stream.py",
    } <= names
    assert "window.py" in names


def test_the_dags_import_and_every_template_renders_with_exactly_mwaas_pins(mwaa: Any) -> None:
    shown = json.loads(run(mwaa, "check.py", str(mwaa[2])).splitlines()[-1])
    assert shown["errors"] == {}
    assert shown["dags"] == [
        "pinterest_batch",
        "pinterest_live",
        "pinterest_maintenance",
        "pinterest_replay",
        "pinterest_setup",
        "pinterest_stream",
    ]
    assert shown["pinflow"].startswith(str(mwaa[2]))
    assert shown["rendered"] > 30


@pytest.mark.long
def test_a_day_runs_from_that_tree_against_the_stack(mwaa: Any, stack: Stack) -> None:
    ind = stack.mysql(f"SELECT min(ind) FROM geolocation_data WHERE date(`timestamp`) = '{DAY}'")[0][0]
    stack.mysql(f"UPDATE pinterest_data SET title = 'from the tree' WHERE `index` = {ind}")
    run(mwaa, "-m", "airflow", "db", "migrate")
    run(mwaa, "-m", "airflow", "dags", "test", "pinterest_batch", DAY)
    assert stack.rows(f"SELECT title FROM silver.pin WHERE ind = {ind}") == [{"title": "from the tree"}]
    stack.assert_ledger_holds(DAY, END)
