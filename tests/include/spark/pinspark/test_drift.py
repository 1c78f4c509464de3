"""Unknown and lost fields over a few lines; tests/include/spark/jobs/test_drift.py runs the jobs."""

import re
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pinspark.contracts import load_contract
from pinspark.drift import Cleaned, Unknown, describe_lost, describe_unknown, parse_cleaned
from pinspark.landing import parse_lines
from pinspark.stage import clean_lines
from pinspark.transforms import shape
from tests.include.landed import ROWS, pin_row, user_row, wire


def cleaned(spark: SparkSession, table: str, *lines: bytes | dict[str, Any]) -> list[Row]:
    raws = [(n, (line if isinstance(line, bytes) else wire(line))) for n, line in enumerate(lines)]
    frame = spark.createDataFrame(raws, "line INT, bytes BINARY").withColumn(
        "raw", F.col("bytes").cast("string")
    )
    contract = load_contract(table)
    parsed = frame.transform(parse_lines, contract.id).transform(clean_lines, contract)
    return parsed.select("row", "unknown", "reasons", "line").orderBy("line").collect()


def test_fields_outside_the_contract_are_named_with_their_json_type(spark: SparkSession) -> None:
    rows = cleaned(
        spark,
        "user",
        user_row(0),
        user_row(1, language="en", likes=5, score=1.5, extra=None),
        user_row(2, tags=["a"], place={"a.b": 1}),
        user_row(3, age="x", language=True),
        b'{"ind":4,"language":"en"}',
        b'{"ind":5,"x":1,"x":2}',
        b"null",
        b"[1]",
        wire(user_row(6)).replace(b"Aaron", b"\xff"),
        user_row(7, **{"a`'\n": 1}),
        user_row(8, age="x"),
    )
    assert [row.unknown for row in rows] == [
        None,
        {"language": "STRING", "likes": "BIGINT", "score": "DECIMAL(2,1)", "extra": "VOID"},
        {"tags": "ARRAY<STRING>", "place": "OBJECT<`a.b`: BIGINT>"},
        {"language": "BOOLEAN"},
        {"language": "STRING"},
        None,
        None,
        None,
        None,
        {"a`'\n": "BIGINT"},
        None,
    ]
    assert rows[1].reasons == []


def test_a_row_without_a_field_that_may_be_absent_is_plain(spark: SparkSession) -> None:
    whole, absent, required = pin_row(1), pin_row(2), pin_row(3)
    del absent["downloaded"], required["category"]
    rows = cleaned(spark, "pin", whole, absent, required)
    assert [row.row is not None for row in rows] == [True, True, False]
    assert [row.reasons for row in rows] == [[], [], ["category: missing"]]


@pytest.mark.parametrize("table", ROWS)
def test_the_pattern_of_a_plain_line_lets_absent_only_what_may_be(table: str) -> None:
    contract = load_contract(table)
    kinds = {"text": "STRING", "int": "BIGINT", "float": "DECIMAL(6,4)", "datetime": "STRING"}
    fields = sorted(contract.source, key=lambda field: field.name)

    def matches(without: str | None = None) -> bool:
        parts = [f"{field.name}: {kinds[field.wire]}" for field in fields if field.name != without]
        return re.match(shape(contract), f"ARRAY<OBJECT<{', '.join(parts)}>>") is not None

    assert matches()
    for field in contract.source:
        assert matches(without=field.name) is (not field.required), field.name


def test_an_unknown_field_is_told_with_the_line_that_takes_it_in() -> None:
    contract = load_contract("pin")
    assert describe_unknown(Cleaned(), contract) == "no field outside the contract"
    said = describe_unknown(Cleaned(4, (Unknown("likes", "BIGINT", 4), Unknown("x", "ARRAY", 1))), contract)
    assert said.startswith("'likes' (BIGINT) in 4 rows, 'x' (ARRAY) in 1 rows; the landed lines keep them")
    assert "`- {name: likes, type: INT, wire: int, doc: ...}`" in said
    assert "include/contracts/pin.yaml" in said


def test_a_lost_field_and_an_unknown_one_of_its_type_are_a_renamed_one() -> None:
    contract = load_contract("pin")
    unknown = Cleaned(3, (Unknown("topic", "STRING", 3), Unknown("likes", "BIGINT", 3)))
    assert "category is in no row; renamed to 'topic'?" in describe_lost({"category": 3}, unknown, contract)
    assert "index is in no row; renamed to 'likes'?" in describe_lost({"index": 3}, unknown, contract)
    assert "renamed" not in describe_lost({"category": 3}, Cleaned(), contract).split("(")[0]
    assert describe_lost({}, unknown, contract) == "every required field is in some row"


def test_what_clean_returned_is_read_and_an_older_result_says_nothing() -> None:
    result = {"table": "pin", "drifted": 2, "unknown": [{"name": "a", "type": "STRING", "rows": 2}]}
    assert parse_cleaned([result, {"table": "geo", "staged": 1}, None]) == {
        "pin": Cleaned(2, (Unknown("a", "STRING", 2),)),
        "geo": Cleaned(),
    }
