import socket
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def dag_bag() -> Any:
    """Every DAG file, imported while the network, connections and variables are out of reach."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.sdk import Connection, Variable

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a DAG file reached out at import: move this into a task")

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", refuse)
    patch.setattr(Variable, "get", refuse)
    patch.setattr(Connection, "get", refuse)
    try:
        return BundleDagBag(
            dag_folder=str(REPO / "dags"), bundle_path=REPO / "dags", bundle_name="dags-folder"
        )
    finally:
        patch.undo()
