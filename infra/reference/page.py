"""Write docs/configuration.md from settings, DAGs, the code's uses and configuration.yaml."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from infra.reference.uses import REPO, Uses, settings_of, uses

PAGE = REPO / "docs" / "configuration.md"
TEXTS = Path(__file__).with_name("configuration.yaml")
HEAD = """# Configuration

Made by `make contracts` from the code and infra/reference/configuration.yaml; do not edit it here.

Five connections hold all that is secret or a place; one Airflow Variable, `pinflow`, a JSON object, holds the
rest. Nothing is read while DAG files are parsed. `pinterest_setup` checks each of them and names host, port
and the likely missing grant. On MWAA they may live in Secrets Manager, and `pinterest_aws` may be left out.
"""
LEFT_OUT = "A field that is left out has its default, which is the local stack's; an unknown one is refused."


def texts() -> dict[str, Any]:
    """Read what the code cannot say of itself."""
    found: dict[str, Any] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return found


def root_of(task: Any) -> tuple[str, str]:
    """Return module and name of what a task runs: its callable where it has one of ours, else its class."""
    called = getattr(task, "python_callable", None)
    kind = task.operator_class if task.is_mapped else type(task)
    found = called if called is not None and called.__module__.startswith("pinflow") else kind
    return found.__module__, found.__name__


def task_uses(dags: Iterable[Any]) -> dict[str, Uses]:
    """Return what each task uses by `dag.task`; tasks of a group that use the same are one line."""
    found = dict[str, Uses]()
    for dag in dags:
        for task in dag.tasks:
            group = f"{task.task_id.split('.')[0]}.*" if "." in task.task_id else task.task_id
            found.setdefault(f"{dag.dag_id}.{group}", Uses()).add(uses(*root_of(task)))
    return found


def _by_dag(tasks: Iterable[str]) -> str:
    """Name tasks, those of one DAG together."""
    dags = dict[str, list[str]]()
    for name in sorted(tasks):
        dag, task = name.split(".", 1)
        dags.setdefault(dag, []).append(task)
    return "; ".join(f"{dag}: {', '.join(found)}" for dag, found in dags.items())


def _compare(kind: str, known: Iterable[str], told: Iterable[str]) -> None:
    if set(known) != set(told):
        raise SystemExit(
            f"{TEXTS.name} and the code differ in their {kind}: {sorted(set(known) ^ set(told))}. "
            f"Repair: add or remove them in infra/reference/{TEXTS.name}."
        )


def _type(schema: dict[str, Any], defs: dict[str, Any]) -> str:
    """Put a JSON schema's type into words."""
    if "$ref" in schema:
        parts = defs[schema["$ref"].rsplit("/", 1)[1]]["properties"]
        return "object: " + ", ".join(f"`{name}` ({_type(part, defs)})" for name, part in parts.items())
    if "anyOf" in schema:
        return " or ".join(_type(part, defs) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    limits = [f"from {schema['minimum']}"] if "minimum" in schema else []
    limits += [f"to {schema['maximum']}"] if "maximum" in schema else []
    limits += [f"`{schema['pattern']}`"] if "pattern" in schema else []
    return " ".join([schema.get("type", "any"), *limits])


def connections(told: dict[str, Any], used: dict[str, Uses]) -> str:
    """Return a section a connection."""
    _compare("connections", set[str]().union(*(found.connections for found in used.values())), told)
    sections = []
    for name, text in told.items():
        rows = "\n".join(f"| {field} | {meaning} |" for field, meaning in text["fields"].items())
        grants = "\n".join(f"* {grant}" for grant in text["grants"])
        tasks = _by_dag(task for task, found in used.items() if name in found.connections)
        sections.append(
            f"### `{name}` ({text['type']})\n\n{text['cloud'][0].upper()}{text['cloud'][1:]}.\n\n"
            f"| field | holds |\n| --- | --- |\n{rows}\n\nLeast grants:\n\n{grants}\n\nUsed by {tasks}.\n"
        )
    return "\n".join(sections)


def settings(told: dict[str, str], used: dict[str, Uses]) -> str:
    """Return a table of the Variable's fields, and which tasks read each."""
    from pinflow.settings import Settings

    schema = Settings.model_json_schema()
    fields, defs = schema["properties"], schema["$defs"]
    _compare("settings", fields, told)
    rows = []
    for name, field in fields.items():
        tasks = _by_dag(task for task, found in used.items() if name in settings_of(found, set(fields)))
        kind = _type(field, defs).replace("|", "\\|")
        default = json.dumps(field.get("default"))
        rows.append(f"| `{name}` | {kind} | `{default}` | {told[name]} | {tasks or 'nothing yet'} |")
    return (
        "| field | type | default | what it decides | read by |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(rows)
    )


def environments(told: dict[str, Any]) -> str:
    """Return catalog, schemas and user_id of each environment, and the Variable that says so."""
    from pinflow.settings import parse_settings

    rows, blocks = [], []
    for name, text in told.items():
        found = parse_settings(text["variable"])
        schemas = ", ".join(found.schemas.model_dump().values())
        rows.append(
            f"| {name} | `{found.user_id}` | {found.catalog or 'none'} | {schemas} | {text['what']} |"
        )
        blocks.append(f"{name}:\n\n```json\n{json.dumps(text['variable'], indent=2)}\n```\n")
    head = "| environment | user_id | catalog | schemas | |\n| --- | --- | --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n\n" + "\n".join(blocks)


def mixes(told: list[list[str]]) -> str:
    """Return which parts may be local while others are not."""
    rows = "\n".join(f"| {' | '.join(row)} |" for row in told)
    return f"| mix | | why |\n| --- | --- | --- |\n{rows}"


def page() -> str:
    """Return the whole page."""
    from airflow.dag_processing.dagbag import BundleDagBag

    folder = REPO / "dags"
    bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
    if bag.import_errors:
        raise SystemExit(f"DAGs do not import: {bag.import_errors}. Repair: `make check` shows why.")
    used, told = task_uses(bag.dags.values()), texts()
    parts = [
        HEAD,
        f"## Connections\n\n{connections(told['connections'], used)}",
        f"## The Variable\n\n{LEFT_OUT}\n\n{settings(told['settings'], used)}\n",
        f"## Environments\n\n{environments(told['environments'])}",
        f"## Mixes of local and cloud parts\n\n{mixes(told['mixes'])}\n",
    ]
    return "\n".join(parts)
