"""House policy for errors: each one names its repair, and pinflow's an anchor that the runbook describes."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinflow import errors

REPO = Path(__file__).resolve().parents[2]
RUNBOOK = (REPO / "docs" / "runbook.md").read_text()
CLASSES = sorted(
    (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.PinflowError)),
    key=lambda c: c.__name__,
)
# what else pinflow raises, and who turns it into an error of its own
INSIDE = {
    "__init__.py": {"ImportError"},  # an older Airflow: nothing of errors.py can be imported
    "ingest_streams.py": {"AirflowSkipException"},  # no error: another run reads them
    "settings.py": {"ValueError"},  # pydantic's validators; parse_settings names the repair
    # caught by BatchWriter, which sends again
    "api.py": {"UnavailableError"},
    "kinesis.py": {"UnavailableError"},
    "stream_writer.py": {"UnavailableError"},
    "claim_answers.py": {"AirflowSkipException"},  # no error: another run does it
    "erase_user.py": {"AirflowSkipException"},  # no error: nobody is to be erased
    "wire.py": {"TypeError"},  # what a JSON encoder must raise
}
FOLDERS = {
    "pinspark": REPO / "include" / "spark" / "pinspark",
    "jobs": REPO / "include" / "spark" / "jobs",
    "devstack": REPO / "devstack",
}


def trees(folder: Path) -> dict[Path, ast.Module]:
    return {file: ast.parse(file.read_text()) for file in sorted(folder.rglob("*.py"))}


def raised(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The name and the call of each `raise Name(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield ast.unparse(node.exc.func).split(".")[-1], node.exc


def names_in(node: ast.AST) -> set[str]:
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def speakers(found: dict[Path, ast.Module]) -> set[str]:
    """Functions and constants whose text says a repair."""
    names = set()
    for tree in found.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and "Repair: " in ast.unparse(node):
                names.add(node.name)
            if isinstance(node, ast.Assign) and "Repair: " in ast.unparse(node):
                names |= names_in(node)
    return names


def section(anchor: str) -> str:
    """What the runbook says below an anchor."""
    found = re.search(rf'<a id="{anchor}"></a>[^\n]*\n(.*?)(?=\n## |\Z)', RUNBOOK, re.DOTALL)
    return found.group(1).strip() if found else ""


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_of_pinflow_says_what_repair_and_anchor(kind: type[errors.PinflowError]) -> None:
    more = len(inspect.signature(kind.__init__).parameters) - 3
    error = kind("The lake is dry.", "fill it.", *([0] * more))
    assert str(error) == f"The lake is dry. Repair: fill it. (docs/runbook.md#{kind.anchor})"
    assert error.what == "The lake is dry."


@pytest.mark.parametrize(
    "kind", [c for c in CLASSES if c is not errors.PinflowError], ids=lambda c: c.__name__
)
def test_the_runbook_says_what_to_do(kind: type[errors.PinflowError]) -> None:
    assert len(section(kind.anchor).split()) > 10, f"describe #{kind.anchor} in docs/runbook.md"


def test_each_error_has_an_anchor_of_its_own() -> None:
    anchors = [kind.anchor for kind in CLASSES if kind is not errors.PinflowError]
    assert len(set(anchors)) == len(anchors)


def test_pinflow_raises_its_own_errors_only() -> None:
    ours = {c.__name__ for c in CLASSES}
    for file, tree in trees(REPO / "plugins" / "pinflow").items():
        for name, call in raised(tree):
            allowed = ours | INSIDE.get(file.name, set())
            # helpers that make one of them begin with a small letter
            assert name in allowed or name.strip("_").islower(), (
                f"{file.name}:{call.lineno}: {name} names no anchor of the runbook; use a class of pinflow.errors"
            )


def test_no_error_of_pinflow_is_defined_elsewhere() -> None:
    for file, tree in trees(REPO / "plugins" / "pinflow").items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and file.name != "errors.py":
                bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
                assert not bases & {c.__name__ for c in CLASSES}, (
                    f"{file.name}: move {node.name} to errors.py"
                )


@pytest.mark.parametrize("room", ["pinspark", "jobs"])
def test_every_error_of_pinspark_names_its_repair(room: str) -> None:
    found = trees(FOLDERS[room])
    speaking = speakers(trees(FOLDERS["pinspark"]) | found)
    for file, tree in found.items():
        for name, call in raised(tree):
            said = "Repair: " in ast.unparse(call) or names_in(call) & speaking
            unreachable = name == "AssertionError" and "unreachable" in ast.unparse(call)
            assert said or unreachable, (
                f"{file.name}:{call.lineno}: end the message of {name} with `Repair: …`"
            )


def test_every_error_that_a_command_shows_names_its_repair() -> None:
    found = trees(FOLDERS["devstack"])
    speaking = speakers(found)
    for file, tree in found.items():
        for name, call in raised(tree):
            if name in ("StackError", "BackfillActiveError", "SystemExit"):
                said = "Repair: " in ast.unparse(call) or names_in(call) & speaking
                status = name == "SystemExit" and not isinstance(call.args[0], ast.JoinedStr)
                assert said or status, f"{file.name}:{call.lineno}: end the message with `Repair: …`"
