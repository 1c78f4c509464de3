"""What a DAG file's import costs above the import of the providers; seconds are printed, not judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
# imports what pinflow and the DAG files import of Airflow at module level, then each DAG file in a fork of its own
MEASURE = """
import ast, importlib, json, os, runpy, sys, time
from pathlib import Path

repo = Path(sys.argv[1])
sys.path.insert(0, str(repo / "plugins"))
files = [*sorted((repo / "plugins" / "pinflow").rglob("*.py")), *sorted((repo / "dags").glob("*.py"))]
wanted = {
    node.module
    for file in files
    for node in ast.parse(file.read_text()).body
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "airflow"
}
begun = time.process_time()
import airflow.sdk, pydantic
for name in sorted(wanted):
    importlib.import_module(name)
# the SDK hands out its names lazily
from airflow.sdk import DAG, BaseOperator, BaseHook, CronDataIntervalTimetable, Param, TaskGroup, Variable
providers = time.process_time() - begun
print(json.dumps({"file": "providers", "seconds": providers}), flush=True)
for file in sorted((repo / "dags").glob("*.py")):
    if pid := os.fork():
        assert os.waitpid(pid, 0)[1] == 0, file
        continue
    before, begun = set(sys.modules), time.process_time()
    runpy.run_path(str(file))
    seconds = time.process_time() - begun
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    new -= {name.split(".")[0] for name in before} | set(sys.stdlib_module_names)
    print(json.dumps({"file": file.stem, "seconds": seconds, "packages": sorted(new)}), flush=True)
    os._exit(0)
"""


def test_a_dag_file_imports_no_package_beside_the_providers_but_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "measure.py"
    script.write_text(MEASURE)
    done = subprocess.run(
        [sys.executable, str(script), str(REPO)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    (providers,) = [entry for entry in shown if entry["file"] == "providers"]
    dags = {entry["file"]: entry for entry in shown if entry is not providers}
    with capsys.disabled():
        print(
            f"\nproviders: {providers['seconds']:.2f} s of CPU; above them (0.5 s is the most that is meant):"
        )
        for name, entry in dags.items():
            print(f"  {name}: {entry['seconds']:.2f} s")
    assert set(dags) == {file.stem for file in (REPO / "dags").glob("*.py")}
    for name, entry in dags.items():
        assert set(entry["packages"]) <= {"pinflow", "yaml"}, (
            f"{name}: {entry['packages']} is imported while it is parsed: import it where it is used"
        )
