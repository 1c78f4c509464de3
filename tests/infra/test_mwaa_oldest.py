"""The oldest Airflow that the DAGs are to be read by: an environment of its own, so only on demand."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from devstack import bootstrap
from infra.mwaa.build import REPO, build

pytestmark = pytest.mark.long
PARSE = """
import json, sys
from pathlib import Path
import airflow
from airflow.dag_processing.dagbag import BundleDagBag
folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
print(json.dumps({"airflow": airflow.__version__, "errors": bag.import_errors, "dags": sorted(bag.dags)}))
"""


def test_airflow_3_2_reads_every_dag_of_the_tree(tmp_path: Path) -> None:
    uv, venv = bootstrap.find_uv(), tmp_path / "venv"
    python = str(venv / "bin" / "python")
    subprocess.run([uv, "venv", "-q", "--python", bootstrap.find_python(uv), str(venv)], check=True)
    lock = str(REPO / "requirements" / "mwaa-3.2.lock")
    subprocess.run([uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock], check=True)
    dags = build(tmp_path / "build")
    done = subprocess.run(
        [python, "-c", PARSE, str(dags)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",  # the first import of a new environment compiles it
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "none"),
            "PYTHONPATH": str(dags),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert shown["errors"] == {}
    assert shown["airflow"] == "3.2.1"
    assert shown["dags"] == sorted(file.stem for file in (REPO / "dags").glob("*.py"))
