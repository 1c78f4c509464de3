"""The catalogue of the tables as Markdown, docs/catalogue.md: from the contracts and the SQL headers."""

import re
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import yaml

from pinspark.checks import load_checks
from pinspark.contracts import TABLES, Column, Contract, Field, load_contract
from pinspark.tables import Table, all_tables, speed_tables

HEAD = """# Catalogue

Made from `include/contracts` and the headers of `include/sql` by `make contracts`; edit those. The words of
the contracts are explained at the head of `include/contracts/pin.yaml`.
"""
SCHEMAS = {
    "silver": "what is published, a post a row; one id, `ind`, is the key of all three frames",
    "stage": "what a run has cleaned and nobody has audited yet",
    "ops": "what the pipeline says about itself",
}
RULES = {
    "copy": "`{0}`",
    "count": "`{0}` as a number (k 1000, M 1000000)",
    "join": "`{0}` and `{1}`, a blank between",
    "pair": "`{0}` and `{1}`",
}
Star = dict[str, dict[str, Any]]  # include/contracts/star.yaml
SHOWN = {"name", "type", "doc", "sources", "rule", "nullable", "key"}


def catalogue(sql: Path) -> str:
    """Render the whole page; `sql` is the folder whose star and serving files are listed."""
    contracts = [load_contract(table) for table in TABLES]
    parts = [HEAD, _diagram(contracts), *(_schema(name, contracts) for name in SCHEMAS), _gold(sql)]
    parts += ["## Source\n", *map(_source, contracts), "## Rules of the audit\n", *map(_quality, contracts)]
    return "\n".join(parts)


def _diagram(contracts: list[Contract]) -> str:
    tables = [table for table in all_tables() if table.schema == "silver"]
    keys = {contract.table: contract.key for contract in contracts}
    lines = ["```mermaid", "erDiagram"]
    first, *others = keys
    lines += [f'  {first} |o--o| {other} : "same ind"' for other in others]
    lines += [f'  {frame} |o--o{{ quarantine : "refused rows of"' for frame in keys]
    for table in tables:
        lines += [f"  {table.name} {{"]
        for column in table.columns:
            kind = column.type.replace("<", "(").replace(">", ")")
            lines.append(
                f"    {kind} {column.name}{' PK' if column.name in keys.get(table.name, ()) else ''}"
            )
        lines.append("  }")
    return "## Silver at a glance\n\n" + "\n".join([*lines, "```"]) + "\n"


def _schema(schema: str, contracts: list[Contract]) -> str:
    keys = {contract.table: contract.key for contract in contracts} if schema == "silver" else {}
    every = [*all_tables(), *speed_tables("<user_id>")]
    tables = [_table(table, keys.get(table.name, ())) for table in every if table.schema == schema]
    return "\n".join([f"## {schema}: {SCHEMAS[schema]}\n", *tables])


def _table(table: Table, key: tuple[str, ...]) -> str:
    facts = [table.doc, table.grain, *([f"key {', '.join(key)}"] if key else [])]
    facts.append(f"clustered by {table.cluster}")
    twin = _twin(table)
    columns = [column for column in table.columns if not twin or column not in twin.columns]
    rows = [_row(column) for column in columns]
    grid = _grid(("column", "type", "NULL", "meaning", "made of"), rows)
    more = f"Its columns are those of `{twin.schema}.{twin.name}` and these:\n\n" if twin else ""
    return f"### `{table.schema}.{table.name}`\n\n{'; '.join(facts)}.\n\n{more}{grid}"


def _twin(table: Table) -> Table | None:
    """Find the published table whose columns this one has too."""
    for other in all_tables():
        if other.schema == "silver" != table.schema and set(other.columns) < set(table.columns):
            return other
    return None


def _row(column: Column) -> tuple[str, ...]:
    null = "" if column.nullable else "no"
    return f"`{column.name}`", f"`{column.type}`", null, column.doc, _origin(column)


def _origin(column: Column) -> str:
    made = RULES[column.rule].format(*column.sources) if column.sources else ""
    return "; ".join([made, *_more(column, SHOWN)] if made else _more(column, SHOWN))


