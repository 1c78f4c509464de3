"""Every question twice: PySpark beside SQL, and beside the independent check, over the same rows."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from pinspark import questions
from pinspark.session import COMPILED, expect_rows
from tests.answers import Post, Table, answers_of
from tests.include.posts import MILLION, UNKNOWN, generated, hostile, million
from tests.include.questions import QUESTIONS, cases, frame_of, in_sql, posts_of, read_case, row_of

CHECKED = sorted(answers_of([]))
# somebody's own question may be SQL only
TWICE = [name for name in QUESTIONS if hasattr(questions, name)]
CASES = [case for case in cases() if case.parent.name in TWICE]
TIED = [name.removesuffix("_ranked") for name in CHECKED if name.endswith("_ranked")]
WITH_UNKNOWN = [
    *(name for name in CHECKED if name.startswith("median_followers_by_join")),
    "top_user_by_country",
]
DATA = {"generated": generated, "hostile": hostile, "unknown": lambda: UNKNOWN, "none": list}
Data = tuple[DataFrame, dict[str, Table]]


@pytest.fixture(scope="module", params=DATA)
def data(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Data:
    posts: list[Post] = DATA[request.param]()
    return kept(frame_of(spark, map(row_of, posts)), tmp_path_factory.mktemp("rows")), answers_of(posts)


def kept(rows: DataFrame, folder: Path) -> DataFrame:
    """Write the rows once, so that no query makes them again."""
    rows.write.mode("overwrite").parquet(str(folder))
    return rows.sparkSession.read.parquet(str(folder))


def assert_same(question: str, data: Data) -> None:
    post_wide, expected = data
    answer = Counter(map(tuple, getattr(questions, question)(post_wide).collect()))
    assert answer == Counter(map(tuple, in_sql(post_wide.sparkSession, question, post_wide).collect()))
    if question in expected:
        assert answer == Counter(expected[question])


def assert_traps(expected: dict[str, Table]) -> None:
    """Hold that the rows would tell a wrong answer: groups tie, and some know no count."""
    for question in TIED:
        assert len(expected[f"{question}_ranked"]) > len(expected[question]) > 1, f"no tie: {question}"
    for question in WITH_UNKNOWN:
        values = {row[-1] for row in expected[question]}
        assert None in values, f"no group of unknown counts: {question}"
        assert len(values) > 1, f"nothing but unknown counts: {question}"


@pytest.mark.parametrize("question", TWICE)
def test_pyspark_sql_and_the_independent_check_give_the_same_rows(data: Data, question: str) -> None:
    assert_same(question, data)


def test_hostile_rows_tie_and_have_groups_in_which_no_count_is_known() -> None:
    assert_traps(answers_of(hostile()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_pyspark_answers_the_cases_of_the_sql(spark: SparkSession, case: Path) -> None:
    given, expected = read_case(case)
    answer = getattr(questions, case.parent.name)(frame_of(spark, given))
    assert sorted(map(repr, map(list, answer.collect()))) == sorted(map(repr, expected["rows"]))


@pytest.mark.parametrize("question", TWICE)
def test_columns_names_types_and_order_are_those_of_the_sql(spark: SparkSession, question: str) -> None:
    post_wide = frame_of(spark, [{}])
    assert getattr(questions, question)(post_wide).schema == in_sql(spark, question, post_wide).schema


def test_every_question_the_check_knows_is_asked_in_both_languages() -> None:
    assert set(CHECKED) <= set(TWICE), "Repair: write the function of that name in pinspark/questions.py."


@pytest.fixture
def compiled(spark: SparkSession) -> Iterator[None]:
    before = {name: spark.conf.get(name) for name in COMPILED}
    expect_rows(spark, MILLION)
    yield
    for name, value in before.items():
        spark.conf.set(name, value)


@pytest.mark.long
@pytest.mark.usefixtures("compiled")
def test_a_million_posts_get_the_same_answers(spark: SparkSession, tmp_path: Path) -> None:
    begun = time.monotonic()
    post_wide = kept(million(spark), tmp_path)
    print(f"\n{time.monotonic() - begun:6.1f} s: the rows are made")
    expected = answers_of(posts_of(post_wide))
    print(f"{time.monotonic() - begun:6.1f} s: the independent check has answered")
    assert_traps(expected)
    for question in CHECKED:
        assert_same(question, (post_wide, expected))
        print(f"{time.monotonic() - begun:6.1f} s: {question}, {len(expected[question])} rows")
