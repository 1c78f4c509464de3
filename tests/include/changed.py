"""A copy of the repository with lines added to a contract, and what `make contracts` then writes."""

import difflib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pinspark import contracts
from pinspark.generate import REPO

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def copy(folder: Path, *parts: str) -> Path:
    """Copy parts of the repository, by default what `make contracts` reads and writes."""
    for part in parts or ("include", "docs"):
        shutil.copytree(REPO / part, folder / part, ignore=LEFT_OUT)
    return folder


def add_lines(repo: Path, table: str, before: str, *lines: str) -> None:
    """Write lines into a contract's columns, in front of the column whose line starts so."""
    path = repo / "include" / "contracts" / f"{table}.yaml"
    head, rest = path.read_text("utf-8").split("columns:\n")
    at = rest.index(f"  {before}")
    path.write_text(
        f"{head}columns:\n{rest[:at]}{''.join(f'  - {line}\n' for line in lines)}{rest[at:]}", "utf-8"
    )


def make_contracts(repo: Path) -> list[str]:
    """Run what `make contracts` runs, with the copy's own code, and return its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "pinspark.generate"],
        env={"PYTHONPATH": str(repo / "include" / "spark")},
        cwd=repo,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def diff(old: Path, new: Path) -> dict[str, tuple[int, int]]:
    """Count the lines added to and removed from each file that differs."""
    names = {
        str(path.relative_to(root))
        for root in (old, new)
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {}
    for name in sorted(names):
        texts = [(root / name).read_bytes() if (root / name).exists() else b"" for root in (old, new)]
        if texts[0] != texts[1]:
            lines = list(difflib.unified_diff(*(text.decode("utf-8").splitlines() for text in texts), n=0))[
                2:
            ]
            found[name] = sum(line[0] == "+" for line in lines), sum(line[0] == "-" for line in lines)
    return found


@contextmanager
def contracts_of(repo: Path) -> Iterator[None]:
    """Have pinspark read the contracts of a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contracts, "__file__", str(repo / "include" / "spark" / "pinspark" / "contracts.py"))
        contracts.load_contract.cache_clear()
        try:
            yield
        finally:
            contracts.load_contract.cache_clear()
