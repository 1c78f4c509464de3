"""Shared by both environments: imports neither Airflow nor Spark."""

import os
import shutil
import tempfile
from pathlib import Path

from devstack import loopback


def _session_folder() -> Path:
    """Make the folder for what tests and their processes leave in the temporary folder.

    Directly under /tmp, since paths of sockets must stay short; as open as that, since databases write
    there under an account of their own.
    """
    folder = Path(tempfile.mkdtemp(prefix="pinflow-tests-", dir="/tmp"))
    folder.chmod(0o1777)
    # pytest's own folders can be large and go by themselves: they stay where they would be
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    if not os.environ.get("PINFLOW_E2E_STATE"):  # a stack that is kept keeps its sockets
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    # Airflow writes its configuration where it is imported first; the tests keep it out of the home folder
    os.environ.setdefault("AIRFLOW_HOME", str(folder / "airflow"))
    return folder


loopback.spare(os.environ)
# a worker of xdist inherits these variables
FOLDER = None if "PYTEST_XDIST_WORKER" in os.environ else _session_folder()
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")


def pytest_unconfigure() -> None:
    if FOLDER:
        shutil.rmtree(FOLDER, ignore_errors=True)
