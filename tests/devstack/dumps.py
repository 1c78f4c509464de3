"""Dumps in all three formats, written independently of how they are read."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from devstack.source.columns import tables

Rows = Sequence[Sequence[Any]]
FORMATS = ("csv", "jsonl", "sql")
SQL_ESCAPES = str.maketrans(
    {"\0": r"\0", "\n": r"\n", "\r": r"\r", "\x1a": r"\Z", "'": r"\'", '"': r"\"", "\\": r"\\"}
)
CREATE = "CREATE TABLE `{}` (\n{},\n  PRIMARY KEY (`{}`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;"
TIME = datetime(2022, 10, 18, 21, 5)
TEXTS = [
    "1.10", "007", "1e5", "NULL", "\\N", "None", "", " ", "'", '"', "''", '""', "\\", "\\\\'", "a\nb", "a\r\nb\r",
    "a\tb", "\0", "a\0\0b\0", "\x1a", ";\n", "'); DROP TABLE pinterest_data; --", "{{ x }}", "%(x)s %s", "😀🎄",
    "e\u0301 \u05e9\u202e \u2028 \ufeff", "x" * 10_000, "😀" * 10_000, "é" * 32_767, "9" * 30, "many", "/* -- #",
]  # fmt: skip


def hostile() -> list[list[tuple[Any, ...]]]:
    """Rows that the columns can hold, whatever the cleaning will say to them."""
    numbers = range(len(TEXTS))
    pins = [
        (n, f"id {n}"[:36], text, *[None] * 2, text, None, text, *[None] * 4) for n, text in enumerate(TEXTS)
    ]
    geos = [(n, TIME, (999.0, -67.2157, None)[n % 3], (-1e30, 123.457, 0.0)[n % 3], "Chad") for n in numbers]
    users = [(n, text, None, (-1, 2**31 - 1, None)[n % 3], TIME) for n, text in enumerate(TEXTS)]
    return [pins, geos, users]


def write(folder: Path, ending: str, contents: Sequence[Rows]) -> Path:
    """Write the rows of the three tables, each in the order of its columns."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in zip(tables(), contents, strict=True):
        text = {"csv": as_csv, "jsonl": as_jsonl, "sql": as_sql}[ending](table.name, table.names, rows)
        (folder / f"{table.name}.{ending}").write_bytes(text.encode("utf-8", "surrogatepass"))
    return folder


def as_csv(name: str, names: Sequence[str], rows: Rows) -> str:
    del name
    return "".join(",".join(map(csv_field, row)) + "\r\n" for row in (names, *rows))


def csv_field(value: Any) -> str:
    if value is None:
        return ""
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else str(value)


def as_jsonl(name: str, names: Sequence[str], rows: Rows) -> str:
    del name
    objects = (dict(zip(names, row, strict=True)) for row in rows)
    return "".join(json.dumps(one, ensure_ascii=False, default=datetime.isoformat) + "\n" for one in objects)


def as_sql(name: str, names: Sequence[str], rows: Rows, per_statement: int = 3) -> str:
    columns = ",\n".join(f"  `{column}` longtext DEFAULT NULL" for column in names)
    lines = ["-- MySQL dump 10.13", "/*!40101 SET NAMES utf8mb4 */;", f"DROP TABLE IF EXISTS `{name}`;"]
    lines += [CREATE.format(name, columns, names[0]), f"LOCK TABLES `{name}` WRITE;"]
    lines += [f"/*!40000 ALTER TABLE `{name}` DISABLE KEYS */;"]
    for start in range(0, len(rows), per_statement):
        values = ",".join(f"({sql_row(row)})" for row in rows[start : start + per_statement])
        lines.append(f"INSERT INTO `{name}` VALUES {values};")
    return "\n".join([*lines, "UNLOCK TABLES;", "-- Dump completed", ""])


def sql_row(row: Iterable[Any]) -> str:
    return ",".join(map(sql_value, row))


def sql_value(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else f"'{str(value).translate(SQL_ESCAPES)}'"
