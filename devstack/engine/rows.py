"""Columns named and values written as the SQL statements API of Databricks gives them: strings and null."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame  # type: ignore[import-not-found,unused-ignore]
    from pyspark.sql.types import DataType, StructField  # type: ignore[import-not-found,unused-ignore]

NAMES = {
    "tinyint": "BYTE",
    "smallint": "SHORT",
    "int": "INT",
    "bigint": "LONG",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "STRING",
    "boolean": "BOOLEAN",
    "binary": "BINARY",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamp_ntz": "TIMESTAMP",
    "void": "NULL",
}
PREFIXES = ("array", "map", "struct", "decimal", "interval", "char", "varchar")


def _base(kind: "DataType") -> str:
    text = str(kind.simpleString())
    prefix = next((name for name in PREFIXES if text.startswith(name)), "")
    return {"varchar": "STRING"}.get(prefix, prefix.upper()) or NAMES.get(text, text.upper())


def _text(kind: "DataType") -> str:
    """Write a type as in DDL: its words in capitals, the names of a struct's fields as they are."""
    from pyspark.sql.types import ArrayType, MapType, StructType

    if isinstance(kind, ArrayType):
        return f"ARRAY<{_text(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"MAP<{_text(kind.keyType)}, {_text(kind.valueType)}>"
    if isinstance(kind, StructType):
        return f"STRUCT<{', '.join(f'{field.name}: {_text(field.dataType)}' for field in kind.fields)}>"
    return str(kind.simpleString()).upper()


def column_info(position: int, field: "StructField") -> dict[str, Any]:
    """Describe one column of the manifest's schema."""
    base = _base(field.dataType)
    found: dict[str, Any] = {
        "name": field.name,
        "position": position,
        "type_name": base,
        "type_text": _text(field.dataType),
    }
    if base == "DECIMAL":
        found |= {"type_precision": field.dataType.precision, "type_scale": field.dataType.scale}  # type: ignore[attr-defined,unused-ignore]
    if base == "INTERVAL":
        found["type_interval_type"] = _text(field.dataType).removeprefix("INTERVAL ")
    return found


def as_text(frame: "DataFrame") -> "DataFrame":
    """Turn every value into its string on the server, where Spark's own formats apply."""
    from pyspark.sql import functions as F  # noqa: N812 - as everywhere in Spark

    numbered = frame.toDF(*(f"c{number}" for number in range(len(frame.columns))))
    columns = []
    for number, field in enumerate(frame.schema.fields):
        column, base = F.col(f"c{number}"), _base(field.dataType)
        if base in ("ARRAY", "MAP", "STRUCT", "VARIANT"):
            column = F.to_json(column, {"ignoreNullFields": "false"})
        elif base == "BINARY":
            column = F.base64(column)
        elif base == "TIMESTAMP":
            zone = "" if field.dataType.simpleString() == "timestamp_ntz" else "'Z'"
            column = F.date_format(column, f"yyyy-MM-dd'T'HH:mm:ss.SSS{zone}")
        else:
            column = column.cast("string")
        columns.append(column.alias(f"c{number}"))
    return numbered.select(*columns)
