"""Fetch the stack's jars with the Ivy of the pyspark wheel, and check them against the lock."""

import fcntl
import hashlib
import json
import platform
import ssl
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from devstack.config import JARS_LOCK, Settings
from devstack.errors import StackError

IVY_XML = Path(__file__).with_name("ivy.xml")
PATTERN = "[conf]/[artifact]-[revision](-[classifier]).[ext]"
POSTGRES = {
    ("Linux", "x86_64"): "postgres",
    ("Linux", "aarch64"): "postgres-linux-arm64",
    ("Darwin", "arm64"): "postgres-darwin-arm64",
}
STORE_PASSWORD = "changeit"  # noqa: S105 - guards public certificates only


def postgres_conf() -> str:
    """Name the Ivy configuration that holds Postgres for this machine."""
    machine = (platform.system(), platform.machine())
    if machine not in POSTGRES:
        known = ", ".join(" ".join(pair) for pair in POSTGRES)
        raise StackError(f"No Postgres binaries for {' '.join(machine)}. Repair: run the stack on {known}.")
    return POSTGRES[machine]


def mariadb_in_jar(settings: Settings) -> bool:
    """Tell whether the source database comes from the jar: on linux-x86_64, unless an own one is set."""
    return settings.source_db_binary is None and (platform.system(), platform.machine()) == (
        "Linux",
        "x86_64",
    )


def wanted(settings: Settings) -> dict[str, str]:
    """Return {file below the jars folder: SHA-256} of what this machine needs."""
    confs = {"kafka", "s3", "spark", postgres_conf()} | ({"mariadb"} if mariadb_in_jar(settings) else set())
    lines = (line.split(maxsplit=1) for line in JARS_LOCK.read_text().splitlines() if line.strip())
    return {name: digest for digest, name in lines if name.split("/")[0] in confs}


def single(settings: Settings, conf: str) -> Path:
    """Return the path of the one jar of a configuration."""
    return settings.jars_dir / next(name for name in wanted(settings) if name.startswith(f"{conf}/"))


def ensure(settings: Settings) -> float:
    """Make every jar present and verified; return the megabytes downloaded (0 when all was there)."""
    locked = wanted(settings)
    if _stamp_holds(settings, locked):
        return 0.0
    try:
        return _bring(settings, locked)
    except OSError as error:
        raise StackError(
            f"The jars could not be put into {settings.cache_dir}: {error}. Repair: free disk there, or set "
            "XDG_CACHE_HOME (and DEVSTACK_CACHE_DIR, where it is set) to a writable folder; run it again."
        ) from error


def _bring(settings: Settings, locked: dict[str, str]) -> float:
    """Fetch what is missing, check all of it and stamp it; return the megabytes downloaded."""
    with _one_at_a_time(settings.cache_dir / "jars.lock"):
        if _stamp_holds(settings, locked):
            return 0.0
        megabytes = 0.0
        if _faults(settings.jars_dir, locked):
            megabytes = _fetch(settings, sorted({name.split("/")[0] for name in locked}))
            _drop_unlocked(settings.jars_dir, locked)
        verify(settings, locked)
        _stamp(settings).write_text(json.dumps(_sizes(settings.jars_dir, locked)))
    return megabytes


def verify(settings: Settings, locked: dict[str, str]) -> None:
    """Raise an error that names every jar that is missing or differs from the lock."""
    faults = _faults(settings.jars_dir, locked)
    if faults:
        raise StackError(
            f"{len(faults)} jar(s) do not match {JARS_LOCK.name}: {'; '.join(faults[:5])}. Repair: delete "
            f"{settings.jars_dir} and {settings.cache_dir / 'ivy'}, then run `make up` again; if it stays, "
            "what the repository or mirror answers is not what was locked: do not use it."
        )


def _faults(folder: Path, locked: dict[str, str]) -> list[str]:
    faults = []
    for name, digest in locked.items():
        path = folder / name
        if not path.exists():
            faults.append(f"{name} is missing")
        elif (found := _sha256(path)) != digest:
            faults.append(f"{path} has SHA-256 {found[:12]}..., locked is {digest[:12]}...")
    return faults


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(settings: Settings) -> Path:
    return settings.jars_dir / "verified.json"


