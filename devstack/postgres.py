"""Postgres 17 for Airflow's metadata, out of its jar."""

import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from devstack import account, jars
from devstack.config import Settings
from devstack.service import Service, port_open

USER = DATABASE = "airflow"
TUNED = {"max_connections": "100", "shared_buffers": "64MB", "synchronous_commit": "off", "jit": "off"}


def url(settings: Settings, driver: str) -> str:
    """Return the SQLAlchemy URL of Airflow's database; logins from loopback are trusted."""
    return f"postgresql+{driver}://{USER}@127.0.0.1:{settings.postgres_port}/{DATABASE}"


def _home(settings: Settings) -> Path:
    version = jars.single(settings, jars.postgres_conf()).stem.rsplit("-", 1)[-1]
    return account.reachable_home(settings.cache_dir) / f"postgres-{version}"


def unpack(settings: Settings) -> None:
    """Unpack the jar's one .txz once."""
    target = _home(settings)
    if target.is_dir():
        return
    home = account.make_home(settings.cache_dir)
    folder = Path(tempfile.mkdtemp(dir=home, prefix="unpack-"))
    with zipfile.ZipFile(jars.single(settings, jars.postgres_conf())) as jar:
        inner = next(name for name in jar.namelist() if name.endswith(".txz"))
        with jar.open(inner) as packed, tarfile.open(fileobj=packed, mode="r:xz") as archive:
            archive.extractall(folder, filter="data")
    account.publish_folder(folder, target)


def prepare(settings: Settings) -> None:
    """Unpack the server and make its cluster, each once."""
    unpack(settings)
    data = account.data_dir(settings, "postgres")
    account.socket_dir(settings, "postgres")
    if (data / "initialised").exists():
        return
    shutil.rmtree(data)
    account.data_dir(settings, "postgres")
    options = ["-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    command = [str(_home(settings) / "bin" / "initdb"), "-D", str(data), *options]
    account.run_as_database(command, what="Initialising Postgres")
    (data / "initialised").touch()


def ready(settings: Settings) -> bool:
    """Tell whether the server answers a login."""
    if not port_open(settings.postgres_port):
        return False
    try:
        ask(settings, "SELECT 1")
    except Exception:  # noqa: BLE001 - whatever goes wrong, it is not ready
        return False
    return True


def ask(settings: Settings, sql: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
    """Run one statement by itself and return its rows."""
    import psycopg2

    connection = psycopg2.connect(
        host="127.0.0.1", port=settings.postgres_port, user=USER, dbname=database, connect_timeout=5
    )
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql, values)
        return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def create_database(settings: Settings) -> None:
    """Create Airflow's empty database."""
    if not ask(settings, f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):  # noqa: S608 - constant
        ask(settings, f"CREATE DATABASE {DATABASE}")


def service(settings: Settings) -> Service:
    """Describe Postgres to the supervisor; SIGINT is its fast and clean shutdown."""
    data = account.data_path(settings, "postgres")
    options = {
        **TUNED,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(settings.run_dir / "postgres"),
    }
    return Service(
        name="postgres",
        command=[
            str(_home(settings) / "bin" / "postgres"),
            *("-D", str(data), "-p", str(settings.postgres_port)),
            *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
        ],
        ports={"postgres_port": settings.postgres_port},
        user=account.database_user(),
        prepare=lambda: prepare(settings),
        ready=lambda: ready(settings),
        after=lambda: create_database(settings),
        directory=Path("/"),
        stop_signal="INT",
    )
