import pytest
from pyspark.sql import SparkSession

from pinspark.delta import TRIES, SchemaMismatchError, check_schema, retry_conflicts
from pinspark.session import together
from pinspark.tables import QUALITY_TABLE
from tests.include.conftest import Lake


def test_a_write_that_lost_against_another_is_tried_again_and_then_given_up() -> None:
    tried: list[float] = []

    def write() -> None:
        tried.append(0)
        raise RuntimeError("[DELTA_CONCURRENT_APPEND.WITHOUT_HINT] Transaction conflict detected")

    pauses: list[float] = []
    with pytest.raises(RuntimeError, match="DELTA_CONCURRENT_APPEND"):
        retry_conflicts(write, pauses.append)
    assert len(tried) == TRIES
    assert pauses == sorted(pauses)
    assert 0 < pauses[-1] < 60


def test_another_error_is_not_tried_again() -> None:
    tried: list[int] = []

    def write() -> None:
        tried.append(0)
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        retry_conflicts(write)
    assert tried == [0]


def test_a_write_that_wins_later_gives_its_result() -> None:
    answers = iter([RuntimeError("ConcurrentDeleteReadException"), None])

    def write() -> str:
        error = next(answers)
        if error:
            raise error
        return "done"

    assert retry_conflicts(write, lambda _: None) == "done"


def test_together_waits_for_all_and_raises_the_first_error() -> None:
    done: list[int] = []

    def fails() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        together(fails, lambda: done.append(1))
    assert done == [1]
    assert together(lambda: 1, lambda: 2) == [1, 2]


def test_all_differences_between_a_table_and_its_description_come_at_once(
    spark: SparkSession, lake: Lake
) -> None:
    changed = "run STRING, window_start DATE, source_table STRING, rule STRING, action STRING, rows BIGINT, added INT"
    spark.sql(f"CREATE SCHEMA {lake.ops[:-1]}_other`")
    spark.sql(f"CREATE TABLE {lake.ops[:-1]}_other`.quality_results ({changed}) USING DELTA")
    with pytest.raises(SchemaMismatchError) as error:
        check_schema(spark, f"{lake.ops[:-1]}_other`", QUALITY_TABLE)
    text = str(error.value)
    for part in (
        "window_start is DATE",
        "window_end TIMESTAMP is missing",
        "failed BIGINT is missing",
        "added INT is not",
    ):
        assert part in text
    assert "Repair:" in text