def _more(entry: Column | Field, shown: set[str]) -> list[str]:
    """Say every attribute that is not as usual and has no place of its own."""
    usual = {field.name: field.default for field in fields(entry)}
    values = {name: getattr(entry, name) for name in usual if name not in shown}
    return [
        f"{name.replace('_', ' ')}: {_value(value)}"
        for name, value in values.items()
        if usual[name] is not MISSING and value != usual[name]
    ]


def _value(value: Any) -> str:
    return ", ".join(f"`{item}`" for item in value) if isinstance(value, tuple) else f"`{value}`"


def _source(contract: Contract) -> str:
    rows = [_field(field) for field in contract.source]
    grid = _grid(("field", "JSON type", "required", "NULL", "meaning", "more"), rows)
    title = f"### `{contract.source_table}` to `silver.{contract.table}`"
    return f"{title}\n\nThe id is `{contract.id}`.\n\n{grid}"


def _field(field: Field) -> tuple[str, ...]:
    required, null = "yes" if field.required else "", "" if field.nullable else "no"
    more = "; ".join(_more(field, {"required", "nullable"}))
    return f"`{field.name}`", field.wire, required, null, field.doc, more


def _quality(contract: Contract) -> str:
    rows: list[tuple[str, ...]] = [(rule.name, rule.action, rule.doc) for rule in contract.quality]
    rows += [(rule.rule, rule.action, rule.doc or rule.expect) for rule in contract.row_rules]
    rows += [(relation.rule, relation.action, relation.doc) for relation in contract.relations]
    named = {name for name, *_ in rows}
    others = (check for check in load_checks() if check.table == contract.table and check.rule not in named)
    rows += [(check.rule, check.action, check.doc) for check in others]
    grid = _grid(("rule", "action", "meaning"), [(f"`{name}`", *rest) for name, *rest in rows])
    return f"### {contract.table}\n\n{grid}"


def _gold(sql: Path) -> str:
    star: Star = yaml.safe_load((sql.parent / "contracts" / "star.yaml").read_text("utf-8"))
    tables = [_star_table(sql / "star" / f"{name}.sql", star[name]) for name in star]
    serving = _grid(
        ("table or view", "meaning", "grain", "reads"),
        [_header(path) for path in sorted((sql / "serving").glob("*.sql"))],
    )
    about = "The answers, `gold.<question>`, are the files of `include/sql/analytics`.\n"
    return "\n".join(["## gold: what questions read\n", _star_diagram(star), *tables, serving, about])


def _star_diagram(star: Star) -> str:
    lines = ["```mermaid", "erDiagram"]
    for name, table in star.items():
        lines += [f'  {name} }}o--|| {other} : "{key}"' for key, other in table.get("refers", {}).items()]
    for name, table in star.items():
        lines += [f"  {name} {{"]
        for column, said in table["columns"].items():
            mark = " PK" if column in table["key"] else " FK" if column in table.get("refers", {}) else ""
            lines.append(f"    {said['type']} {column}{mark}")
        lines.append("  }")
    return "\n".join([*lines, "```"]) + "\n"


def _star_table(file: Path, table: dict[str, Any]) -> str:
    name, doc, grain, reads = _header(file)
    rows = [(f"`{column}`", f"`{said['type']}`", said["doc"]) for column, said in table["columns"].items()]
    facts = f"{doc} Grain: {grain}; key {', '.join(table['key'])}; reads {reads}."
    return f"### {name}\n\n{facts}\n\n{_grid(('column', 'type', 'meaning'), rows)}"


def _header(path: Path) -> tuple[str, ...]:
    """Read a file's name and the first three lines of its header: what, grain, reads."""
    lines = path.read_text("utf-8").splitlines()[:3]
    said = (re.sub(r"^-- (?:(?:what|grain|reads): )?|\{\{ | \}\}", "", line) for line in lines)
    return (f"`gold.{path.stem}`", *said)


def _grid(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
