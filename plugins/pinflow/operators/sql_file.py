"""Run one SQL file on the warehouse; a bare SELECT becomes its table or view, and its rows are shown."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow.providers.databricks.operators.databricks import DatabricksSQLStatementsOperator

from pinflow.errors import SqlFileError
from pinflow.hooks.databricks import CONNECTION, DONE, check_statement
from pinflow.operators.on_databricks import OnDatabricks
from pinflow.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

_MATERIALIZE = re.compile(r"^-- materialize: (table|view)\s*$", re.MULTILINE)
# Rows shown in the log and kept in XCom; a larger answer is counted and cut.
_ROWS_SHOWN = 50
# A short statement is answered within the request; a longer one defers.
_WAIT = "30s"
_NUMBERS = {"BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "DECIMAL"}


def is_select(sql: str) -> bool:
    """Tell a bare SELECT, whose header says what it becomes, from a whole statement."""
    return bool(_MATERIALIZE.search(sql))


def wrap(sql: str, target: str, name: str) -> str:
    """Make a SELECT the statement that materialises it; raises SqlFileError without its header line."""
    found = _MATERIALIZE.search(sql)
    if not found:
        raise SqlFileError(
            f"{name} has no header line `-- materialize: table` or `-- materialize: view`.",
            "add the line to the file's header.",
        )
    return f"CREATE OR REPLACE {found.group(1).upper()} {target} AS\n{sql}"


def target_of(schema: str, name: str) -> str:
    """Name the table or view a file becomes."""
    return f"{schema}.`{PurePosixPath(name).stem}`"


def in_order(columns: list[dict[str, Any]], rows: list[list[Any]]) -> list[list[Any]]:
    """Sort rows by all columns, numbers as numbers, NULL first: the engine's sort would cost another job."""
    numeric = [column["type_name"] in _NUMBERS for column in columns]

    def key(row: list[Any]) -> list[tuple[bool, Any]]:
        return [
            (value is not None, value and (float(value) if number else str(value)))
            for value, number in zip(row, numeric, strict=True)
        ]

    return sorted(rows, key=key)


def as_table(columns: list[str], rows: list[list[Any]]) -> str:
    """Lay rows out as a text table."""
    cells = [columns, *[["NULL" if v is None else str(v) for v in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


class SqlFileOperator(OnDatabricks, DatabricksSQLStatementsOperator):
    """Run a SQL file of include/sql, rendered with the settings' names, on the settings' warehouse.

    :param sql: path below include/sql (templated); it may name `{{ stage }}`, `{{ silver }}`,
        `{{ gold }}`, `{{ ops }}` and `{{ bucket }}`.
    :param materialize: make the file, a bare SELECT, the table or view `gold.<file name>` its header names,
        and return its first rows as `{"columns": [...], "rows": [[...]], "row_count": n}`.
    :param show_rows: with `materialize`: without it only the count is returned, as `{"row_count": n}`.
    """

    template_fields: Sequence[str] = ("sql", "target")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 - the base class declares it so

    def __init__(self, *, sql: str, materialize: bool = False, show_rows: bool = True, **kwargs: Any) -> None:
        defaults = {"databricks_conn_id": CONNECTION, "deferrable": True, "include_airflow_query_tags": False}
        super().__init__(statement="", warehouse_id="", **{**defaults, **kwargs})
        self.sql = sql
        self.file = sql
        self.target = target_of("{{ gold }}", sql) if materialize else None
        self.materialize = materialize
        self.show_rows = show_rows

    def execute(self, context: "Context") -> Any:
        """Post the statement; defer when it takes longer than one request waits."""
        del context
        settings = load_settings()
        self.warehouse_id, self.polling_period_seconds = settings.warehouse_id, settings.poll_seconds
        self.statement = wrap(self.sql, str(self.target), self.file) if self.materialize else self.sql
        answer: dict[str, Any] = self._hook.submit_statement(self.statement, self.warehouse_id, wait=_WAIT)
        self.statement_id = answer["statement_id"]
        self.log.info("Statement %s of %s", self.statement_id, self.file)
        if answer["status"]["state"] not in DONE:
            self._handle_deferrable_execution(defer_method_name="execute_complete")
            answer = self._hook.statement(self.statement_id)
        return self._finish(answer)

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> Any:
        """Come back from the trigger."""
        del context
        self.warehouse_id = load_settings().warehouse_id
        self.statement_id = event["statement_id"]
        return self._finish(self._hook.statement(self.statement_id))

    def _finish(self, answer: dict[str, Any]) -> Any:
        check_statement(answer, self.file)
        if not self.materialize:
            self.log.info("%s: done", self.file)
            return None
        return self._shown() if self.show_rows else self._counted()

    def _counted(self) -> dict[str, Any]:
        count = f"SELECT COUNT(*) FROM {self.target}"  # noqa: S608 - a quoted name from the settings
        answer = self._hook.run_statement(count, self.warehouse_id, self.file)
        rows = int(answer["result"]["data_array"][0][0])
        self.log.info("%s: %d rows", self.target, rows)
        return {"row_count": rows}

    def _shown(self) -> dict[str, Any]:
        select = f"SELECT * FROM {self.target}"  # noqa: S608 - as above
        answer = self._hook.run_statement(select, self.warehouse_id, self.file, row_limit=10_000)
        columns = answer["manifest"]["schema"]["columns"]
        rows = in_order(columns, (answer.get("result") or {}).get("data_array") or [])
        names = [column["name"] for column in columns]
        count = int(answer["manifest"].get("total_row_count") or len(rows))
        over = "at least " if answer["manifest"].get("truncated") else ""
        self.log.info("%s: %s%d rows\n%s", self.target, over, count, as_table(names, rows[:_ROWS_SHOWN]))
        return {"columns": names, "rows": rows[:_ROWS_SHOWN], "row_count": count}
