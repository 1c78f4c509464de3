"""Every question against its folder of cases: rows of post_wide in, rows of the answer out.

A new question needs no Python here: one SQL file, one folder of that name with YAML cases.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from tests.include.conftest import SQL, Lake

HERE = Path(__file__).parent
QUESTIONS = sorted((SQL / "analytics").glob("*.sql"))
CASES = sorted(HERE.glob("*/*.yaml"))
POST_WIDE = (
    "ind INT, post_ts TIMESTAMP, post_date DATE, category STRING, unique_id STRING, title STRING, description STRING, "
    "poster_name STRING, follower_count BIGINT, tag_list STRING, is_image_or_video STRING, image_src STRING, "
    "save_location STRING, country STRING, latitude DOUBLE, longitude DOUBLE, user_name STRING, age INT, "
    "date_joined TIMESTAMP, layer STRING"
)
HEADERS = (
    "-- ",
    "-- grain: one row",
    "-- reads: {{ gold }}.post_wide",
    "-- params: gold",
    "-- materialize: ",
)


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_question_answers_its_case(spark: SparkSession, lake: Lake, case: Path) -> None:
    given, expected = (yaml.safe_load(case.read_text("utf-8"))[part] for part in ("given", "expect"))
    schema = StructType.fromDDL(POST_WIDE)
    unknown = {name for row in given for name in row} - set(schema.names)
    assert not unknown, f"{case}: post_wide has no {unknown}"
    rows = [[_utc({"ind": n, **row}.get(name)) for name in schema.names] for n, row in enumerate(given)]
    spark.createDataFrame(rows, schema).createOrReplaceTempView("post_wide_case")
    question = lake.render(SQL / "analytics" / f"{case.parent.name}.sql")
    answer = spark.sql(question.replace(f"{lake.gold}.post_wide", "post_wide_case"))
    assert answer.columns == expected["columns"]
    assert sorted(map(repr, map(list, answer.collect()))) == sorted(map(repr, expected["rows"]))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.stem)
def test_every_question_has_a_happy_a_tie_and_a_null_case(question: Path) -> None:
    cases = {case.stem for case in (HERE / question.stem).glob("*.yaml")}
    wanted = {"happy", "tie", "nulls"}
    assert wanted <= cases, (
        f"Repair: write {', '.join(sorted(wanted - cases))}.yaml in {HERE / question.stem}"
    )


def test_every_folder_of_cases_has_its_question() -> None:
    assert {case.parent.name for case in CASES} <= {question.stem for question in QUESTIONS}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.stem)
def test_header_says_what_grain_reads_params_and_how_it_is_kept(question: Path) -> None:
    lines = question.read_text("utf-8").splitlines()
    assert all(line.startswith(start) for line, start in zip(lines, HEADERS, strict=False)), HEADERS
    assert lines[4] == f"-- materialize: {'view' if question.stem.endswith('_ranked') else 'table'}"


def test_cases_have_the_columns_of_the_real_view(spark: SparkSession, lake: Lake) -> None:
    view = spark.table(f"{lake.gold}.post_wide").schema
    assert [(f.name, f.dataType) for f in view] == [
        (f.name, f.dataType) for f in StructType.fromDDL(POST_WIDE)
    ]
