"""Databricks beyond the provider's hook: rows of a statement, and files of a volume."""

import time
from typing import TYPE_CHECKING, Any

from airflow.providers.databricks.hooks.databricks import DatabricksHook

from pinflow.errors import StatementError

if TYPE_CHECKING:
    import requests

CONNECTION = "pinterest_databricks"
_STATEMENTS = "2.0/sql/statements"
DONE = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "CLOSED"})


def check_statement(answer: dict[str, Any], what: str) -> None:
    """Raise StatementError when a statement ended without success."""
    status = answer["status"]
    if status["state"] == "SUCCEEDED":
        return
    error = status.get("error") or {}
    reason = f"{error.get('error_code', '')} {error.get('message', '')}".strip()
    raise StatementError(
        f"{what} ended {status['state']}: {reason}.",
        "if a schema, table or view is missing run the DAG pinterest_setup; then clear this task.",
    )


class PinterestDatabricksHook(DatabricksHook):
    """The provider's hook, with what its public methods leave out."""

    def __init__(self, databricks_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(databricks_conn_id=databricks_conn_id, **kwargs)

    def run_statement(self, sql: str, warehouse_id: str, what: str, **more: Any) -> dict[str, Any]:
        """Run a short statement to its end and return the answer; raises StatementError."""
        answer = self.submit_statement(sql, warehouse_id, **more)
        while answer["status"]["state"] not in DONE:
            time.sleep(1)
            answer = self.statement(answer["statement_id"])
        check_statement(answer, what)
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

    def put_file(self, path: str, content: bytes) -> None:
        """Write one file of a volume through the Files API."""
        self._files("PUT", path, params={"overwrite": "true"}, data=content).raise_for_status()

    def has_file(self, path: str) -> bool:
        """Tell whether a volume holds a file."""
        response = self._files("HEAD", path)
        if response.status_code == 404:
            return False
        response.raise_for_status()
        return True

    def _files(self, method: str, path: str, **kwargs: Any) -> "requests.Response":
        import requests

        token = self._get_token(raise_error=True)
        return requests.request(
            method,
            self._endpoint_url(f"api/2.0/fs/files{path}"),
            headers={**self.user_agent_header, "Authorization": f"Bearer {token}"},
            timeout=60,
            **kwargs,
        )
