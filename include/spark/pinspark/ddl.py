"""The statements of include/sql/silver, from the contracts; `make contracts` writes them."""

from pathlib import Path

from pinspark.contracts import Column
from pinspark.expectations import quoted
from pinspark.tables import USER_ID, Table, all_tables, speed_tables


def statement(table: Table) -> str:
    """Render one table as a template with its four-line header."""
    columns = ",\n".join(f"    {_column(column)}" for column in table.columns)
    properties = ", ".join(f"'{name}' = '{value}'" for name, value in table.properties)
    params = f"{table.schema}, user_id" if USER_ID in table.name else table.schema
    return (
        f"-- {table.doc}; made from include/contracts by `make contracts`.\n"
        f"-- grain: {table.grain}\n"
        f"-- reads: nothing\n"
        f"-- params: {params}\n"
        f"CREATE TABLE IF NOT EXISTS {{{{ {table.schema} }}}}.`{table.name}` (\n{columns}\n)\n"
        f"USING DELTA\nCOMMENT {quoted(table.doc)}\nCLUSTER BY ({table.cluster})\n"
        f"TBLPROPERTIES ({properties})\n"
    )


def _column(column: Column) -> str:
    required = "" if column.nullable else " NOT NULL"
    kind = column.type.replace(",", ", ")
    return f"`{column.name}` {kind}{required} COMMENT {quoted(column.doc)}"


def write(folder: Path) -> list[Path]:
    """Write every statement to `folder` and remove files that no table asks for any more."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = [*all_tables(), *speed_tables()]
    wanted = {folder / f"{table.stem}.sql": statement(table) for table in tables}
    for stale in set(folder.glob("*.sql")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return sorted(wanted)
