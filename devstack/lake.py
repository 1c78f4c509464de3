"""Ask the lake one SQL statement from the command line, through the statements API."""

import csv
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, Any

import httpx

from devstack.config import Settings
from devstack.errors import StackError

FORMATS = ("table", "csv", "json")
STATEMENTS = "/api/2.0/sql/statements"
WAREHOUSE = "local"
WAIT = "50s"
_WHOLE = ("BYTE", "SHORT", "INT", "LONG")
_NESTED = ("ARRAY", "MAP", "STRUCT")
Row = list[str | None]


class Answer:
    """Columns of a result and its rows, read chunk by chunk."""

    def __init__(self, client: httpx.Client, body: dict[str, Any]) -> None:
        self.client = client
        self.body = body
        self.columns: list[dict[str, Any]] = body["manifest"]["schema"]["columns"]

    def rows(self) -> Iterator[Row]:
        """Yield every row; values are strings or None."""
        result = self.body["result"]
        while True:
            for link in result.get("external_links", ()):
                yield from self.client.get(link["external_link"]).raise_for_status().json()
            places = result.get("external_links") or [{}]
            following = places[-1].get("next_chunk_internal_link")
            if not following:
                return
            result = self.client.get(following).raise_for_status().json()


def sql(settings: Settings, statement: str, format: str = "table", out: IO[str] | None = None) -> None:
    """Run a statement and write its rows as `table`, `csv` or `json`; raises StackError."""
    if format not in FORMATS:
        raise StackError(f"FORMAT={format} is unknown. Repair: choose from {', '.join(FORMATS)}.")
    writers = {"table": _table, "csv": _csv, "json": _json}
    with _asking(settings) as client:
        writers[format](_run(client, statement), out or sys.stdout)


def query(settings: Settings, statement: str) -> tuple[list[str], list[Row]]:
    """Run a statement; return the names of its columns and its rows as text; raises StackError."""
    with _asking(settings) as client:
        answer = _run(client, statement)
        return [column["name"] for column in answer.columns], list(answer.rows())


@contextmanager
def _asking(settings: Settings) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {settings.databricks_token}"}
    with httpx.Client(
        base_url=settings.databricks_url, headers=headers, timeout=90, trust_env=False
    ) as client:
        try:
            yield client
        except httpx.TransportError as error:
            raise StackError(
                f"The Databricks endpoint on {settings.databricks_url} does not answer ({error}). "
                "Repair: `make up` (or `python -m devstack up databricks`), then ask again."
            ) from error
        except httpx.HTTPStatusError as error:
            raise StackError(_refusal(error.response)) from error


def _run(client: httpx.Client, statement: str) -> Answer:
    order = {
        "statement": statement,
        "warehouse_id": WAREHOUSE,
        "wait_timeout": WAIT,
        "disposition": "EXTERNAL_LINKS",
    }
    body = client.post(STATEMENTS, json=order).raise_for_status().json()
    try:
        while body["status"]["state"] in ("PENDING", "RUNNING"):
            time.sleep(0.5)
            body = client.get(f"{STATEMENTS}/{body['statement_id']}").raise_for_status().json()
    except KeyboardInterrupt:
        client.post(f"{STATEMENTS}/{body['statement_id']}/cancel")
        raise
    status = body["status"]
    if status["state"] != "SUCCEEDED":
        message = str(status.get("error", {}).get("message", "")).strip()
        repair = (
            ""
            if "Repair:" in message
            else " Repair: correct the statement; `SHOW TABLES IN gold` lists tables."
        )
        raise StackError(f"The statement ended {status['state']}: {message}{repair}")
    return Answer(client, body)


def _refusal(response: httpx.Response) -> str:
    try:
        message = str(response.json()["message"])
    except (ValueError, KeyError):
        message = response.text[:500]
    return f"The Databricks endpoint refused the statement (HTTP {response.status_code}): {message}"


def _csv(answer: Answer, out: IO[str]) -> None:
    writer = csv.writer(out, lineterminator="\n")
    if answer.columns:
        writer.writerow(column["name"] for column in answer.columns)
        writer.writerows(answer.rows())


def _json(answer: Answer, out: IO[str]) -> None:
    names = [column["name"] for column in answer.columns]
    kinds = [column["type_name"] for column in answer.columns]
    out.write("[")
    for number, row in enumerate(answer.rows()):
        values = {name: _value(kind, text) for name, kind, text in zip(names, kinds, row, strict=True)}
        out.write(("" if number == 0 else ",") + "\n" + json.dumps(values, ensure_ascii=False))
    out.write("\n]\n")


def _value(kind: str, text: str | None) -> Any:
    """Give a value its JSON type; a number that JSON's would change stays a string."""
    if text is None:
        return None
    if kind in _WHOLE:
        return int(text)
    if kind == "BOOLEAN":
        return text == "true"
    if kind in _NESTED:
        return json.loads(text)
    if kind in ("FLOAT", "DOUBLE", "DECIMAL") and text not in ("NaN", "Infinity", "-Infinity"):
        number = float(text)
        return number if kind != "DECIMAL" or Decimal(repr(number)) == Decimal(text) else text
    return text


def _table(answer: Answer, out: IO[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(answer.rows())
    console = Console(file=out)
    if answer.columns:
        table = Table()
        for column in answer.columns:
            right = column["type_name"] in (*_WHOLE, "FLOAT", "DOUBLE", "DECIMAL")
            table.add_column(Text(column["name"]), justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text("NULL", style="dim") if value is None else Text(value) for value in row))
        console.print(table)
    console.print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}" if answer.columns else "done")
