"""Make the two Python environments and fetch the jars; any python3 from 3.9 on runs it, with no package."""

from __future__ import annotations  # this file alone also runs on Python 3.9

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("DEVSTACK_VENV_DIR") or REPO / ".venv").absolute()
RECORD = VENV / "downloads.json"
PYTHON = "3.12"
# a Python built by hand may lack some of these
PYTHON_PARTS = "sys, ssl, venv, lzma, sqlite3, ctypes"
UV = "uv==0.13.9"
ENVIRONMENTS = ("airflow", "spark")
# measured on an empty cache; said before the first byte is fetched
WHEEL_MEGABYTES = {"airflow": 420, "spark": 680}
JAR_MEGABYTES = 290
DISK_GIGABYTES = 5
MEMORY_GIGABYTES = 7


def say(text: str) -> None:
    """Print to standard error: standard output belongs to the command that set-up is a part of."""
    print(text, file=sys.stderr, flush=True)


def stop(what: str, repair: str) -> SystemExit:
    """Return the error to raise."""
    return SystemExit(f"set-up: {what} Repair: {repair}")


def lock_stamp(name: str) -> str:
    """Return what identifies an environment's content: its lock and the Python version."""
    lock = (REPO / "requirements" / f"{name}.lock").read_bytes()
    return hashlib.sha256(lock + PYTHON.encode()).hexdigest()


def stamp_file(name: str) -> Path:
    """Name the file that says which lock an environment was made from."""
    return VENV / name / ".pinflow-lock"


def is_current(name: str) -> bool:
    """Tell whether an environment is there and made from the present lock."""
    python = VENV / name / "bin" / "python"
    stamp = stamp_file(name)
    return python.exists() and stamp.exists() and stamp.read_text() == lock_stamp(name)


def find_uv() -> str:
    """Return a uv: the one on PATH, else our own, installed with pip into an environment of its own."""
    on_path = shutil.which("uv")
    own = VENV / "uv" / "bin" / "uv"
    if on_path or own.exists():
        return on_path or str(own)
    say(f"set-up: there is no uv on PATH; installing {UV} into {own.parent.parent}")
    try:
        install_uv(own.parent.parent)
    except (OSError, subprocess.CalledProcessError) as error:
        raise stop(
            f"neither uv nor a working venv and pip are there ({error}).",
            "install uv (https://docs.astral.sh/uv), or Debian's python3-venv, then run it again.",
        ) from error
    return str(own)


def install_uv(folder: Path) -> None:
    """Install uv into an environment of its own, or with this Python's pip where venv lacks ensurepip."""
    python = str(folder / "bin" / "python")
    target: list[str] = []
    make = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if subprocess.run(make, stdout=sys.stderr, check=False).returncode:
        shutil.rmtree(str(folder), ignore_errors=True)
        python, target = sys.executable, ["--target", str(folder)]
    command = [python, "-m", "pip", "install", "--quiet", *target, UV]
    subprocess.run(command, stdout=sys.stderr, check=True)


