#!/bin/sh
# MWAA runs this in each of its containers before Airflow starts. It says in the log what pinflow finds,
# changes nothing and stops nothing: other people's DAGs run in the same environment.
python3 - <<'PINFLOW' || true
from importlib.metadata import PackageNotFoundError, version

OLDEST = (3, 2)
try:
    found = version("apache-airflow")
except PackageNotFoundError:
    found = "0.0"
if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
    print(
        f"pinflow: this is Airflow {found}; its DAGs will not import before {'.'.join(map(str, OLDEST))}. "
        "Repair: upgrade the environment, best to 3.3.1."
    )
else:
    print(f"pinflow: Airflow {found}")
PINFLOW
