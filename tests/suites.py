"""Run a suite of tests in both environments; every part runs, and one failure fails the whole."""

import os
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
VENV = os.environ.get("DEVSTACK_VENV_DIR") or ".venv"
AIRFLOW = [f"{VENV}/airflow/bin/python", "-m", "pytest", "tests", "--ignore=tests/include"]
SPARK = [f"{VENV}/spark/bin/python", "-m", "pytest", "tests/include"]
FAST = ["-m", "not stack and not e2e", "-n", "2"]
NO_SERVICES = ["-m", "not stack and not e2e"]  # the Spark tests share one server, so one process
STACK = [*AIRFLOW, "-m", "stack and not e2e"]
E2E = [*AIRFLOW, "-m", "e2e", "--durations=10"]
SUITES = {
    "fast": [[*AIRFLOW, *FAST], [*SPARK, *NO_SERVICES]],
    "spark": [SPARK],
    "stack": [STACK],
    "e2e": [E2E],
    "all": [[*AIRFLOW, *FAST], SPARK, STACK, E2E],
}


def main(name: str) -> int:
    """Run the parts of a suite one after the other and print what each came to."""
    if name not in SUITES:
        sys.exit(f"error: there is no suite {name}. Repair: SUITE={'|'.join(SUITES)}.")
    results = []
    for command in SUITES[name]:
        print(f"\n$ {' '.join(command)}", flush=True)
        begun = time.monotonic()
        passed = subprocess.run(command, cwd=REPO, check=False).returncode == 0
        results.append(passed)
        print(f"{'passed' if passed else 'FAILED'} after {time.monotonic() - begun:.0f} s", flush=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
