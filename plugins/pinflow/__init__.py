"""The Pinterest data pipeline for Airflow: the only package the DAG files import."""

import airflow

__version__ = "0.1.0"
OLDEST_AIRFLOW = (3, 2)

if tuple(int(part) for part in airflow.__version__.split(".")[:2]) < OLDEST_AIRFLOW:
    raise ImportError(
        f"pinflow {__version__} needs Airflow {'.'.join(map(str, OLDEST_AIRFLOW))} or newer; this is Airflow "
        f"{airflow.__version__}. Repair: upgrade the environment, best to 3.3.1 (docs/runbook.md#airflow)"
    )
