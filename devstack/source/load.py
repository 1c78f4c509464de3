"""Loading generated rows into the source database: new tables first, then one atomic RENAME."""

import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mysql.connector

from devstack.config import REPO, Settings
from devstack.errors import StackError
from devstack.source.generate import Chunk

SQL = REPO / "include" / "sql" / "source"
TABLES = ("pinterest_data", "geolocation_data", "user_data")
LOCK = "pinflow_seed"


@contextmanager
def connected(settings: Settings) -> Iterator[Any]:
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


def create_tables(cursor: Any, suffix: str = "") -> None:
    """Create the three tables, their names with a suffix."""
    for table in TABLES:
        ddl = (SQL / f"create_{table}.sql").read_text(encoding="utf-8")
        cursor.execute(re.sub(rf"\b{table} \(", f"{table}{suffix} (", ddl, count=1))


def replace(settings: Settings, chunks: Iterator[Chunk]) -> None:
    """Put the rows in the place of what the source holds; readers see the old tables or the new ones."""
    with connected(settings) as cursor, _alone(cursor):
        _drop(cursor, "_new", "_old")
        create_tables(cursor)
        create_tables(cursor, "_new")
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
        moves = [f"{table} TO {table}_old, {table}_new TO {table}" for table in TABLES]
        cursor.execute("RENAME TABLE " + ", ".join(moves))
        _drop(cursor, "_old")


@contextmanager
def _alone(cursor: Any) -> Iterator[None]:
    cursor.execute(f"SELECT GET_LOCK('{LOCK}', 0)")
    if cursor.fetchall() != [(1,)]:
        raise StackError("another seed of this source is running. Repair: wait until it has ended.")
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
                f"Repair: compare include/sql/source/create_{table}.sql with devstack/source/generate.py."
            )
