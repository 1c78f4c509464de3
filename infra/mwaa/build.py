"""Build `build/mwaa/dags/pinflow/`: the package, the DAG files and include/, so that one upload is enough."""

import shutil
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
OUTPUT = REPO / "build" / "mwaa"
# what of include/ a worker reads; the rest stays out
INCLUDED = ("contracts", "report", "spark", "sql")
_LEAVE_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*.egg-info")


def build(output: Path = OUTPUT) -> Path:
    """Write the tree afresh and return its dags folder; the same sources give the same files."""
    target = output / "dags" / "pinflow"
    if output.exists():
        shutil.rmtree(output)
    shutil.copytree(REPO / "plugins" / "pinflow", target, ignore=_LEAVE_OUT)
    for part in INCLUDED:
        shutil.copytree(REPO / "include" / part, target / "include" / part, ignore=_LEAVE_OUT)
    package = sorted(path.name + ("/" if path.is_dir() else "") for path in target.iterdir())
    dags = sorted((REPO / "dags").glob("*.py"))
    for file in dags:
        if (target / file.name).exists():
            raise SystemExit(
                f"{file} would replace a module of the package. Repair: give the DAG file another name."
            )
        shutil.copy2(file, target / file.name)
    # only the DAG files are parsed as DAGs; everything else in this folder is imported by them
    ignored = ["# glob syntax: everything here but the DAG files", *(f"/{name}" for name in package)]
    (target / ".airflowignore").write_text("\n".join(ignored) + "\n", encoding="utf-8")
    return output / "dags"


if __name__ == "__main__":
    folder = build()
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1024
    print(f"{folder.relative_to(REPO)}: {len(files)} files, {size:.0f} KiB. Upload it to the DAG folder.")
