"""Rules about a single row, and what reasons tell of personal values."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pinspark.checks import load_checks
from pinspark.contracts import TABLES, load_contract, parse_contract
from pinspark.landing import parse_lines
from pinspark.manifest import parse_manifest
from pinspark.stage import clean_lines
from tests.include.conftest import Lake
from tests.include.contracts.test_contracts import changed
from tests.include.landed import Landing, Row, geo_row, pin_row, user_row, wire

EARLY = "joined_in_its_time: Nobody joined before the service was begun in December 2009"


def reasons(
    spark: SparkSession, data: Row, *lines: bytes | Row
) -> list[tuple[int | None, list[str], list[str]]]:
    """Clean lines by a contract; id, fields and reasons of each."""
    contract = parse_contract(data, "x.yaml")
    raws = [(number, line if isinstance(line, bytes) else wire(line)) for number, line in enumerate(lines)]
    frame = spark.createDataFrame(raws, "line INT, bytes BINARY").withColumn(
        "raw", F.col("bytes").cast("string")
    )
    cleaned = frame.transform(parse_lines, contract.id).transform(clean_lines, contract)
    rows = cleaned.select("ind", "columns", "reasons", "line").orderBy("line").collect()
    return [(row.ind, row.columns, row.reasons) for row in rows]


@pytest.mark.parametrize("table", TABLES)
def test_every_expectation_is_a_condition_over_clean_columns_that_holds_for_nulls(
    spark: SparkSession, table: str
) -> None:
    contract = load_contract(table)
    assert contract.row_rules
    schema = ", ".join(f"`{column.name}` {column.type}" for column in contract.columns)
    nulls = spark.createDataFrame([(None,) * len(contract.columns)], schema)
    for rule in contract.row_rules:
        found = nulls.select(F.expr(rule.expect).alias("holds"))
        assert found.schema["holds"].dataType.simpleString() == "boolean", rule.rule
        assert found.collect()[0].holds is not False, rule.rule


def test_every_check_gives_one_row_for_a_run_that_staged_nothing(
    spark: SparkSession, lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    landing = Landing(tmp_path_factory.mktemp("none"), "pin", "2022-10-14", "2022-10-15", "0000aaaa0000")
    manifest = parse_manifest(landing.manifest())
    for check in load_checks():
        (row,) = check.counts(spark, manifest, lake.stage).collect()
        assert tuple(row) == (check.table, check.rule, 0, 0), check.file


def test_a_row_that_breaks_a_rule_is_refused_and_null_keeps_it(spark: SparkSession) -> None:
    rows = reasons(
        spark,
        changed("user"),
        user_row(0, date_joined="1970-01-01 00:00:00"),
        user_row(1, date_joined="2009-12-01 00:00:00"),
        user_row(2, date_joined=None),
        user_row(3, date_joined="1970-01-01 00:00:00") | {"zz": 1},
    )
    refused = ["date_joined"], [EARLY]
    assert rows == [(0, *refused), (1, [], []), (2, [], []), (3, *refused)]


def test_every_reason_of_a_row_is_told_rules_after_fields(spark: SparkSession) -> None:
    rules = [
        {"rule": "not_equal", "expect": "country <> 'x' OR GET(coordinates, 0) <> 1", "action": "quarantine"},
        {
            "rule": "later",
            "expect": "timestamp > TIMESTAMP'2030-01-01'",
            "action": "quarantine",
            "doc": "Late",
        },
        {"rule": "never", "expect": "ind < 0", "action": "warn", "doc": "Only counted"},
    ]
    rows = reasons(
        spark, changed("geo", rows=rules),
        geo_row(0, country="x", latitude=1, longitude=181),
        geo_row(1, country="x", latitude=1),
        geo_row(2, country="y", timestamp="soon"),
        geo_row(3, country="y", timestamp="2031-01-01T00:00:00"),
    )  # fmt: skip
    later, equal = "later: Late", "not_equal: country <> 'x' OR GET(coordinates, 0) <> 1"
    assert rows == [
        (0, ["longitude", "timestamp"], ["longitude: 181 is outside [-180, 180]", equal, later]),
        (1, ["timestamp"], [equal, later]),
        (2, ["timestamp"], ["timestamp: 'soon' is not a datetime"]),
        (3, [], []),
    ]


def test_a_line_that_is_no_row_is_not_asked_by_rules(spark: SparkSession) -> None:
    early = wire(user_row(1, date_joined="1970-01-01 00:00:00"))
    rows = reasons(
        spark, changed("user"), early[:-3], early.replace(b"Aaron", b"\xff"), early.replace(b"Aaron", b"\\ud83d")
    )  # fmt: skip
    assert [row[2] for row in rows] == [
        ["row: not a JSON object"],
        ["row: not UTF-8"],
        ["row: a lone surrogate"],
    ]


def test_accepted_values_and_ranges_refuse_unless_told_otherwise(spark: SparkSession) -> None:
    pin = changed("pin", columns={
        "category": {"values": ["art", "it's \\"], "values_action": "quarantine"},
        "follower_count": {"minimum": 5, "range_action": "quarantine"},
    })  # fmt: skip
    rows = reasons(
        spark, pin, pin_row(0), pin_row(1, category="it's \\"), pin_row(2, category="Art", follower_count="4"),
        pin_row(3, category=None, follower_count="User Info Error"),
    )  # fmt: skip
    refused = [r"values(category): category is one of art, it's " + "\\"]
    assert [row[2] for row in rows] == [
        [],
        [],
        ["range(follower_count): follower_count is at least 5", *refused],
        [],
    ]


def test_personal_values_are_masked_in_reasons_with_their_json_type_only(spark: SparkSession) -> None:
    canary = "CANARY7f3a"
    rows = reasons(
        spark, changed("user"),
        user_row(0, first_name={canary: canary}, last_name=[canary], age=canary, date_joined=canary),
        user_row(1, first_name=41794.5, age=417941794179, date_joined=41794),
    )  # fmt: skip
    assert [row[2] for row in rows] == [
        [
            "first_name: *** (OBJECT) is not a text",
            "last_name: *** (ARRAY) is not a text",
            "age: *** (STRING) is not an INT",
            "date_joined: *** (STRING) is not a datetime",
        ],
        [
            "first_name: *** (DECIMAL) is not a text",
            "age: *** (BIGINT) is not an INT",
            "date_joined: *** (BIGINT) is not a datetime",
        ],
    ]
    marked = changed(
        "pin", source={"follower_count": {"pii": True}}, columns={"follower_count": {"pii": True}}
    )
    (row,) = reasons(spark, marked, pin_row(0, follower_count=canary))
    assert row[2] == ["follower_count: *** (STRING) is not a BIGINT (digits, then k or M)"]
    bounds = changed("geo", source={"latitude": {"pii": True}}, columns={"coordinates": {"pii": True}})
    (row,) = reasons(spark, bounds, geo_row(0, latitude=417))
    assert row[2] == ["latitude: *** (BIGINT) is outside [-90, 90]"]
