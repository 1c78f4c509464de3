"""Run a suite of tests in both environments; every part runs, and one failure fails the whole."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

REPO = Path(__file__).resolve().parent.parent
VENV = os.environ.get("DEVSTACK_VENV_DIR") or ".venv"
AIRFLOW = [f"{VENV}/airflow/bin/python", "-m", "pytest", "tests", "--ignore=tests/include"]
SPARK = [f"{VENV}/spark/bin/python", "-m", "pytest"]
FAST = ["-m", "not stack and not e2e and not long", "-n", "2"]
# whole windows through the jobs and into the star: minutes
WINDOWS = ["tests/include/spark/jobs", "tests/include/sql/star"]
# a process of Spark tests has one server, which all its tests share
QUICK = [*SPARK, "tests/include", *(f"--ignore={folder}" for folder in WINDOWS), "-m", "not long"]
JOBS = [*SPARK, *WINDOWS, "-m", "not long", "-n", "2", "--dist", "loadfile", "--durations=10"]
STACK = [*AIRFLOW, "-m", "stack and not e2e", "--durations=10"]
E2E = [*AIRFLOW, "-m", "e2e and not long", "--durations=10"]
BY_HAND = ["-m", "long", "--durations=10", "-s"]  # hours: docs/decisions/0017
LONG = [[*AIRFLOW, *BY_HAND], [*SPARK, "tests/include", *BY_HAND]]
# steps one after the other; the parts of a step run side by side
UNITS = [[*AIRFLOW, *FAST], QUICK]
SUITES = {
    "fast": [UNITS],
    "spark": [[QUICK], [JOBS]],
    "stack": [[STACK]],
    "e2e": [[E2E]],
    "long": [[part] for part in LONG],
    "all": [UNITS, [JOBS], [STACK], [E2E]],
}


def main(name: str) -> int:
    """Run a suite's steps, all of them, and print what each part came to."""
    if name not in SUITES:
        sys.exit(f"error: there is no suite {name}. Repair: SUITE={'|'.join(SUITES)}.")
    return 0 if all([together(parts) for parts in SUITES[name]]) else 1


def together(parts: list[list[str]]) -> bool:
    """Run parts side by side; the first one's output is shown as it comes, the others' when they have ended."""
    begun = time.monotonic()
    with ExitStack() as stack:
        files = [None, *(stack.enter_context(TemporaryFile()) for _ in parts[1:])]
        print("\n" + "\n".join(f"$ {' '.join(command)}" for command in parts), flush=True)
        running = [
            subprocess.Popen(command, cwd=REPO, stdout=file, stderr=file and subprocess.STDOUT)
            for command, file in zip(parts, files, strict=True)
        ]
        results = []
        for command, file, process in zip(parts, files, running, strict=True):
            results.append(process.wait() == 0)
            if file:
                file.seek(0)
                print(f"\n$ {' '.join(command)}\n{file.read().decode(errors='replace')}")
            print(
                f"{'passed' if results[-1] else 'FAILED'} after {time.monotonic() - begun:.0f} s", flush=True
            )
    return all(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
