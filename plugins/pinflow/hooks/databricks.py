"""Databricks beyond the provider's hook: rows of a statement, files of a volume, runs at work."""

import time
from collections.abc import Iterator
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException
from airflow.providers.databricks.hooks.databricks import DatabricksHook

from pinflow.errors import PinflowError, StatementError, WorkspaceError
from pinflow.hooks.connection import DefinedConnection

CONNECTION = "pinterest_databricks"
_STATEMENTS = "2.0/sql/statements"
_RUNS = "2.2/jobs/runs/list"
_PAGE = 25
_ABSENT = 404
DONE = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "CLOSED"})


_REPAIR = "if a schema, table or view is missing run the DAG pinterest_setup; then clear this task."


def check_statement(answer: dict[str, Any], what: str, repair: str = _REPAIR) -> None:
    """Raise StatementError when a statement ended without success."""
    status = answer["status"]
    if status["state"] == "SUCCEEDED":
        return
    error = status.get("error") or {}
    reason = f"{error.get('error_code', '')} {error.get('message', '')}".strip()
    raise StatementError(f"{what} ended {status['state']}: {reason}.", repair)


class PinterestDatabricksHook(DefinedConnection, DatabricksHook):
    """The provider's hook, with what its public methods leave out; raises WorkspaceError."""

    def __init__(self, databricks_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(databricks_conn_id=databricks_conn_id, **kwargs)

    def run_statement(
        self, sql: str, warehouse_id: str, what: str, repair: str = _REPAIR, **more: Any
    ) -> dict[str, Any]:
        """Run a short statement to its end and return the answer; raises StatementError."""
        answer = self.submit_statement(sql, warehouse_id, **more)
        while answer["status"]["state"] not in DONE:
            time.sleep(1)
            answer = self.statement(answer["statement_id"])
        check_statement(answer, what, repair)
        return answer

    def statement(self, statement_id: str) -> dict[str, Any]:
        """Return a statement with its status, manifest and first chunk of rows."""
        answer: dict[str, Any] = self._do_api_call(("GET", f"{_STATEMENTS}/{statement_id}"), {})
        return answer

    def submit_statement(self, sql: str, warehouse_id: str, wait: str = "50s", **more: Any) -> dict[str, Any]:
        """Post a statement and return the whole answer, which holds rows when it ended within the wait."""
        body = {
            "statement": sql,
            "warehouse_id": warehouse_id,
            "wait_timeout": wait,
            "on_wait_timeout": "CONTINUE",
            **more,
        }
        answer: dict[str, Any] = self._do_api_call(("POST", _STATEMENTS), body)
        return answer

    def active_runs(self) -> Iterator[dict[str, Any]]:
        """Yield the one-time runs that have not ended, with their tasks, newest first."""
        query = {"active_only": "true", "run_type": "SUBMIT_RUN", "expand_tasks": "true", "limit": _PAGE}
        token: str | None = ""
        while token is not None:
            page = self._do_api_call(("GET", _RUNS), {**query, "page_token": token} if token else query)
            yield from page.get("runs", ())
            token = page.get("next_page_token") or None

    def put_file(self, path: str, content: bytes) -> None:
        """Write one file of a volume through the Files API."""
        self._files("PUT", path, params={"overwrite": "true"}, data=content)

    def has_file(self, path: str) -> bool:
        """Tell whether a volume holds a file."""
        return self._files("HEAD", path) != _ABSENT

    def _files(self, method: str, path: str, **kwargs: Any) -> int:
        import requests

        token = self._get_token(raise_error=True)
        try:
            response = requests.request(
                method,
                self._endpoint_url(f"api/2.0/fs/files{path}"),
                headers={**self.user_agent_header, "Authorization": f"Bearer {token}"},
                timeout=60,
                **kwargs,
            )
            if not (method == "HEAD" and response.status_code == _ABSENT):
                response.raise_for_status()
        except requests.RequestException as error:
            raise self._refused(f"{method} of {path}: {error}") from error
        return response.status_code

    def _do_api_call(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._do_api_call(*args, **kwargs)
        except PinflowError:
            raise
        except AirflowException as error:
            raise self._refused(error) from error

    def _refused(self, reason: object) -> WorkspaceError:
        return WorkspaceError(
            f"Databricks at {self.host} refused a call or does not answer: {reason}.",
            f"check host and token of the connection `{CONNECTION}`, and in the Variable `pinflow` "
            "`warehouse_id`, `compute` and `code_root`; then clear this task.",
        )
