"""Loading generated rows into the source database: new tables first, then one atomic RENAME."""

import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mysql.connector

from devstack.config import REPO, Settings
from devstack.errors import StackError
from devstack.source.generate import Chunk

SQL = REPO / "include" / "sql" / "source"
TABLES = ("pinterest_data", "geolocation_data", "user_data")
LOCK = "pinflow_seed"
# the server is full, stops or cuts a connection off; a lock's time-out, a deadlock
PASSING = {1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1317, 1927, 3024, 4031}
BROKEN = (
    ConnectionError,
    TimeoutError,
    mysql.connector.errors.ConnectionTimeoutError,
    mysql.connector.errors.ReadTimeoutError,
    mysql.connector.errors.WriteTimeoutError,
)


@contextmanager
def connected(settings: Settings, **options: Any) -> Iterator[Any]:
    """Connect to the source database, making it when absent; sessions are UTC and utf8mb4."""
    try:
        connection = mysql.connector.connect(
            host="127.0.0.1",
            port=settings.mysql_port,
            user=settings.mysql_user,
            password=settings.mysql_password,
            charset="utf8mb4",
            time_zone="+00:00",
            allow_local_infile=True,
            autocommit=True,
            ssl_disabled=True,
            connection_timeout=10,
            **options,
        )
    except mysql.connector.Error as error:
        raise StackError(
            f"the source database on 127.0.0.1:{settings.mysql_port} does not answer: {error}. "
            "Repair: start it with `python -m devstack up mysql`, or set DEVSTACK_MYSQL_PORT."
        ) from error
    try:
        cursor = connection.cursor()
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{settings.mysql_database}` CHARACTER SET utf8mb4")
        cursor.execute(f"USE `{settings.mysql_database}`")
        yield cursor
    finally:
        connection.close()


def is_passing(error: BaseException) -> bool:
    """Tell whether a driver's error means that the database went away or that a lock was in the way."""
    number = getattr(error, "errno", None) or 0
    is_closed = number == -1 and isinstance(error, mysql.connector.OperationalError)
    return isinstance(error, BROKEN) or is_closed or 2000 <= number < 3000 or number in PASSING


def create_tables(cursor: Any, suffix: str = "") -> None:
    """Create the three tables, their names with a suffix."""
    for table in TABLES:
        ddl = (SQL / f"create_{table}.sql").read_text(encoding="utf-8")
        cursor.execute(re.sub(rf"\b{table} \(", f"{table}{suffix} (", ddl, count=1))


def replace(settings: Settings, chunks: Iterator[Chunk]) -> None:
    """Put the rows in the place of what the source holds; readers see the old tables or the new ones."""
    with connected(settings) as cursor, alone(cursor):
        _drop(cursor, "_new", "_old")
        create_tables(cursor)
        with _dropped_on_failure(cursor):
            create_tables(cursor, "_new")
            _fill(cursor, chunks)
        moves = [f"{table} TO {table}_old, {table}_new TO {table}" for table in TABLES]
        cursor.execute("RENAME TABLE " + ", ".join(moves))
        _drop(cursor, "_old")


def _fill(cursor: Any, chunks: Iterator[Chunk]) -> None:
    """Load chunks into the new tables, one while the next is made."""
    with (
        tempfile.TemporaryDirectory(prefix="pinflow-seed-") as folder,
        ThreadPoolExecutor(1, thread_name_prefix="load") as loader,
    ):
        loading: Future[None] | None = None
        for number, chunk in enumerate(chunks):
            files = _write(Path(folder) / str(number % 2), chunk)
            if loading is not None:
                loading.result()
            loading = loader.submit(_load, cursor, files)
        if loading is not None:
            loading.result()


@contextmanager
def _dropped_on_failure(cursor: Any) -> Iterator[None]:
    """Forget half-filled new tables; a connection that was lost becomes a sentence."""
    try:
        yield
    except BaseException as error:
        with suppress(mysql.connector.Error):
            _drop(cursor, "_new")
        if isinstance(error, mysql.connector.Error):
            raise StackError(
                f"the source database broke off: {error}. Its content is as it was. "
                "Repair: `python -m devstack up mysql`, then seed again."
            ) from error
        raise


@contextmanager
def alone(cursor: Any, patience: int = 0) -> Iterator[None]:
    """Keep every other seed out; the lock also goes with the connection, after its transaction."""
    cursor.execute(f"SELECT GET_LOCK('{LOCK}', {patience})")
    if cursor.fetchall() != [(1,)]:
        raise StackError(
            "another seed of this source is running, or LIVE is. Repair: wait until it has ended, or end it."
        )
    yield
    cursor.execute(f"SELECT RELEASE_LOCK('{LOCK}')")
    cursor.fetchall()


def _drop(cursor: Any, *suffixes: str) -> None:
    names = [f"{table}{suffix}" for suffix in suffixes for table in TABLES]
    cursor.execute("DROP TABLE IF EXISTS " + ", ".join(names))


def _write(folder: Path, chunk: Chunk) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    files = {}
    for table, text in zip(TABLES, chunk.texts, strict=True):
        files[table] = folder / f"{table}.tsv"
        files[table].write_bytes(text)
    return files


def _load(cursor: Any, files: dict[str, Path]) -> None:
    for table, path in files.items():
        cursor.execute(
            f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table}_new CHARACTER SET utf8mb4 "
            r"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'"
        )
        cursor.execute("SHOW WARNINGS")
        if warnings := cursor.fetchall()[:3]:
            raise StackError(
                f"{table} did not take its rows as they are: {warnings}. "
                f"Repair: compare include/sql/source/create_{table}.sql with the rows given."
            )
