"""Shared by both environments: imports neither Airflow nor Spark."""

import os
import tempfile

# Airflow writes its configuration where it is imported first; the tests keep it out of the home folder
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="pinflow-tests-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
