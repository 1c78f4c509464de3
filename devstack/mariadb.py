"""The source database: MariaDB 11.4 out of its jar, or an own `mariadbd`."""

import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from devstack import account, jars
from devstack.config import Settings
from devstack.errors import StackError
from devstack.service import Service, port_open

SYSTEM_TABLES = "mariadb_system_tables.sql"
BOOTSTRAP = (SYSTEM_TABLES, "mariadb_performance_tables.sql", "mariadb_system_tables_data.sql")
INSTALL = "`brew install mariadb` (macOS) or `apt install mariadb-server` (Debian)"
LIBCRYPT = "install libxcrypt-compat (Fedora, RHEL, Arch) or libcrypt1 (Debian)"
LEAST_VERSION = (11, 4)


def binary(settings: Settings) -> Path:
    """Return the server program: the setting's, the jar's, or an installed one where there is no jar."""
    if settings.source_db_binary:
        return settings.source_db_binary
    if jars.mariadb_in_jar(settings):
        return _unpacked(settings) / "bin" / "mariadbd"
    homes = "/opt/homebrew/opt/mariadb/bin:/usr/local/opt/mariadb/bin:/usr/sbin"
    found = shutil.which("mariadbd") or shutil.which("mariadbd", path=homes)
    if not found:
        raise StackError(
            f"There is no packaged MariaDB for this machine. Repair: {INSTALL}, "
            "or set DEVSTACK_SOURCE_DB_BINARY to a mariadbd >= 11.4."
        )
    return Path(found)


def _unpacked(settings: Settings) -> Path:
    version = jars.single(settings, "mariadb").stem.rsplit("-", 1)[-1]
    return account.reachable_home(settings.cache_dir) / f"mariadb-{version}"


def unpack(settings: Settings) -> None:
    """Unpack the server and its messages once; without symbols it is a tenth of the size."""
    target = _unpacked(settings)
    if target.is_dir():
        return
    home = account.make_home(settings.cache_dir)
    folder = Path(tempfile.mkdtemp(dir=home, prefix="unpack-"))
    with zipfile.ZipFile(jars.single(settings, "mariadb")) as jar:
        for entry in jar.infolist():
            inner = re.search(r"/(bin/mariadbd|share/.*[^/])$", entry.filename)
            if inner:
                path = folder / inner[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                with jar.open(entry) as source, path.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    if strip := shutil.which("strip"):
        subprocess.run([strip, str(folder / "bin" / "mariadbd")], check=False, capture_output=True)
    account.publish_folder(folder, target)


def share_dir(settings: Settings) -> Path:
    """Find the folder of the bootstrap SQL that belongs to the server program."""
    program = binary(settings)
    base = program.resolve().parent.parent
    if jars.mariadb_in_jar(settings):
        return base / "share"
    candidates = [base / "share" / part for part in ("", "mysql", "mariadb")]
    for folder in (*candidates, Path("/usr/share/mysql"), Path("/usr/share/mariadb")):
        if (folder / SYSTEM_TABLES).exists():
            return folder
    raise StackError(
        f"Found no {SYSTEM_TABLES} beside {program}, so it is older than 11.4 or only half installed. "
        f"Repair: {INSTALL}, or set DEVSTACK_SOURCE_DB_BINARY to a mariadbd >= 11.4."
    )


def _check_version(program: Path) -> None:
    try:
        said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        words = str(getattr(error, "stderr", "") or error).strip().removesuffix(".")
        install = f"{LIBCRYPT}, or " if "libcrypt.so" in words else ""
        raise StackError(
            f"{program} does not run: {words}. "
            f"Repair: {install}set DEVSTACK_SOURCE_DB_BINARY to a mariadbd >= 11.4."
        ) from error
    version = re.search(r"Ver (\d+)\.(\d+)", said)
    if not version or (int(version[1]), int(version[2])) < LEAST_VERSION:
        raise StackError(
            f"{program} says '{said.strip()}'. Repair: set DEVSTACK_SOURCE_DB_BINARY to a mariadbd >= 11.4."
        )


def _arguments(settings: Settings) -> list[str]:
    program = binary(settings)
    return [
        str(program),
        "--no-defaults",
        f"--basedir={program.resolve().parent.parent}",
        f"--datadir={account.data_path(settings, 'mysql')}",
        f"--lc-messages-dir={share_dir(settings)}",
        "--innodb-buffer-pool-size=64M",
        "--skip-ssl",
    ]


def prepare(settings: Settings) -> None:
    """Unpack the server and make its system tables and our account, each once."""
    if jars.mariadb_in_jar(settings):
        unpack(settings)
    _check_version(binary(settings))
    data = account.data_dir(settings, "mysql")
    account.socket_dir(settings, "mysql")
    done = data / "initialised"
    if done.exists():
        return
    shutil.rmtree(data)
    account.data_dir(settings, "mysql")
    command = [*_arguments(settings), "--bootstrap"]
    account.run_as_database(command, stdin=_bootstrap_sql(settings), what="Initialising MariaDB")
    done.touch()


def _bootstrap_sql(settings: Settings) -> str:
    users = [f"'{settings.mysql_user}'@'{host}'" for host in ("127.0.0.1", "localhost")]
    script = [
        "create database if not exists mysql;\nuse mysql;",
        *((share_dir(settings) / file).read_text() for file in BOOTSTRAP),
        "flush privileges;",
        *(f"create user if not exists {user} identified by '{settings.mysql_password}';" for user in users),
        *(f"grant all on *.* to {user};" for user in users),
    ]
    return "\n".join(script) + "\n"


def connect(settings: Settings, database: str | None = None) -> Any:
    """Open a connection to the source database."""
    import mysql.connector

    return mysql.connector.connect(
        host="127.0.0.1",
        port=settings.mysql_port,
        user=settings.mysql_user,
        password=settings.mysql_password,
        database=database,
        connection_timeout=5,
        charset="utf8mb4",
    )


def ready(settings: Settings) -> bool:
    """Tell whether the server answers a login."""
    if not port_open(settings.mysql_port):
        return False
    try:
        connect(settings).close()
    except Exception:  # noqa: BLE001 - whatever goes wrong, it is not ready
        return False
    return True


def create_database(settings: Settings) -> None:
    """Create the empty source database; its tables come with the seed."""
    connection = connect(settings)
    try:
        connection.cursor().execute(
            f"CREATE DATABASE IF NOT EXISTS `{settings.mysql_database}` CHARACTER SET utf8mb4"
        )
    finally:
        connection.close()


def service(settings: Settings) -> Service:
    """Describe the source database to the supervisor."""
    return Service(
        name="mysql",
        command=[
            *_arguments(settings),
            f"--port={settings.mysql_port}",
            "--bind-address=127.0.0.1",
            f"--socket={settings.run_dir / 'mysql' / 's.sock'}",
            "--character-set-server=utf8mb4",
            "--skip-name-resolve",
            "--skip-log-bin",
            f"--pid-file={account.data_path(settings, 'mysql') / 'mariadbd.pid'}",
        ],
        ports={"mysql_port": settings.mysql_port},
        user=account.database_user(),
        prepare=lambda: prepare(settings),
        ready=lambda: ready(settings),
        after=lambda: create_database(settings),
        directory=Path("/"),
        stop_seconds=30,
    )
