"""Connections: one that is absent is an error that says where to make it."""

from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from pinflow.errors import ConnectionMissingError


class DefinedConnection(BaseHook):
    """Comes before a hook among the bases."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """Return the connection; raises ConnectionMissingError."""
        try:
            return super().get_connection(conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionMissingError(
                f"The connection `{conn_id}` is not defined.",
                "make it under Admin > Connections as docs/runbook.md says, then clear this task.",
            ) from error
