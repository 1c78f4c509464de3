"""The contracts as typed values: what arrives, what is promised, which rules hold."""

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from pinspark.contract_faults import rule_faults
from pinspark.row_rules import Action, RowRule, range_rule, values_rule

TABLES = ("pin", "geo", "user")
Wire = Literal["text", "int", "float", "datetime"]
Rule = Literal["copy", "count", "join", "pair"]
WIRES = {"text", "int", "float", "datetime"}
RULES = {"copy", "count", "join", "pair"}
CHECKS = {
    "sums",
    "types",
    "unique",
    "in_window",
    "on_day",
    "all_rejected",
    "foreign_doubles",
    "foreign_junk",
    "missing_fields",
    "unknown_fields",
    "orphans",
}
WORDS = {"table", "source_table", "doc", "id", "source", "columns", "rows", "relations", "quality"}
REPAIR = "Repair: correct the contract under include/contracts."


class ContractError(ValueError):
    """A contract file that cannot be used as written."""


@dataclass(frozen=True)
class Field:
    """One field of a row on the wire."""

    name: str
    wire: Wire
    doc: str
    required: bool = True
    nullable: bool = True
    used: bool = True
    pii: bool = False
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Column:
    """One column of a clean table; `sources` are the fields it is made of."""

    name: str
    type: str
    doc: str
    sources: tuple[str, ...] = ()
    rule: Rule = "copy"
    nullable: bool = True
    null_markers: tuple[str, ...] = ()
    strip_prefix: str = ""
    key: bool = False
    pii: bool = False
    values: tuple[str | int, ...] = ()
    values_action: Action = "quarantine"
    minimum: float | None = None
    maximum: float | None = None
    range_action: Action = "quarantine"


@dataclass(frozen=True)
class Relation:
    """Columns whose values another table of the same run holds."""

    columns: tuple[str, ...]
    to: str
    to_columns: tuple[str, ...]
    action: Literal["warn", "fail"]
    doc: str

    @property
    def rule(self) -> str:
        """Name in ops.quality_results, unique within a table."""
        return f"relation({', '.join(self.columns)} to {self.to})"


