"""The integrity test that `astro dev parse` runs, with the BundleDagBag that Airflow 3.3 needs."""

from pathlib import Path

from airflow.dag_processing.dagbag import BundleDagBag

DAGS = Path(__file__).resolve().parent.parent / "dags"


def test_dags_import() -> None:
    """Every DAG file imports, and there is at least one."""
    bag = BundleDagBag(dag_folder=str(DAGS), bundle_path=DAGS, bundle_name="dags-folder")
    assert bag.import_errors == {}
    assert bag.dags
