"""A new question is one SQL file and one folder of cases: no Python and nothing that is generated."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinspark.generate import generate
from tests.include import questions
from tests.include.changed import copy, diff
from tests.include.sql.analytics import test_questions

NAME = "posts_by_medium"
HERE = "tests/include/sql/analytics"
QUESTION = """-- Posts of each kind of medium, counted once per ind; a post without one counts under NULL.
-- grain: one row per medium
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
SELECT
    is_image_or_video AS medium,
    COUNT(DISTINCT ind) AS post_count
FROM {{ gold }}.post_wide
GROUP BY is_image_or_video
"""
CASES = {
    "happy": """given:
  - {is_image_or_video: image}
  - {is_image_or_video: image}
  - {is_image_or_video: video}
expect:
  columns: [medium, post_count]
  rows: [[image, 2], [video, 1]]
""",
    "tie": """given:
  - {is_image_or_video: image}
  - {is_image_or_video: video}
expect:
  columns: [medium, post_count]
  rows: [[image, 1], [video, 1]]
""",
    "nulls": """given:
  - {is_image_or_video: null}
expect:
  columns: [medium, post_count]
  rows: [[null, 1]]
""",
}


def test_adding_a_question_is_one_sql_file_and_one_folder_of_cases(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ("include", "docs", "dags", "plugins", HERE)
    old, new = copy(tmp_path / "old", *parts), copy(tmp_path / "new", *parts)
    sql, folder = new / "include" / "sql", new / HERE / NAME
    (sql / "analytics" / f"{NAME}.sql").write_text(QUESTION, "utf-8")
    folder.mkdir()
    for case, text in CASES.items():
        (folder / f"{case}.yaml").write_text(text, "utf-8")
    assert sorted(diff(old, new)) == [
        f"include/sql/analytics/{NAME}.sql",
        *(f"{HERE}/{NAME}/{case}.yaml" for case in sorted(CASES)),
    ]
    assert generate(new) == []

    # what pytest does for every question and every case of the repository
    monkeypatch.setattr(questions, "SQL", sql)
    monkeypatch.setattr(test_questions, "SQL", sql)
    monkeypatch.setattr(test_questions, "CASES", new / HERE)
    test_questions.test_every_question_has_a_happy_a_tie_and_a_null_case(NAME)
    test_questions.test_header_says_what_grain_reads_params_and_how_it_is_kept(NAME)
    for case in CASES:
        test_questions.test_question_answers_its_case(spark, folder / f"{case}.yaml")
