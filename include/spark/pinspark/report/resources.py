"""The report's files: templates, and the statements it shows; from the wheel or the repository beside it."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

PACKED = "report_data"
# folder in the wheel: folder below include/
FOLDERS = {"page": "report", "sections": "sql/report", "questions": "sql/analytics"}


def folder(name: str) -> Traversable:
    """Find one of FOLDERS."""
    packed = files("pinspark").joinpath(PACKED, name)
    return packed if packed.is_dir() else Path(__file__).resolve().parents[3] / FOLDERS[name]


def texts(name: str) -> dict[str, str]:
    """Read the files of a folder by name, in the order of their names."""
    found = {file.name: file.read_text("utf-8") for file in folder(name).iterdir() if file.is_file()}
    return dict(sorted(found.items()))
