"""The Pinterest data pipeline for Airflow: the only package the DAG files import."""

try:
    from airflow import __version__ as _airflow
except ModuleNotFoundError:  # what needs no Airflow is used without one, too
    _airflow = ""

__version__ = "0.1.0"
OLDEST_AIRFLOW = (3, 2)

if _airflow and tuple(int(part) for part in _airflow.split(".")[:2]) < OLDEST_AIRFLOW:
    raise ImportError(
        f"pinflow {__version__} needs Airflow {'.'.join(map(str, OLDEST_AIRFLOW))} or newer; this is Airflow "
        f"{_airflow}. Repair: upgrade the environment, best to 3.3.1 (docs/runbook.md#airflow)"
    )