def find_python(uv: str) -> str:
    """Return a Python 3.12: from PATH, from pyenv, else uv's own, downloaded."""
    found = shutil.which(f"python{PYTHON}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    built = pyenv.glob(f"{PYTHON}.*/bin/python{PYTHON}") if os.access(str(pyenv), os.R_OK) else ()
    candidates = [*([found] if found else []), *map(str, sorted(built))]
    for candidate in candidates:
        ask = [candidate, "-c", f"import {PYTHON_PARTS}; print('%d.%d' % sys.version_info[:2])"]
        said = subprocess.run(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if said.returncode == 0 and said.stdout.decode().strip() == PYTHON:
            return candidate
    asked = subprocess.run([uv, "python", "dir"], stdout=subprocess.PIPE, check=False)
    say(
        f"set-up: there is no complete Python {PYTHON}; "
        f"uv fetches one (about 35 MB) into {asked.stdout.decode().strip()}"
    )
    if subprocess.run([uv, "python", "install", PYTHON], stdout=sys.stderr, check=False).returncode:
        raise stop(f"uv could not fetch Python {PYTHON}.", f"install Python {PYTHON} and run it again.")
    return PYTHON


def received_bytes() -> int | None:
    """Return what this machine has received so far from outside, where the system counts it."""
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    except OSError:
        return None
    counts = (line.split(":", 1) for line in lines)
    return sum(int(numbers.split()[0]) for name, numbers in counts if name.strip() != "lo")


def sync(uv: str, name: str, python: str) -> None:
    """Make an environment hold exactly its lock; without the network when uv's cache has it all."""
    folder = VENV / name
    if not (folder / "bin" / "python").exists():
        run_or_stop([uv, "venv", "--quiet", "--clear", "--python", python, str(folder)], f"making {folder}")
    lock = REPO / "requirements" / f"{name}.lock"
    options = ["--quiet", "--require-hashes", "--python", str(folder / "bin" / "python"), str(lock)]
    offline = [uv, "pip", "sync", "--offline", *options]
    if subprocess.run(offline, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
        say(f"set-up: downloading the packages of {lock.name}")
        run_or_stop([uv, "pip", "sync", *options], f"installing {lock.name}")
    stamp_file(name).write_text(lock_stamp(name))
    say(f"set-up: environment {name} is ready")


def run_or_stop(command: list[str], what: str) -> None:
    """Run a command with its messages on standard error, or stop with what failed."""
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise stop(
            f"{what} failed.", "read the lines above (behind a mirror set UV_DEFAULT_INDEX), run it again."
        )


def fetch_jars() -> float:
    """Fetch the jars, or see at once that all are there; return megabytes."""
    command = [str(VENV / "airflow" / "bin" / "python"), "-m", "devstack.jars"]
    folders = {"DEVSTACK_VENV_DIR": str(VENV), "DEVSTACK_CACHE_DIR": str(cache_dir())}
    done = subprocess.run(
        command, cwd=str(REPO), env={**os.environ, **folders}, stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return float(re.findall(r"[\d.]+", done.stdout.decode())[-1])


def caches() -> Path:
    """Name the folder of all programs' caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def cache_dir() -> Path:
    """Name the folder of the jars, as devstack/config.py does."""
    return Path(os.environ.get("DEVSTACK_CACHE_DIR") or caches() / "pinflow").absolute()


def uv_cache() -> Path:
    """Name uv's cache: as a uv on PATH tells it, else as ours will choose it."""
    uv = shutil.which("uv")
    if uv:
        said = subprocess.run([uv, "cache", "dir"], stdout=subprocess.PIPE, check=False).stdout.decode()
        if said.strip():
            return Path(said.strip())
    return Path(os.environ.get("UV_CACHE_DIR") or caches() / "uv").absolute()


def check_writable(folder: Path, variable: str) -> None:
    """Stop before anything is fetched when a folder cannot take it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=str(folder)).close()
    except OSError as error:
        raise stop(
            f"{folder} cannot be written ({error.strerror}).",
            f"set {variable} to a writable folder, then run it again.",
        ) from error


def announce(stale: list[str]) -> None:
    """Say first what will be downloaded at most, where to, and what the machine must have."""
    wheels = sum(WHEEL_MEGABYTES[name] for name in stale)
    digest = hashlib.sha256((REPO / "devstack" / "jars.sha256").read_bytes()).hexdigest()[:12]
    jars = 0 if (cache_dir() / f"jars-{digest}" / "verified.json").exists() else JAR_MEGABYTES
    free = {folder: shutil.disk_usage(str(folder)).free / 1e9 for folder in (VENV, cache_dir())}
    state = Path(os.environ.get("DEVSTACK_STATE_DIR") or REPO / ".devstack").absolute()
    as_root = "" if os.geteuid() else " (as root also below /var/tmp)"
    say(
        f"set-up: downloads up to {wheels + jars} MB: {wheels} MB of Python packages into {VENV} by way of "
        f"{uv_cache()}, and {jars} MB of jars into {cache_dir()}; what the caches hold is not fetched again\n"
        f"set-up: the stack needs {MEMORY_GIGABYTES} GB of memory and {DISK_GIGABYTES} GB of disk "
        f"({min(free.values()):.0f} GB are free), and no root; it writes to these folders, to {state} "
        f"and below {tempfile.gettempdir()}{as_root}"
    )
    for folder, gigabytes in free.items():
        if gigabytes < DISK_GIGABYTES:
            say(f"set-up: WARNING: only {gigabytes:.1f} GB are free for {folder}; it may not be enough")


def main() -> None:
    """Bring both environments and the jars up to their locks, and record what that downloaded."""
    begun = time.monotonic()
    check_writable(VENV, "DEVSTACK_VENV_DIR")
    stale = [name for name in ENVIRONMENTS if not is_current(name)]
    before = received_bytes()
    if stale:
        check_writable(uv_cache(), "XDG_CACHE_HOME (and UV_CACHE_DIR)")
        check_writable(cache_dir(), "XDG_CACHE_HOME (and DEVSTACK_CACHE_DIR)")
        announce(stale)
        uv = find_uv()
        python = find_python(uv)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: sync(uv, name, python), stale))
    after = received_bytes()
    wheels = (after - before) / 1e6 if stale and before is not None and after is not None else 0.0
    jars = fetch_jars()
    seconds = time.monotonic() - begun
    record = {"wheels": round(wheels, 1), "jars": round(jars, 1), "seconds": round(seconds, 1)}
    RECORD.write_text(json.dumps(record))
    if stale or jars:
        say(f"set-up: done in {seconds:.0f} s, {wheels + jars:.0f} MB downloaded")


if __name__ == "__main__":
    main()