@dataclass(frozen=True)
class QualityRule:
    """One check of the audit over a table and what its failure means."""

    rule: str
    action: Literal["warn", "fail"]
    doc: str
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name in ops.quality_results, unique within a table."""
        return self.rule if not self.columns else f"{self.rule}({', '.join(self.columns)})"


@dataclass(frozen=True)
class Contract:
    """Everything one table's cleaning, DDL and audit need to know."""

    table: str
    source_table: str
    doc: str
    id: str
    source: tuple[Field, ...]
    columns: tuple[Column, ...]
    rows: tuple[RowRule, ...]
    relations: tuple[Relation, ...]
    quality: tuple[QualityRule, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that tell rows apart."""
        return tuple(column.name for column in self.columns if column.key)

    @property
    def fields(self) -> dict[str, Field]:
        """The fields the clean columns are made of, by name."""
        return {field.name: field for field in self.source if field.used}

    @property
    def names(self) -> list[str]:
        """Names of the clean columns, in order."""
        return [column.name for column in self.columns]

    @property
    def row_rules(self) -> list[RowRule]:
        """Every rule about a single row: those of `rows`, then ranges and accepted values of columns."""
        ranged = [c for c in self.columns if c.minimum is not None or c.maximum is not None]
        listed = [c for c in self.columns if c.values]
        return [*self.rows, *map(range_rule, ranged), *map(values_rule, listed)]

    @property
    def refusing_rules(self) -> list[RowRule]:
        """Row rules that send a row to quarantine."""
        return [rule for rule in self.row_rules if rule.action == "quarantine"]

    @property
    def values_checks(self) -> list[RowRule]:
        """Rules of accepted values that refuse nothing: statements of include/sql/checks."""
        return [
            rule
            for rule in self.row_rules
            if rule.rule.startswith("values(") and rule not in self.refusing_rules
        ]

    @property
    def counted_rules(self) -> list[RowRule]:
        """The other row rules: the audit counts the rows that break them."""
        return [rule for rule in self.row_rules if rule not in (*self.refusing_rules, *self.values_checks)]


@cache
def load_contract(table: str) -> Contract:
    """Read the contract of one table."""
    if table not in TABLES:
        raise ContractError(f"No contract for table {table!r}; there are {', '.join(TABLES)}. {REPAIR}")
    return parse_contract(yaml.safe_load(contract_text(table)), f"{table}.yaml")


def contract_text(table: str) -> str:
    """Read a contract file as it is, from the wheel or from the repository beside it."""
    packed = files("pinspark").joinpath("contracts_data", f"{table}.yaml")
    beside = Path(__file__).resolve().parents[2] / "contracts" / f"{table}.yaml"
    return packed.read_text("utf-8") if packed.is_file() else beside.read_text("utf-8")


def parse_contract(data: dict[str, Any], where: str) -> Contract:
    """Turn a contract file into a `Contract`; every fault is named in one error."""
    faults = [f"unknown {name}" for name in sorted(set(data) - WORDS)]
    data = _with_fields(data)
    source = tuple(_made(Field, entry, faults) for entry in data.get("source", ()))
    columns = tuple(
        _made(Column, _lists({("sources" if k == "from" else k): v for k, v in entry.items()}), faults)
        for entry in data.get("columns", ())
    )
    rows = tuple(_made(RowRule, entry, faults) for entry in data.get("rows", ()))
    relations = tuple(_made(Relation, _lists(entry), faults) for entry in data.get("relations", ()))
    quality = tuple(_made(QualityRule, _lists(entry), faults) for entry in data.get("quality", ()))
    contract = Contract(
        table=str(data.get("table", "")),
        source_table=str(data.get("source_table", "")),
        doc=str(data.get("doc", "")),
        id=str(data.get("id", "")),
        source=tuple(field for field in source if field),
        columns=tuple(column for column in columns if column),
        rows=tuple(rule for rule in rows if rule),
        relations=tuple(relation for relation in relations if relation),
        quality=tuple(rule for rule in quality if rule),
    )
    faults += _faults(contract) + rule_faults(contract, TABLES)
    if faults:
        raise ContractError(f"{where}: {'; '.join(faults)}. {REPAIR}")
    return contract


def _with_fields(data: dict[str, Any]) -> dict[str, Any]:
    """Give each column that says its own `wire` the field it is made of; old lines need not have it."""
    source, columns = list(data.get("source", ())), []
    for entry in data.get("columns", ()):
        column = {"from": [entry.get("name")], **entry} if "wire" in entry else entry
        if "wire" in entry:
            shared = {name: entry[name] for name in ("wire", "doc", "pii") if name in entry}
            source.append({"doc": "", **shared, "name": column["from"][0], "required": False})
        columns.append({name: value for name, value in column.items() if name != "wire"})
    return {**data, "source": source, "columns": columns}


def _lists(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def _made[T](kind: type[T], entry: dict[str, Any], faults: list[str]) -> T | None:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(entry) - known)
    name = f"{kind.__name__} {entry.get('name', entry.get('rule', entry.get('to')))!r}"
    if unknown:
        faults.append(f"{name} has unknown {', '.join(unknown)}")
        return None
    try:
        return kind(**entry)
    except TypeError as error:
        faults.append(f"{name}: {error}")
        return None


def _faults(contract: Contract) -> list[str]:
    faults = [f"{f.name}: unknown wire type {f.wire!r}" for f in contract.source if f.wire not in WIRES]
    faults += [f"{c.name}: unknown rule {c.rule!r}" for c in contract.columns if c.rule not in RULES]
    faults += [f"unknown quality rule {q.rule!r}" for q in contract.quality if q.rule not in CHECKS]
    faults += [
        f"{q.name}: action is {q.action!r}" for q in contract.quality if q.action not in ("warn", "fail")
    ]
    faults += [
        f"{column.name}: made of unknown field {name!r}"
        for column in contract.columns
        for name in column.sources
        if name not in contract.fields
    ]
    wanted = {"copy": 1, "count": 1, "join": 2, "pair": 2}
    faults += [
        f"{c.name}: rule {c.rule} takes {wanted[c.rule]} fields"
        for c in contract.columns
        if c.rule in wanted and len(c.sources) != wanted[c.rule]
    ]
    names = [f"field {field.name!r}" for field in contract.source]
    names += [f"column {column.name!r}" for column in contract.columns]
    faults += [f"{name} stands there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    faults += [
        f"{column.name}: may not be NULL, but lines may lack {name!r}"
        for column in contract.columns
        for name in column.sources
        if not column.nullable and name in contract.fields and not contract.fields[name].required
    ]
    faults += [] if contract.source_table else ["source_table is not given"]
    faults += [] if contract.key else ["no column is the key"]
    faults += [
        f"{q.name}: the rule is about the key, {', '.join(contract.key)}"
        for q in contract.quality
        if q.rule == "unique" and q.columns != contract.key
    ]
    if contract.id not in contract.fields:
        faults.append(f"id {contract.id!r} is no field")
    return faults
