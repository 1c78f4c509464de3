from pathlib import Path

from pyspark.sql import SparkSession

from pinspark.landing import read_ids, read_keys, read_lines
from pinspark.manifest import parse_manifest
from tests.include.landed import Landing, pin_row, wire

LINES = [
    "a\u2028b\u2029c\x85d\x0b\x0c\x1c\x1e".encode(),
    b"carriage\rreturn\r",
    b"",
    b"nul \x00",
    "\ufeff😀".encode(),
    b"x" * 70_000,
]


def object_with(folder: Path, text: bytes, name: str = "12e834567890.pin+2+0000000123.json") -> str:
    path = folder / "lake with space" / "topics" / "12e834567890.pin" / "partition=2" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return f"file://{path}"


def test_only_a_line_feed_ends_a_line_and_offsets_count_from_the_key(
    spark: SparkSession, tmp_path: Path
) -> None:
    key = object_with(tmp_path, b"\n".join(LINES) + b"\n")
    rows = sorted(read_lines(spark, [key]).collect(), key=lambda row: row.line)
    assert [row.raw.encode() for row in rows] == LINES
    assert [(row.partition, row.offset) for row in rows] == [(2, 123 + line) for line in range(len(LINES))]
    assert {row.key.rsplit("/", 1)[-1] for row in rows} == {"12e834567890.pin+2+0000000123.json"}


def test_a_last_line_without_its_end_is_a_line_and_an_empty_object_has_none(
    spark: SparkSession, tmp_path: Path
) -> None:
    keys = [
        object_with(tmp_path, b"one\ntwo"),
        object_with(tmp_path, b"", "12e834567890.pin+2+00000000000000000500.json"),
    ]
    rows = sorted(read_lines(spark, keys).collect(), key=lambda row: row.offset)
    assert [(row.raw, row.offset) for row in rows] == [("one", 123), ("two", 124)]


def test_bytes_that_are_no_utf8_are_kept(spark: SparkSession, tmp_path: Path) -> None:
    lines = [b"\xff\xfe", "é".encode(), b"a\xe9b"]
    key = object_with(tmp_path, b"\n".join(lines) + b"\n")
    rows = sorted(read_lines(spark, [key]).selectExpr("line", "CAST(raw AS BINARY) AS raw").collect())
    assert [bytes(row.raw) for row in rows] == lines


def test_no_keys_are_no_lines(spark: SparkSession) -> None:
    assert read_lines(spark, []).collect() == []


def test_id_files_and_key_lists_are_read_also_when_empty(spark: SparkSession, tmp_path: Path) -> None:
    full = Landing(tmp_path, "pin", "2022-10-14", "2022-10-16", "aaaa00000001")
    full.own(3, wire(pin_row(3)), "2022-10-15")
    manifest = parse_manifest(full.manifest())
    (row,) = read_ids(spark, manifest.ids).collect()
    assert [row.ind, str(row.post_date), [tuple(place) for place in row.acknowledged]] == [
        3,
        "2022-10-15",
        [(0, 40)],
    ]
    assert len(read_keys(spark, manifest)) == 1
    empty = parse_manifest(
        Landing(tmp_path / "empty", "pin", "2022-10-14", "2022-10-16", "aaaa00000002").manifest()
    )
    assert read_ids(spark, empty.ids).collect() == []
    assert read_keys(spark, empty) == []
