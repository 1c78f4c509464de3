import pytest

from pinflow.errors import SqlFileError, StatementError
from pinflow.hooks.databricks import check_statement
from pinflow.operators.spark_job import compute_of, token
from pinflow.operators.sql_file import as_table, in_order, wrap
from pinflow.settings import Compute

WHEEL = "s3://b/code/x/pinspark.whl"


def test_tokens_differ_by_task_run_and_count_and_fit_databricks() -> None:
    tokens = {token("d", r, t, k) for r in ("r1", "r2") for t in ("a", "b") for k in range(3)}
    assert len(tokens) == 12
    assert all(len(each) == 64 for each in tokens)
    assert token("d", "r", "t", 0) == token("d", "r", "t", 0)


def test_serverless_takes_the_wheel_as_an_environment() -> None:
    task, run = compute_of(Compute(), WHEEL)
    assert run["environments"][0]["spec"]["dependencies"] == [WHEEL]
    assert task["environment_key"] == run["environments"][0]["environment_key"]


@pytest.mark.parametrize(
    ("compute", "key"),
    [
        (Compute(kind="existing_cluster", existing_cluster_id="1-2-a"), "existing_cluster_id"),
        (Compute(kind="new_cluster", new_cluster={"num_workers": 1}), "new_cluster"),
    ],
)
def test_clusters_take_the_wheel_as_a_library(compute: Compute, key: str) -> None:
    task, run = compute_of(compute, WHEEL)
    assert task["libraries"] == [{"whl": WHEEL}]
    assert key in task
    assert run == {}


def test_an_analytics_file_becomes_the_table_or_view_its_header_names() -> None:
    assert wrap("-- materialize: table\nSELECT 1", "`gold`.`x`", "x.sql").startswith(
        "CREATE OR REPLACE TABLE `gold`.`x` AS"
    )
    assert wrap("-- materialize: view\nSELECT 1", "`gold`.`x`", "x.sql").startswith("CREATE OR REPLACE VIEW")


@pytest.mark.parametrize("sql", ["SELECT 1", "-- materialize: tabel\nSELECT 1"])
def test_an_analytics_file_without_its_header_line_is_refused(sql: str) -> None:
    with pytest.raises(SqlFileError, match="add the line"):
        wrap(sql, "t", "x.sql")


def test_rows_are_laid_out_with_null_written_out() -> None:
    assert as_table(["a", "long"], [["1", None], ["22", "x"]]).splitlines() == [
        "a   long",
        "--  ----",
        "1   NULL",
        "22  x   ",
    ]


def test_an_answer_is_shown_sorted_by_all_columns_as_numbers_and_texts_with_null_first() -> None:
    columns = [{"name": "year", "type_name": "INT"}, {"name": "name", "type_name": "STRING"}]
    rows = [["10", "b"], ["9", "z"], [None, None], ["10", None], [None, "a"], ["10", "a"], [None, None]]
    assert in_order(columns, rows) == [
        [None, None],
        [None, None],
        [None, "a"],
        ["9", "z"],
        ["10", None],
        ["10", "a"],
        ["10", "b"],
    ]


def test_a_failed_statement_names_file_reason_and_repair() -> None:
    answer = {"status": {"state": "FAILED", "error": {"error_code": "BAD_REQUEST", "message": "no table"}}}
    with pytest.raises(StatementError, match=r"x\.sql ended FAILED: BAD_REQUEST no table.*pinterest_setup"):
        check_statement(answer, "x.sql")
