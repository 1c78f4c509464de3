"""What the contracts expect of the source's tables, written as JSON for those who read the source."""

import json

from pinspark.contracts import TABLES, Contract, Field, load_contract

DOC = "Columns that the contracts expect of the source; made by `make contracts`"


def source_columns() -> str:
    """Render the three tables with their columns, one column a line."""
    tables = ",\n".join(f'"{table}": {_table(load_contract(table))}' for table in TABLES)
    return f'{{\n"doc": {json.dumps(DOC)},\n"tables": {{\n{tables}\n}}\n}}\n'


def _table(contract: Contract) -> str:
    head = f'{{"table": {json.dumps(contract.source_table)}, "id": {json.dumps(contract.id)}, "columns": ['
    return head + ",".join(f"\n  {json.dumps(_column(field))}" for field in contract.source) + "\n]}"


def _column(field: Field) -> dict[str, str | bool]:
    required = field.required and field.used
    return {"name": field.name, "wire": field.wire, "required": required, "nullable": field.nullable}
