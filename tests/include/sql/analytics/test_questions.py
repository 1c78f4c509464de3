"""Every question against its folder of cases: rows of post_wide in, rows of the answer out.

A new question needs no Python here: one SQL file, one folder of that name with YAML cases.
"""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from tests.include.conftest import SQL, Lake
from tests.include.questions import CASES, POST_WIDE, QUESTIONS, cases, frame_of, in_sql, read_case

HEADERS = (
    "-- ",
    "-- grain: one row",
    "-- reads: {{ gold }}.post_wide",
    "-- params: gold",
    "-- materialize: ",
)


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_question_answers_its_case(spark: SparkSession, case: Path) -> None:
    given, expected = read_case(case)
    answer = in_sql(spark, case.parent.name, frame_of(spark, given))
    assert answer.columns == expected["columns"]
    assert sorted(map(repr, map(list, answer.collect()))) == sorted(map(repr, expected["rows"]))


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_a_happy_a_tie_and_a_null_case(question: str) -> None:
    found = {case.stem for case in (CASES / question).glob("*.yaml")}
    wanted = {"happy", "tie", "nulls"}
    assert wanted <= found, f"Repair: write {', '.join(sorted(wanted - found))}.yaml in {CASES / question}"


def test_every_folder_of_cases_has_its_question() -> None:
    assert {case.parent.name for case in cases()} <= set(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_header_says_what_grain_reads_params_and_how_it_is_kept(question: str) -> None:
    lines = (SQL / "analytics" / f"{question}.sql").read_text("utf-8").splitlines()
    assert all(line.startswith(start) for line, start in zip(lines, HEADERS, strict=False)), HEADERS
    assert lines[4] == f"-- materialize: {'view' if question.endswith('_ranked') else 'table'}"


def test_every_question_of_ours_that_is_a_table_has_a_chart() -> None:
    """Somebody's own may have none: the report then shows its table alone."""
    for question in QUESTIONS:
        text = (SQL / "analytics" / f"{question}.sql").read_text("utf-8")
        assert ("\n-- chart: " in text) is ("\n-- materialize: table" in text), (
            f"Repair: give {question} a chart"
        )


def test_cases_have_the_columns_of_the_real_view(spark: SparkSession, lake: Lake) -> None:
    view = spark.table(f"{lake.gold}.post_wide").schema
    assert [(f.name, f.dataType) for f in view] == [
        (f.name, f.dataType) for f in StructType.fromDDL(POST_WIDE)
    ]
