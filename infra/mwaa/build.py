"""Build `build/mwaa/`, what MWAA is given; the same sources give the same bytes."""

import shutil
import zipfile
from pathlib import Path
from typing import BinaryIO

REPO = Path(__file__).resolve().parents[2]
OUTPUT = REPO / "build" / "mwaa"
PLUGIN = "pinflow_plugin.py"
# what of include/ a worker reads; the rest (the API's definition, report sources) stays out
INCLUDED = ("contracts", "spark", "sql")
_LEAVE_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*.egg-info")
# the first moment a zip can hold
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(output: Path = OUTPUT) -> Path:
    """Write everything afresh and return the dags folder."""
    if output.exists():
        shutil.rmtree(output)
    tree = _tree(output / "dags" / "pinflow")
    pack(
        output / "plugins.zip",
        {
            PLUGIN: (REPO / "plugins" / PLUGIN).read_bytes(),
            "pinflow_runbook.md": (REPO / "docs" / "runbook.md").read_bytes(),
        },
    )
    shutil.copyfile(REPO / "requirements.txt", output / "requirements.txt")
    shutil.copyfile(REPO / "infra" / "mwaa" / "startup.sh", output / "startup.sh")
    return tree.parent


def _tree(target: Path) -> Path:
    """Write the package, include/ and the DAG files into one folder."""
    copy = shutil.copyfile  # without times and modes
    shutil.copytree(REPO / "plugins" / "pinflow", target, ignore=_LEAVE_OUT, copy_function=copy)
    for part in INCLUDED:
        source = REPO / "include" / part
        shutil.copytree(source, target / "include" / part, ignore=_LEAVE_OUT, copy_function=copy)
    package = sorted(path.name + ("/" if path.is_dir() else "") for path in target.iterdir())
    for file in sorted((REPO / "dags").glob("*.py")):
        if (target / file.name).exists():
            raise SystemExit(
                f"{file} would replace a module of the package. Repair: give the DAG file another name."
            )
        copy(file, target / file.name)
    # only the DAG files are parsed as DAGs; everything else in this folder is imported by them
    ignored = ["# glob syntax: everything here but the DAG files", *(f"/{name}" for name in package)]
    # what `deploy` puts there for the environment
    ignored.append("/environment/")
    (target / ".airflowignore").write_text("\n".join(ignored) + "\n", encoding="utf-8")
    return target


def pack(file: Path | BinaryIO, content: dict[str, bytes]) -> None:
    """Write a zip whose bytes depend on nothing but its content: no times, no compression."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(content.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
