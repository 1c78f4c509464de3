"""What can be wrong in the rules of a contract: every fault is named, none is guessed away."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from pinspark.expectations import faults_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from pinspark.contracts import Column, Contract

ROW_ACTIONS = ("warn", "quarantine", "fail")
NUMBERS = ("INT", "BIGINT", "DOUBLE")
RULE_NAME = re.compile(r"[a-z][a-z0-9_]*")


def rule_faults(contract: Contract, tables: Collection[str]) -> list[str]:
    """List the faults of row rules, relations and what columns say of their values."""
    misshapen = _shape_faults(contract)
    if misshapen:
        return misshapen  # what the rules say cannot be read
    return [
        *_row_faults(contract),
        *_relation_faults(contract, tables),
        *(fault for column in contract.columns for fault in _column_faults(column)),
        *_pii_faults(contract),
        *_name_faults(contract),
    ]


def _shape_faults(contract: Contract) -> list[str]:
    faults = [f"{rule.rule}: expect is no text" for rule in contract.rows if type(rule.expect) is not str]
    faults += [f"{c.name}: values are a list" for c in contract.columns if type(c.values) is not tuple]
    for relation in contract.relations:
        if not all(type(part) is tuple for part in (relation.columns, relation.to_columns)):
            faults.append(f"relation to {relation.to}: columns and to_columns are lists")
    return faults


def _row_faults(contract: Contract) -> list[str]:
    faults = [
        f"{rule.rule}: {fault}" for rule in contract.rows for fault in faults_in(rule.expect, contract.names)
    ]
    faults += [
        f"{rule.rule}: action is {rule.action!r}, not one of {', '.join(ROW_ACTIONS)}"
        for rule in contract.row_rules
        if rule.action not in ROW_ACTIONS
    ]
    return faults


def _relation_faults(contract: Contract, tables: Collection[str]) -> list[str]:
    faults = []
    for relation in contract.relations:
        if relation.to not in tables:
            faults.append(f"{relation.rule}: unknown table {relation.to!r}")
        if relation.action not in ("warn", "fail"):
            faults.append(f"{relation.rule}: action is {relation.action!r}, not one of warn, fail")
        unknown = [name for name in relation.columns if name not in contract.names]
        if unknown:
            faults.append(f"{relation.rule}: unknown column {', '.join(unknown)}")
        if not relation.columns or len(relation.columns) != len(relation.to_columns):
            faults.append(f"{relation.rule}: columns and to_columns are not as many")
    return faults


def _column_faults(column: Column) -> list[str]:
    faults = []
    kind = str if column.type == "STRING" else int
    odd = [value for value in column.values if type(value) is not kind]
    if odd and column.type in ("STRING", "INT", "BIGINT"):
        faults.append(f"{column.name}: values {odd} are no {column.type}")
    if column.values and column.type not in ("STRING", "INT", "BIGINT"):
        faults.append(f"{column.name}: values are for STRING, INT and BIGINT, not for {column.type}")
    bounds = [bound for bound in (column.minimum, column.maximum) if bound is not None]
    if bounds and (column.type not in NUMBERS or any(type(bound) not in (int, float) for bound in bounds)):
        faults.append(f"{column.name}: minimum and maximum are numbers, of columns that are numbers")
    elif len(bounds) == 2 and bounds[0] > bounds[1]:
        faults.append(f"{column.name}: minimum is above maximum")
    return faults


def _pii_faults(contract: Contract) -> list[str]:
    fields = {field.name for field in contract.source if field.pii}
    return [
        f"{column.name}: pii here and in the fields it is made of differ"
        for column in contract.columns
        if column.pii != bool(fields & set(column.sources))
    ]


def _name_faults(contract: Contract) -> list[str]:
    """Names tell rules apart in ops.quality_results, and in reasons also from fields."""
    counted = Counter(rule.rule for rule in contract.row_rules)
    counted.update(relation.rule for relation in contract.relations)
    counted.update(rule.name for rule in contract.quality)
    faults = [f"{count} rules are called {name}" for name, count in counted.items() if count > 1]
    taken = {"row", *(field.name for field in contract.source), *contract.names}
    faults += [
        f"{rule.rule!r} is no name for a rule: small letters, digits and _, and no column's"
        for rule in contract.rows
        if rule.rule in taken or not RULE_NAME.fullmatch(str(rule.rule))
    ]
    return faults
