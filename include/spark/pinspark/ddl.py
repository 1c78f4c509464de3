"""The statements of include/sql/silver, from the contracts; `make contracts` writes them."""

from pathlib import Path

from pinspark.contracts import Column
from pinspark.expectations import quoted
from pinspark.tables import Table, all_tables


def statement(table: Table) -> str:
    """Render one table as a template with its four-line header."""
    columns = ",\n".join(f"    {_column(column)}" for column in table.columns)
    return (
        f"-- {table.doc}; made from include/contracts by `make contracts`.\n"
        f"-- grain: {table.grain}\n"
        f"-- reads: nothing\n"
        f"-- params: {table.schema}\n"
        f"CREATE TABLE IF NOT EXISTS {{{{ {table.schema} }}}}.`{table.name}` (\n{columns}\n)\n"
        f"USING DELTA\nCOMMENT {quoted(table.doc)}\nCLUSTER BY ({table.cluster})\n"
        "TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')\n"
    )


def _column(column: Column) -> str:
    required = "" if column.nullable else " NOT NULL"
    kind = column.type.replace(",", ", ")
    return f"`{column.name}` {kind}{required} COMMENT {quoted(column.doc)}"


def write(folder: Path) -> list[Path]:
    """Write every statement to `folder` and remove files that no table asks for any more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / f"{table.schema}_{table.name}.sql": statement(table) for table in all_tables()}
    for stale in set(folder.glob("*.sql")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return sorted(wanted)
