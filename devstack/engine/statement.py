"""Run one SQL statement in its own session and leave its rows as JSON chunks in the run's folder."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstack.engine import job
from devstack.engine.parameters import bind
from devstack.engine.rows import as_text, column_info

if TYPE_CHECKING:
    from pyspark.sql import DataFrame  # type: ignore[import-not-found,unused-ignore]

CHUNK_ROWS = 10_000
CHUNK_BYTES = 4 * 2**20
MANIFEST = "manifest.json"


class ResultTooLargeError(RuntimeError):
    """The rows exceed what the disposition allows."""


def run(folder: Path, order: dict[str, Any]) -> None:
    """Run the job's statement."""
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.remote(os.environ["SPARK_REMOTE"]).getOrCreate()
    _use(spark, order.get("catalog"), order.get("schema"))
    frame = spark.sql(bind(order["statement"], order.get("parameters", [])))
    _write(folder, frame, order)


def _use(spark: Any, catalog: str | None, schema: str | None) -> None:
    if catalog and catalog not in ("spark_catalog", "hive_metastore"):
        raise ValueError(
            f"There is no catalog '{catalog}' here. Repair: leave `catalog` out; names are schema.table."
        )
    if schema:
        spark.catalog.setCurrentDatabase(schema)


def _write(folder: Path, frame: "DataFrame", order: dict[str, Any]) -> None:
    schema = frame.schema
    columns = [column_info(position, field) for position, field in enumerate(schema.fields)]
    limit = order.get("row_limit")
    if columns:
        frame = as_text(frame)
        table = (frame.limit(int(limit) + 1) if limit else frame).toArrow()
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    else:
        rows = []
    truncated = bool(limit) and len(rows) > int(limit or 0)
    if truncated and limit:
        rows = rows[: int(limit)]
    chunks, cut = _chunks(folder, rows, order)
    content = {
        "format": "JSON_ARRAY",
        "schema": {"column_count": len(columns), "columns": columns},
        "total_chunk_count": len(chunks),
        "total_row_count": sum(chunk["row_count"] for chunk in chunks),
        "chunks": chunks,
        "truncated": truncated or cut,
    }
    job.write_json(folder / MANIFEST, content)


def _chunks(
    folder: Path, rows: list[tuple[str | None, ...]], order: dict[str, Any]
) -> tuple[list[dict[str, int]], bool]:
    """Write rows in pieces of bounded size; tell whether `byte_limit` cut them."""
    found: list[dict[str, int]] = []
    part: list[str] = []
    size = total = 0
    limit, inline = order.get("byte_limit"), order.get("inline_limit")

    def flush() -> None:
        nonlocal size
        offset = found[-1]["row_offset"] + found[-1]["row_count"] if found else 0
        (folder / f"chunk-{len(found)}.json").write_text(f"[{','.join(part)}]", encoding="utf-8")
        found.append(
            {"chunk_index": len(found), "row_offset": offset, "row_count": len(part), "byte_count": size}
        )
        part.clear()
        size = 0

    cut = False
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        total += len(text.encode())
        if inline and total > inline:
            raise ResultTooLargeError(
                f"Inline byte limit exceeded: the result is larger than {inline} bytes. "
                "Repair: add a LIMIT, or ask with disposition EXTERNAL_LINKS."
            )
        cut = bool(limit) and total > int(limit or 0)
        if cut:
            break
        part.append(text)
        size += len(text.encode())
        if len(part) == CHUNK_ROWS or size >= CHUNK_BYTES:
            flush()
    if part:
        flush()
    return found, cut


def describe(error: BaseException) -> dict[str, Any]:
    """Return what a Spark error says in fields: its class and SQLSTATE."""
    found: dict[str, Any] = {}
    for name, method in (("condition", "getCondition"), ("sql_state", "getSqlState")):
        ask = getattr(error, method, None)
        value = ask() if callable(ask) else None
        if value:
            found[name] = str(value)
    return found
