"""Which connections and settings a class or function of pinflow reaches, read from its source."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PLUGINS = REPO / "plugins"
SETTINGS = "pinflow.settings"
HOOKS = "pinflow.hooks."


@dataclass
class Uses:
    """Names of connections and settings."""

    connections: set[str] = field(default_factory=set)
    settings: set[str] = field(default_factory=set)

    def add(self, other: "Uses") -> None:
        """Take in what another one uses."""
        self.connections |= other.connections
        self.settings |= other.settings


def imports(node: ast.AST) -> dict[str, tuple[str, str]]:
    """Return what a part of a module imports of pinflow: local name to (module, name; empty for a module)."""
    found = {}
    for part in ast.walk(node):
        if isinstance(part, ast.ImportFrom) and (part.module or "").split(".")[0] == "pinflow":
            for alias in part.names:
                module = f"{part.module}.{alias.name}"
                whole = _file(module) is not None
                found[alias.asname or alias.name] = (module, "") if whole else (part.module or "", alias.name)
    return found


def _file(module: str) -> Path | None:
    path = PLUGINS / Path(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def _module(name: str) -> tuple[dict[str, ast.AST], dict[str, tuple[str, str]]]:
    """Return the definitions of a module and what it imports of pinflow at its top."""
    file = _file(name)
    if file is None:
        return {}, {}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    defined: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign):
            defined |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    top = ast.Module([node for node in tree.body if not isinstance(node, ast.ClassDef | ast.FunctionDef)], [])
    return defined, imports(top)


@cache
def settings_methods() -> dict[str, set[str]]:
    """Return the settings behind each method and property of Settings."""
    node = _module(SETTINGS)[0]["Settings"]
    methods = [part for part in ast.walk(node) if isinstance(part, ast.FunctionDef)]
    read = {method.name: set(_attributes(method, {"self"})) for method in methods}
    for names in read.values():
        for called in names & set(read):
            names |= read[called]
    return read


def _attributes(node: ast.AST, owners: set[str]) -> Iterator[str]:
    """Yield the attributes that are read of these names, of self.settings and of load_settings()."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and ast.unparse(part.value) in owners:
            yield part.attr


def uses(module: str, name: str) -> Uses:
    """Follow a class or function through pinflow; return all it reaches."""
    found, seen, ahead = Uses(), set[tuple[str, str]](), [(module, name)]
    while ahead:
        at = ahead.pop()
        if at in seen:
            continue
        seen.add(at)
        if at[0].startswith(HOOKS) and at[1] == "CONNECTION":
            found.connections.add(_constant(*at))
        ahead += _step(*at, found)
    return found


def _step(module: str, name: str, found: Uses) -> Iterator[tuple[str, str]]:
    """Note what one definition reads itself, and yield the definitions it names."""
    defined, top = _module(module)
    node = defined.get(name)
    if node is None:
        if name in top:
            yield top[name]
        return
    if module == SETTINGS:
        return
    found.settings |= set(_attributes(node, {"settings", "self.settings", "load_settings()"}))
    known = top | imports(node)
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            if part.id in known and known[part.id][1]:
                yield known[part.id]
            elif part.id in defined:
                yield module, part.id
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            of, whole = known.get(part.value.id, ("", "x"))
            if of and not whole:
                yield of, part.attr


def _constant(module: str, name: str) -> str:
    node = _module(module)[0][name]
    if not isinstance(node, ast.Assign):
        raise TypeError(f"{module}.{name} is no constant. Repair: assign it at the top of the module.")
    return str(ast.literal_eval(node.value))


def settings_of(found: Uses, known: set[str]) -> set[str]:
    """Return the settings among the attributes read, those behind methods of Settings too."""
    methods = settings_methods()
    names = set(found.settings)
    for name in found.settings & set(methods):
        names |= methods[name]
    return names & known
