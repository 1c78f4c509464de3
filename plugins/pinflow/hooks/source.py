"""The source database: MySQL behind the connection `pinterest_rds`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from functools import cache
from typing import Any

from airflow.providers.mysql.hooks.mysql import MySqlHook

from pinflow.drift import compare, source_tables
from pinflow.errors import PinflowError, SourceError, SourceUnavailableError
from pinflow.hooks.connection import DefinedConnection
from pinflow.paths import include_dir
from pinflow.window import DAY, Window

CONNECTION = "pinterest_rds"
KEY = {"pin": "index", "geo": "ind", "user": "ind"}
# An IN list of this size is one scan even where no index exists; beyond it one unbuffered scan reads all.
IDS_PER_QUERY = 10_000
_CONNECT_SECONDS = 10
_READ_SECONDS = 300
_DENIED = {1044, 1045, 1129, 1130, 1142, 1143, 1227, 1251, 1698, 2059, 2061}
_LACKING = {1049: "database", 1146: "table", 1054: "column"}
# 2000 to 2999 are the client's (no connection, or a lost one); these are the server's passing troubles.
_PASSING = {1040, 1053, 1152, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1290, 3024, 4031}


@cache
def _statement(name: str) -> str:
    return (include_dir() / "sql" / "source" / f"{name}.sql").read_text(encoding="utf-8")


def explain(error: Exception, where: str) -> PinflowError | None:
    """Turn a driver's error into one that names the repair; None when it is not the driver's."""
    number = getattr(error, "errno", None)
    if number is None and error.args and isinstance(error.args[0], int):
        number = error.args[0]
    if number is None:
        return None
    if number in _DENIED:
        return SourceError(
            f"{where} refused the login or lacks a grant: {error}.",
            f"correct login and password of the connection `{CONNECTION}`, or grant SELECT on the "
            "tables to it, as seen by this host.",
        )
    if number in _LACKING:
        return SourceError(
            f"{where} has no such {_LACKING[number]}: {error}.",
            f"correct the schema of the connection `{CONNECTION}`, or load the tables "
            "pinterest_data, geolocation_data and user_data (locally `make seed`).",
        )
    if (1000 <= number < 2000 or number >= 3000) and number not in _PASSING:
        return SourceError(
            f"{where} refused what was asked: {error}.",
            "look the number up in MySQL's error reference; the tables must be as include/sql/source says.",
        )
    return SourceUnavailableError(
        f"{where} does not answer or dropped the connection: {error}.",
        f"check host and port of the connection `{CONNECTION}` and that the database is up; "
        "the task starts its table over from the frozen ids.",
    )


class SourceHook(DefinedConnection, MySqlHook):
    """Reads posts; sessions are read-only, UTC and utf8mb4, with connect and read time-outs."""

    def __init__(
        self,
        shift_days: int = 0,
        mysql_conn_id: str = CONNECTION,
        columns: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Read these columns of each table, by default all that the contracts know.

        `shift_days` is added to the time of every post, so that old days are replayed as today.
        """
        super().__init__(mysql_conn_id=mysql_conn_id, **kwargs)
        self.shift = shift_days * DAY
        self.columns = columns or {}

    def get_conn(self) -> Any:
        """Connect with the driver the connection's extra `client` names (default mysqlclient)."""
        conn = self.get_connection(self.get_conn_id())
        extra = conn.extra_dejson
        common: dict[str, Any] = {
            "host": conn.host or "localhost",
            "port": int(conn.port or 3306),
            "user": conn.login,
            "password": conn.password or "",
            "database": self.schema or conn.schema or "",
            "charset": extra.get("charset", "utf8mb4"),
        }
        tls = {k: v for k, v in extra.items() if k.startswith("ssl")}
        # rows are read as fast as they are sent on, which a busy log can hold up for minutes
        start = "SET time_zone = '+00:00', net_write_timeout = 1800"
        if extra.get("client", "mysqlclient") == "mysql-connector-python":
            import mysql.connector

            connection = mysql.connector.connect(
                **common,
                **tls,
                connection_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                init_command=start,
            )
        else:
            import MySQLdb

            connection = MySQLdb.connect(
                **common,
                **({"ssl": tls["ssl"]} if "ssl" in tls else {}),
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                init_command=start,
                use_unicode=True,
            )
        with closing(connection.cursor()) as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
        return connection

    def where(self) -> str:
        """Name the database for messages, without secrets."""
        conn = self.get_connection(self.get_conn_id())
        return f"MySQL {conn.host}:{conn.port or 3306}/{self.schema or conn.schema or ''}"

    def stream(self, sql: str, parameters: Any = None) -> Iterator[dict[str, Any]]:
        """Yield rows as dictionaries from an unbuffered cursor; raises PinflowError on driver errors."""
        connection = None
        try:
            connection = self.get_conn()
            cursor = self._cursor(connection)
            cursor.execute(sql, parameters)
            columns = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(5_000):
                for row in rows:
                    yield dict(zip(columns, row, strict=True))
        except Exception as error:
            raise (explain(error, self.where()) or error) from error
        finally:
            # the connection, not the cursor: a cursor left early would first want its unread rows
            if connection is not None:
                with suppress(Exception):
                    connection.close()

    @staticmethod
    def _cursor(connection: Any) -> Any:
        if type(connection).__module__.startswith("MySQLdb"):
            from MySQLdb.cursors import SSCursor

            return connection.cursor(SSCursor)
        return connection.cursor(buffered=False)

    def compare_columns(self) -> list[str]:
        """Compare the source's columns with the contracts' and read those that both have from now on.

        Returns a warning for each column that is added, retyped or missing without need; raises
        SourceDriftError when a required one is missing.
        """
        names = {frame: table.table for frame, table in source_tables().items()}
        drift = compare(self.stream(_statement("columns"), names), self.where())
        self.columns = drift.columns
        return drift.warnings

    def _select(self, table: str) -> str:
        known = source_tables()[table]
        names = self.columns.get(table) or [column.name for column in known.columns]
        # names of the contracts, never of data
        return f"SELECT {', '.join(f'`{name}`' for name in names)} FROM `{known.table}`"  # noqa: S608

    def newest_post(self) -> datetime | None:
        """Return the newest post's timestamp (naive UTC), None for an empty source."""
        row = next(self.stream(_statement("newest_post")), None)
        newest = next(iter(row.values())) if row else None
        return newest and self._later(newest)

    def posts(self, window: Window) -> Iterator[dict[str, Any]]:
        """Yield `ind` and `post_ts` of the window's posts, read in one statement and so one snapshot."""
        bounds = {
            "window_start": window.start.replace(tzinfo=None) - self.shift,
            "window_end": window.end.replace(tzinfo=None) - self.shift,
        }
        for row in self.stream(_statement("select_posts"), bounds):
            yield {**row, "post_ts": row["post_ts"] + self.shift}

    def every_post(self) -> Iterator[dict[str, Any]]:
        """Yield `ind` and `post_ts` of every post that has an id and a time, in no order."""
        for row in self.stream(_statement("every_post")):
            # a zero date is no datetime
            if row["ind"] is not None and isinstance(row["post_ts"], datetime):
                yield {**row, "post_ts": self._later(row["post_ts"])}

    def every_row(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield a whole table in one unbuffered scan, in the order `rows` scans it."""
        rows = self.stream(self._select(table))
        yield from map(self._shifted, rows) if self.shift else rows

    def rows(self, table: str, ids: Collection[int]) -> Iterator[dict[str, Any]]:
        """Yield a table's rows with these ids, in at most one scan of the table."""
        sql, key = self._select(table), KEY[table]
        if not ids:
            return
        if len(ids) > IDS_PER_QUERY:
            rows: Iterator[dict[str, Any]] = (row for row in self.stream(sql) if row[key] in ids)
        else:
            marks = ", ".join(["%s"] * len(ids))
            rows = self.stream(f"{sql}\nWHERE `{key}` IN ({marks})", tuple(ids))
        yield from map(self._shifted, rows) if self.shift else rows

    def _shifted(self, row: dict[str, Any]) -> dict[str, Any]:
        time = row.get("timestamp")
        return {**row, "timestamp": self._later(time)} if isinstance(time, datetime) else row

    def _later(self, moment: datetime) -> datetime:
        return min(moment, datetime.max - self.shift) + self.shift
