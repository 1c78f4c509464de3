"""Landed objects as lines, and lines as rows with one of our ids or as junk."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.manifest import Manifest

IDS = "ind INT, post_ts STRING, partition INT, offset BIGINT"
KEY = r"partition=(\d+)/[^/]*(?:\+|%2B)(\d+)\.json(?:\.gz)?$"
GONE = re.compile(r"PATH_NOT_FOUND|FILE_NOT_EXIST|FileNotFoundException|NoSuchKey")
BASE64 = "base64:"
# what emulation sends instead of a row larger than max_row_bytes (pinflow.wire)
OVERSIZE = "pinflow_oversize"
NOT_UTF8 = "not UTF-8"
JSON_SPACE = " \t\r\n"
ID_TEXT = r"^-?(0|[1-9][0-9]{0,9})$"
SURROGATE = (
    r"(?<!\\)(?:\\\\)*\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)"
    r"[dD][c-fC-F][0-9a-fA-F]{2})"
)


class LakeGoneError(RuntimeError):
    """Objects of the lake that were there and are not any more."""


@contextmanager
def present(what: str, repair: str) -> Iterator[None]:
    """Raise LakeGoneError with the repair when what is read inside is no longer in the lake."""
    try:
        yield
    except Exception as error:
        if not GONE.search(str(error)):
            raise
        reason = str(error).splitlines()[0][:300]
        raise LakeGoneError(f"{what} is no longer in the lake: {reason} Repair: {repair}") from error


def read_keys(spark: SparkSession, manifest: Manifest) -> list[str]:
    """Read the list of landed objects, one URI a line."""
    return [row.value.strip() for row in spark.read.text(manifest.keys).collect() if row.value.strip()]


def read_lines(spark: SparkSession, keys: list[str]) -> DataFrame:
    """Read objects as lines (key, partition, line, offset, raw).

    Only a line feed ends a line: carriage returns, U+2028 and the like stay inside, so that a row's offset is
    the object's start offset + its line.
    """
    if not keys:
        return spark.createDataFrame([], "key STRING, partition INT, line INT, offset BIGINT, raw STRING")
    path = F.col("_metadata.file_path")
    lines = F.when(F.is_valid_utf8("value"), F.split("value", "\n")).otherwise(_split_bytes(F.col("value")))
    last = F.size("lines") - 1
    ended = F.when(F.get("lines", last) == "", F.slice("lines", 1, last)).otherwise(F.col("lines"))
    return (
        spark.read.text(keys, wholetext=True)
        .select(path.alias("path"), lines.alias("lines"))
        .select("path", F.posexplode(ended).alias("line", "raw"))
        .select(
            F.regexp_replace("path", r"^[A-Za-z0-9]+:/+(?:[^/]+/)", "").alias("key"),
            F.regexp_extract("path", KEY, 1).cast("int").alias("partition"),
            "line",
            (F.regexp_extract("path", KEY, 2).cast("bigint") + F.col("line")).alias("offset"),
            "raw",
        )
    )


def _split_bytes(text: Column) -> Column:
    """Split without decoding: `split` alone would replace the bytes that are no UTF-8."""
    lines = F.split(F.decode(text.cast("binary"), "ISO-8859-1"), "\n")
    return F.transform(lines, lambda line: F.encode(line, "ISO-8859-1").cast("string"))


def read_ids(spark: SparkSession, path: str) -> DataFrame:
    """Read an id file as one row an id: ind, post_date, and where it was acknowledged."""
    return (
        spark.read.schema(IDS)
        .json(path)
        .groupBy("ind")
        .agg(
            F.to_date(F.substring(F.max("post_ts"), 1, 10)).alias("post_date"),
            F.collect_set(F.struct("partition", "offset")).alias("acknowledged"),
        )
    )


def parse_lines(lines: DataFrame, id_name: str) -> DataFrame:
    """Add `doc` (the line as strict JSON), `ind` (NULL: no row of anybody) and `fault` (why it is no row).

    The line is parsed inside brackets, because the parser stops after the first value of a text.
    """
    wrapped = F.concat(F.lit("["), F.col("raw"), F.lit("]"))
    # a line could close our bracket itself; it cannot do so and also fit into an object
    closes = (
        F.col("raw").contains("]")  # looked for first, as most lines have none
        & F.col("raw").rlike(r"\}\s*\]")
        & F.try_parse_json(F.concat(F.lit('{"v":'), F.col("raw"), F.lit("}"))).isNull()
    )
    is_object = F.ltrim(F.col("raw"), F.lit(JSON_SPACE)).startswith("{")
    whole = is_object & ~closes
    parsed = lines.withColumn("doc", F.when(whole, F.try_parse_json(wrapped)))
    single = F.try_variant_get("doc", "$[1]", "variant").isNull()
    loose = F.from_json(wrapped, f"ARRAY<STRUCT<`{id_name}` STRING>>", {"allowSingleQuotes": "false"})
    loose_id = F.when(whole & (F.size(loose) == 1), F.get(loose, F.lit(0))[id_name])
    strict_id = F.try_variant_get("doc", f"$[0]['{id_name}']", "string")
    id_text = F.when(F.col("doc").isNull(), loose_id).when(single, strict_id)
    ind = F.when(_whole_number(id_text).rlike(ID_TEXT), _whole_number(id_text).try_cast("int"))
    return parsed.withColumn("ind", ind).withColumn("fault", _fault(id_name))


def _whole_number(text: Column) -> Column:
    return F.regexp_replace(text, r"\.0+$", "")


def _fault(id_name: str) -> Column:
    names = F.map_keys(F.from_json("raw", "MAP<STRING,STRING>", {"allowSingleQuotes": "false"}))
    repeated = F.size(names) > F.size(F.array_distinct(names))
    size = F.try_variant_get("doc", f"$[0].{OVERSIZE}.bytes", "bigint")
    oversize = F.format_string("%d bytes, more than max_row_bytes; its values were not sent", size)
    return (
        F.when(F.col("ind").isNull() & F.col("doc").isNull(), F.lit("not a JSON object"))
        .when(F.col("ind").isNull(), F.lit(f"no whole number in {id_name}"))
        .when(~F.is_valid_utf8("raw"), F.lit(NOT_UTF8))
        .when(F.col("raw").contains(f'"{OVERSIZE}"') & size.isNotNull(), oversize)
        .when(F.col("doc").isNotNull(), F.lit(None))
        .when(repeated, F.lit("repeated keys"))
        .when(F.col("raw").rlike(SURROGATE), F.lit("a lone surrogate"))
        .otherwise(F.lit("not strict JSON: NaN, Infinity, repeated keys inside a value, or too large"))
    )


def quotable(raw: Column) -> Column:
    """Keep a line as text, or as base64 when it is not UTF-8."""
    return F.when(F.is_valid_utf8(raw), raw).otherwise(F.concat(F.lit(BASE64), F.base64(raw.cast("binary"))))


def unquoted(kept: Column) -> Column:
    """Give back the line; a row of ours starts with a brace, never with the mark."""
    line = F.unbase64(F.substring(kept, len(BASE64) + 1, 2**31 - 1)).cast("string")
    return F.when(kept.startswith(BASE64), line).otherwise(kept)