def _sizes(folder: Path, locked: dict[str, str]) -> dict[str, list[int]]:
    stats = {name: (folder / name).stat() for name in locked}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _stamp_holds(settings: Settings, locked: dict[str, str]) -> bool:
    """Compare sizes and times with the last full check; the folder's name carries the lock's hash."""
    try:
        seen: dict[str, list[int]] = json.loads(_stamp(settings).read_text())
        return _sizes(settings.jars_dir, locked).items() <= seen.items()
    except (OSError, ValueError):
        return False


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(settings: Settings, confs: list[str]) -> float:
    """Run Ivy; its own cache makes a broken fetch continue where it stopped."""
    ivy_dir = settings.cache_dir / "ivy"
    ivy_dir.mkdir(parents=True, exist_ok=True)
    before = _megabytes(ivy_dir)
    ivy_jar = next((settings.spark_site_packages / "pyspark" / "jars").glob("ivy-*.jar"))
    command = [
        str(settings.java),
        *_network(ivy_dir),
        f"-Divy.default.ivy.user.dir={ivy_dir}",
        "-jar",
        str(ivy_jar),
        *(["-settings", str(settings.ivy_settings)] if settings.ivy_settings else []),
        *("-ivy", str(IVY_XML), "-confs", *confs),
        *("-retrieve", f"{settings.jars_dir}/{PATTERN}"),
    ]
    log = ivy_dir / "fetch.log"
    with log.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        lines = [line for line in log.read_text().splitlines() if "::" in line or "ERROR" in line.upper()]
        raise StackError(
            f"Fetching the jars failed (log: {log}): {' | '.join(lines[-4:])}. Repair: check the way to "
            "Maven Central; behind a mirror set DEVSTACK_IVY_SETTINGS to its Ivy settings file; run again."
        )
    return max(0.0, _megabytes(ivy_dir) - before)


def _network(folder: Path) -> list[str]:
    """Give Java the certificates and the proxy that Python uses; its own trust store knows no company's."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    options: list[str] = []
    if found:
        warnings.simplefilter("ignore")  # public roots older than the rules of their serial numbers
        certificates = [
            pkcs12.PKCS12Certificate(x509.load_der_x509_certificate(raw), f"ca-{number}".encode())
            for number, raw in enumerate(found)
        ]
        store = folder / "truststore.p12"
        encryption = BestAvailableEncryption(STORE_PASSWORD.encode())
        store.write_bytes(pkcs12.serialize_java_truststore(certificates, encryption))
        options += [
            f"-Djavax.net.ssl.trustStore={store}",
            f"-Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}",
        ]
    proxy = urlsplit(urllib.request.getproxies().get("https", ""))
    if proxy.hostname:
        options += [f"-Dhttps.proxyHost={proxy.hostname}", f"-Dhttps.proxyPort={proxy.port or 443}"]
    return options


def _drop_unlocked(folder: Path, locked: dict[str, str]) -> None:
    """Remove jars the lock does not name, since class paths take whole folders."""
    confs = {name.split("/")[0] for name in locked}
    for path in folder.glob("*/*.jar"):
        name = f"{path.parent.name}/{path.name}"
        if path.parent.name in confs and name not in locked:
            path.unlink()


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def write_lock(settings: Settings) -> None:
    """Fetch every machine's configuration and write the lock anew, after a change of ivy.xml."""
    _fetch(settings, ["*"])
    files = sorted(settings.jars_dir.glob("*/*.jar"), key=lambda path: (path.parent.name, path.name))
    lines = [f"{_sha256(path)}  {path.parent.name}/{path.name}\n" for path in files]
    JARS_LOCK.write_text("".join(lines))


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["lock"]:
            write_lock(Settings())
        else:
            print(f"{ensure(Settings()):.1f}")
    except StackError as error:
        sys.exit(str(error))
