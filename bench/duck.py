"""The same cleaning in DuckDB: landed files in, rows and refused lines out as Parquet."""

from pathlib import Path
from typing import Any

import duckdb
import yaml

from devstack.config import REPO

Field = dict[str, Any]
THREADS = 2
# of a field: what it must be, and its value; {k} is its JSON type, {t} its text
FORMS = {
    "text": ("{k} = 'VARCHAR'", "CASE WHEN trim({t}) <> '' THEN {t} END"),
    "int": ("{k} IN ('BIGINT', 'UBIGINT')", "TRY_CAST({t} AS INTEGER)"),
    "float": ("{k} IN ('BIGINT', 'UBIGINT', 'DOUBLE')", "TRY_CAST({t} AS DOUBLE)"),
    "datetime": (
        r"regexp_full_match({t}, '\d{{4}}[-:]\d{{2}}[-:]\d{{2}}[T ]\d{{2}}:\d{{2}}:\d{{2}}')",
        "TRY_CAST(concat(translate({t}[1:10], ':', '-'), ' ', {t}[12:19]) AS TIMESTAMP)",
    ),
}
IDS = "{ind: 'INTEGER', post_ts: 'VARCHAR'}"
COUNT = r"^(\d{1,19}(?:\.\d{1,9})?)([kM]?)$"


def connected() -> duckdb.DuckDBPyConnection:
    """Open a database in memory, with as many threads as Spark has, in UTC."""
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}; SET TimeZone = 'UTC'")
    return connection


def clean(manifest: dict[str, Any], lake: Path, out: Path) -> None:
    """Clean one table's landed objects into `<table>.parquet` and `<table>_rejects.parquet`."""
    table = manifest["table"]
    contract = yaml.safe_load((REPO / "include" / "contracts" / f"{table}.yaml").read_text())
    with connected() as connection:
        keys = (lake / manifest["keys"].removeprefix("s3://")).read_text().splitlines()
        files = [str(lake / key.removeprefix("s3://")) for key in keys]
        ids = str(lake / manifest["ids"].removeprefix("s3://"))
        connection.execute(f"CREATE TEMP TABLE settled AS {settled(contract)}", {"files": files, "ids": ids})
        for name, condition in ((table, "="), (f"{table}_rejects", ">")):
            columns = "ind, kept.reasons, kept.raw" if condition == ">" else "kept.* EXCLUDE (reasons, raw)"
            rows = f"SELECT {columns}, post_date FROM settled WHERE len(kept.reasons) {condition} 0"  # noqa: S608
            connection.execute(f"COPY ({rows}) TO '{out / name}.parquet'")


def settled(contract: dict[str, Any]) -> str:
    """Return the statement: lines, fields, values, columns with reasons, and the latest copy of each id."""
    fields = [field for field in contract["source"] if field.get("used", True)]
    paths = ", ".join(f"'$.{field['name']}'" for field in fields)
    parts = ", ".join(
        f'texts[{n}] AS "text_{f["name"]}", kinds[{n}] AS "kind_{f["name"]}"' for n, f in enumerate(fields, 1)
    )
    values = ", ".join(f'{_form(f, 1)} AS "value_{f["name"]}"' for f in fields)
    columns = ", ".join(f'{_column(c)} AS "{c["name"]}"' for c in contract["columns"])
    faults = ", ".join([_fault(f) for f in fields] + [_count_fault(c) for c in contract["columns"]])
    kept = ", ".join(f'"{c["name"]}" := judged."{c["name"]}"' for c in contract["columns"])
    return f"""
        WITH ids AS (
            SELECT ind, CAST(max(post_ts)[1:10] AS DATE) AS post_date
            FROM read_json($ids, columns = {IDS}) GROUP BY ind
        ), objects AS (
            SELECT filename, string_split(content, chr(10)) AS lines FROM read_text($files)
        ), numbered AS (
            SELECT filename, unnest(lines) AS raw, generate_subscripts(lines, 1) - 1 AS line FROM objects
        ), parsed AS (
            SELECT
                raw,
                CAST(regexp_extract(filename, 'partition=(\\d+)', 1) AS INTEGER) AS part,
                CAST(regexp_extract(filename, '\\+(\\d+)\\.json$', 1) AS BIGINT) + line AS place,
                json_extract_string(raw, [{paths}]) AS texts,
                json_type(raw, [{paths}]) AS kinds
            FROM numbered WHERE raw <> '' AND json_valid(raw)
        ), named AS (SELECT raw, part, place, {parts} FROM parsed
        ), valued AS (SELECT *, {values} FROM named
        ), cleaned AS (SELECT *, {columns} FROM valued
        ), judged AS (
            SELECT *, list_filter([{faults}], lambda fault: fault IS NOT NULL) AS reasons FROM cleaned
        )
        SELECT judged."value_{contract["id"]}" AS ind, ids.post_date,
            arg_max(struct_pack({kept}, reasons := reasons, raw := raw), struct_pack(place, part)) AS kept
        FROM judged JOIN ids ON judged."value_{contract["id"]}" = ids.ind
        GROUP BY 1, 2
    """  # noqa: S608 - the contract's own names


