"""The integrity test that `astro dev parse` runs, with the BundleDagBag that Airflow 3.3 needs."""

from pathlib import Path

from airflow.dag_processing.dagbag import BundleDagBag

PROJECT = Path(__file__).resolve().parent.parent
DAGS = PROJECT / "dags"
EXCEPTIONS = PROJECT / ".astro" / "dag_integrity_exceptions.txt"


def excepted() -> set[str]:
    """Return the files below dags/ that may fail, one a line; a line with # is none."""
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines() if EXCEPTIONS.exists() else []
    return {line.strip().removeprefix("dags/") for line in lines if line.strip() and "#" not in line}


def test_dags_import() -> None:
    """Every DAG file imports but the excepted ones, and there is at least one."""
    bag = BundleDagBag(dag_folder=str(DAGS), bundle_path=DAGS, bundle_name="dags-folder")
    failed = {name: text for name, text in bag.import_errors.items() if Path(name).name not in excepted()}
    assert not failed, failed
    assert bag.dags, f"no DAG was found in {DAGS}"
