"""Run one SQL file on the warehouse; an analytics file becomes its table or view, and its rows are shown."""

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


def wrap(sql: str, target: str, name: str) -> str:
    """Make a SELECT the statement that materialises it; raises SqlFileError without its header line."""
    found = _MATERIALIZE.search(sql)
    if not found:
        raise SqlFileError(
            f"{name} has no header line `-- materialize: table` or `-- materialize: view`.",
            "add the line to the file's header.",
        )
    return f"CREATE OR REPLACE {found.group(1).upper()} {target} AS\n{sql}"


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
    """

    template_fields: Sequence[str] = ("sql", "target")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 - the base class declares it so

    def __init__(self, *, sql: str, materialize: bool = False, **kwargs: Any) -> None:
        defaults = {"databricks_conn_id": CONNECTION, "deferrable": True, "include_airflow_query_tags": False}
        super().__init__(statement="", warehouse_id="", **{**defaults, **kwargs})
        self.sql = sql
        self.file = sql
        self.target = "{{ gold }}.`" + PurePosixPath(sql).stem + "`" if materialize else None
        self.materialize = materialize

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
        select = f"SELECT * FROM {self.target} ORDER BY ALL"  # noqa: S608 - a quoted name from the settings
        answer = self._hook.run_statement(select, self.warehouse_id, self.file, row_limit=10_000)
        columns = [column["name"] for column in answer["manifest"]["schema"]["columns"]]
        rows = (answer.get("result") or {}).get("data_array") or []
        count = int(answer["manifest"].get("total_row_count") or len(rows))
        over = "at least " if answer["manifest"].get("truncated") else ""
        self.log.info("%s: %s%d rows\n%s", self.target, over, count, as_table(columns, rows[:_ROWS_SHOWN]))
        return {"columns": columns, "rows": rows[:_ROWS_SHOWN], "row_count": count}