def _form(field: Field, part: int) -> str:
    return FORMS[field["wire"]][part].format(k=f'"kind_{field["name"]}"', t=f'"text_{field["name"]}"')


def _texts(values: list[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _column(column: Field) -> str:
    values = [f'"value_{name}"' for name in column["from"]]
    if column["rule"] == "join":
        return f"{values[0]} || ' ' || {values[1]}"
    if column["rule"] == "pair":
        return f"CASE WHEN coalesce({values[0]}, {values[1]}) IS NOT NULL THEN [{', '.join(values)}] END"
    value = values[0]
    if prefix := column.get("strip_prefix"):
        value = (
            f"CASE WHEN starts_with({value}, '{prefix}') THEN {value}[{len(prefix) + 1}:] ELSE {value} END"
        )
    if markers := column.get("null_markers"):
        value = f"CASE WHEN trim({value}) NOT IN ({_texts(markers)}) THEN {value} END"
    if column["rule"] != "count":
        return value
    number, unit = (f"regexp_extract(trim({value}), '{COUNT}', {group})" for group in (1, 2))
    factor = f"CASE {unit} WHEN 'k' THEN 1000 WHEN 'M' THEN 1000000 ELSE 1 END"
    return f"CAST(TRY_CAST(nullif({number}, '') AS DECIMAL(28, 9)) * {factor} AS BIGINT)"


def _fault(field: Field) -> str:
    kind, text, value = (f'"{part}_{field["name"]}"' for part in ("kind", "text", "value"))
    blank = f"({kind} = 'NULL' OR {kind} = 'VARCHAR' AND trim({text}) = '')"
    empty = "NULL" if field.get("nullable", True) else "'is NULL and must not be'"
    bounds = " OR ".join(
        f"{value} {sign} {field[name]}"
        for name, sign in (("minimum", "<"), ("maximum", ">"))
        if name in field
    )
    said = f"'{field['name']}: ' || {text}"
    return (
        f"CASE WHEN {kind} IS NULL THEN '{field['name']}: missing' WHEN {blank} THEN {empty} "
        f"WHEN NOT ({_form(field, 0)}) OR {value} IS NULL THEN {said} || ' cannot be read' "
        f"WHEN {bounds or 'false'} THEN {said} || ' is outside' END"
    )


def _count_fault(column: Field) -> str:
    if column["rule"] != "count":
        return "NULL"
    value = f'"value_{column["from"][0]}"'
    marked = f"trim({value}) IN ({_texts(column['null_markers'])})"
    return f"""CASE WHEN {value} IS NOT NULL AND "{column["name"]}" IS NULL AND NOT {marked}
        THEN '{column["name"]}: ' || {value} || ' is no count' END"""
