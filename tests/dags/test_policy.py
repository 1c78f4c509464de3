"""House policy for DAG files; each message says the repair."""

import ast
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, meta

REPO = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((REPO / "dags").glob("*.py"))
HEADINGS = ("Purpose", "Inputs", "Outputs", "Schedule", "Backfill", "On failure")
NAMES = {"stage", "silver", "gold", "ops", "bucket", "user_id", "served", "layer", "vacuum_hours"}


def tasks(dag_bag: Any) -> list[Any]:
    return [task for dag in dag_bag.dags.values() for task in dag.tasks]


def test_every_dag_file_imports_without_network_variables_or_connections(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert dag_bag.dags, "no DAG was found in dags/"


def test_dag_ids_are_their_file_names(dag_bag: Any) -> None:
    assert sorted(dag_bag.dags) == [file.stem for file in DAG_FILES], "name the DAG after its file"


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_dag_documents_itself(dag_bag: Any, heading: str) -> None:
    for dag in dag_bag.dags.values():
        assert f"**{heading}.**" in (dag.doc_md or ""), f"{dag.dag_id}: add **{heading}.** to the docstring"


def test_every_dag_has_an_aware_start_no_catchup_a_run_limit_and_tags(dag_bag: Any) -> None:
    for dag in dag_bag.dags.values():
        assert dag.start_date == datetime(2017, 10, 20, tzinfo=UTC), (
            f"{dag.dag_id}: start_date is the first post's day"
        )
        assert dag.catchup is False, f"{dag.dag_id}: say catchup=False"
        assert 1 <= dag.max_active_runs <= 3, f"{dag.dag_id}: max_active_runs is 1 to 3"
        assert "pinflow" in dag.tags, f"{dag.dag_id}: tag it pinflow"


def test_every_task_has_owner_retries_and_a_time_out(dag_bag: Any) -> None:
    for task in tasks(dag_bag):
        assert task.owner == "pinflow", f"{task.task_id}: use pinflow.defaults.DEFAULT_ARGS"
        assert task.retries >= 1, f"{task.task_id}: a task that cannot be retried cannot be trusted"
        assert isinstance(task.execution_timeout, timedelta), f"{task.task_id}: set execution_timeout"


def test_waiting_tasks_hold_no_worker_slot(dag_bag: Any) -> None:
    from airflow.sdk.bases.sensor import BaseSensorOperator

    for task in tasks(dag_bag):
        if isinstance(task, BaseSensorOperator):
            assert task.mode == "reschedule", f"{task.task_id}: sensors use mode='reschedule'"
        if hasattr(task, "deferrable") and not isinstance(task, BaseSensorOperator):
            assert task.deferrable, f"{task.task_id}: remote work is deferrable"


def test_tasks_that_write_delta_tables_run_one_at_a_time(dag_bag: Any) -> None:
    from pinflow.operators.spark_job import PinsparkRunOperator
    from pinflow.operators.sql_file import SqlFileOperator

    writers = [t for t in tasks(dag_bag) if isinstance(t, (PinsparkRunOperator, SqlFileOperator))]
    assert writers
    for task in writers:
        assert task.max_active_tis_per_dag == 1, f"{task.task_id}: set max_active_tis_per_dag=1"


def test_submit_runs_pass_explicit_parameters_to_a_job_that_exists(dag_bag: Any) -> None:
    from pinflow.operators.spark_job import PinsparkRunOperator

    for task in tasks(dag_bag):
        if isinstance(task, PinsparkRunOperator):
            assert task.arguments, f"{task.task_id}: the provider fills empty parameters by itself"
            assert (REPO / "include" / "spark" / "jobs" / task.job).is_file(), f"{task.task_id}: no such job"


def test_every_template_exists_and_names_only_what_is_rendered(dag_bag: Any) -> None:
    from pinflow.operators.sql_file import SqlFileOperator

    sql_tasks = [task for task in tasks(dag_bag) if isinstance(task, SqlFileOperator)]
    wanted = {
        f"{folder}/{file.name}"
        for folder in ("star", "analytics")
        for file in (REPO / "include" / "sql" / folder).glob("*.sql")
    }
    assert {task.file for task in sql_tasks} == wanted | {
        f"serving/post_{name}.sql" for name in ("batch", "wide")
    }
    for task in sql_tasks:
        file = REPO / "include" / "sql" / task.file
        assert file.is_file(), f"{task.task_id}: {file} does not exist"
        used = meta.find_undeclared_variables(Environment(autoescape=True).parse(file.read_text()))
        assert used <= NAMES, f"{file.name}: {used - NAMES} is never rendered; use one of {sorted(NAMES)}"


def served(after: str) -> dict[str, set[str]]:
    """Star, join and answers behind a task, with what each waits for."""
    star, answers = (
        {f"{group}.{file.stem}" for file in (REPO / "include" / "sql" / group).glob("*.sql")}
        for group in ("star", "analytics")
    )
    return {
        **{key: {after} for key in star},
        "join_star": star,
        **{key: {"join_star"} for key in answers},
    }


def test_batch_edges_are_exactly_the_designs(dag_bag: Any) -> None:
    dag = dag_bag.dags["pinterest_batch"]
    found = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    expected: dict[str, set[str]] = {
        "wait_for_posts": set(),
        "select_posts": {"wait_for_posts"},
        "upload_spark_code": set(),
        **{f"emulate.{t}": {"select_posts"} for t in ("pin", "geo", "user")},
        **{f"land.{t}": {f"emulate.{t}"} for t in ("pin", "geo", "user")},
        **{f"clean.{t}": {f"land.{t}", "upload_spark_code"} for t in ("pin", "geo", "user")},
        "audit": {"clean.pin", "clean.geo", "clean.user", "upload_spark_code"},
        "publish": {"audit", "upload_spark_code"},
        "claim_answers": {"publish"},
        **served("claim_answers"),
        "report": {"upload_spark_code", *(key for key in served("") if key.startswith("analytics."))},
    }
    assert found == expected


def streamed(ingested: str) -> dict[str, set[str]]:
    """What both DAGs of the speed layer do behind their last ingest."""
    answers = {f"analytics.{file.stem}" for file in (REPO / "include" / "sql" / "analytics").glob("*.sql")}
    return {
        "upload_spark_code": set(),
        **{f"emulate.{t}": {"select_posts"} for t in ("pin", "geo", "user")},
        "audit": {ingested, "upload_spark_code"},
        "is_served": {"audit"},
        "serve_posts": {"is_served"},
        **{key: {"serve_posts"} for key in answers},
    }


def test_stream_edges_are_exactly_the_designs(dag_bag: Any) -> None:
    found = {task.task_id: set(task.upstream_task_ids) for task in dag_bag.dags["pinterest_stream"].tasks}
    emulate = {f"emulate.{t}" for t in ("pin", "geo", "user")}
    assert found == {
        "wait_for_posts": set(),
        "wait_for_streams": set(),
        "select_posts": {"wait_for_posts", "wait_for_streams"},
        "ingest": {"upload_spark_code", *emulate},
        **streamed("ingest"),
    }


def test_a_continuous_reader_runs_beside_the_live_emulation_and_the_hourly_one_knows_its_name(
    dag_bag: Any,
) -> None:
    live = dag_bag.dags["pinterest_live"]
    found = {task.task_id: set(task.upstream_task_ids) for task in live.tasks}
    emulate = {f"emulate.{t}" for t in ("pin", "geo", "user")}
    assert found == {
        "wait_for_streams": set(),
        "select_posts": {"wait_for_streams"},
        "ingest": {"upload_spark_code", "wait_for_streams"},
        "catch_up": {"upload_spark_code", "ingest", *emulate},
        **streamed("catch_up"),
    }
    hourly = dag_bag.dags["pinterest_stream"].get_task("ingest")
    assert hourly.beside == f"{live.dag_id}.{live.get_task('ingest').task_id}"
    assert "--until" in live.get_task("ingest").arguments


def test_a_replay_ends_with_every_answer_made_anew(dag_bag: Any) -> None:
    found = {task.task_id: set(task.upstream_task_ids) for task in dag_bag.dags["pinterest_replay"].tasks}
    assert found == {
        "upload_spark_code": set(),
        "replay": {"upload_spark_code"},
        **served("replay"),
    }


@pytest.mark.parametrize(
    "params",
    [
        {"days": ["2022-10-15"]},
        {"days": ["2022-10-15", "2022-10-16", "2022-10-17"]},
        {"days": ["2022-10-15", "x' OR 1=1"]},
        {"days": "2022-10-15"},
        {"table": "posts"},
        {"reason": ""},
        {"reason": 7},
    ],
    ids=str,
)
def test_a_replay_with_params_of_another_shape_never_starts(dag_bag: Any, params: dict[str, Any]) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    known = deepcopy(dag_bag.dags["pinterest_replay"].params)
    good = {"days": ["2022-10-15", "2022-10-16"], "table": "pin", "reason": 'it\'s "missing"'}
    known.update(good)
    assert known.validate() == good
    with pytest.raises(ParamValidationError):
        known.update(params)


def test_maintenance_compares_rebuilds_and_compares_again(dag_bag: Any) -> None:
    dag = dag_bag.dags["pinterest_maintenance"]
    found = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    assert found == {
        "upload_spark_code": set(),
        "snapshot_source": set(),
        "reconcile": {"snapshot_source", "upload_spark_code"},
        "plan_rebuild": {"reconcile"},
        "rebuild": {"plan_rebuild"},
        "snapshot_again": {"rebuild"},
        "confirm": {"snapshot_again", "upload_spark_code"},
        "plan_erasure": set(),
        "find_user": {"plan_erasure", "upload_spark_code"},
        "erase_objects": {"find_user"},
        "erase_rows": {"erase_objects", "upload_spark_code"},
        **served("erase_rows"),
        "retain": set(),
        "optimize": {"retain", "upload_spark_code"},
        "cancel_orphans": set(),
    }
    assert dag.max_active_runs == 1, "two runs at once would rebuild the same days"
    assert dag.params["rebuild"] is False, "a schedule must not rebuild by itself"
    assert dag.params["erase"] is None, "a schedule must not erase anybody"
    assert {task.trigger_rule for task in dag.tasks} == {"all_success"}, (
        "without a window the rest is skipped"
    )


@pytest.mark.parametrize(
    "erase",
    [
        True,
        "Aaron Abbott",
        {},
        {"user_name": ""},
        {"user_name": "x", "age": "20"},
        {"user_name": "x", "ind": 1},
    ],
    ids=str,
)
def test_an_erasure_that_names_nobody_never_starts(dag_bag: Any, erase: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    known = deepcopy(dag_bag.dags["pinterest_maintenance"].params)
    known.update({"erase": {"user_name": "Aaron Abbott", "age": None, "date_joined": "2015-10-21"}})
    with pytest.raises(ParamValidationError):
        known.update({"erase": erase})


def test_a_rebuild_runs_the_batch_layer_with_the_params_it_has(dag_bag: Any) -> None:
    from pinflow.operators.rebuild_windows import BATCH

    assert {"window_start", "window_end"} <= set(dag_bag.dags[BATCH].params)


def test_setup_checks_before_it_makes(dag_bag: Any) -> None:
    dag = dag_bag.dags["pinterest_setup"]
    found = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    assert found["create_tables"] == {"check_source", "check_lake", "check_databricks"}
    assert found["check_sink"] == {"check_lake", "create_topics"}
    assert found["create_streams"] == set()


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_dag_files_are_wiring(file: Path) -> None:
    allowed = {"airflow", "pinflow", "datetime"}
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in allowed, f"{file.name}: {name} belongs into plugins/pinflow"


def test_plugins_import_no_heavy_library_at_module_level() -> None:
    heavy = {"boto3", "confluent_kafka", "mysql", "MySQLdb", "pandas", "requests", "pyspark", "botocore"}
    for file in (REPO / "plugins").rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] not in heavy, (
                    f"{file}: import {name} where it is used: parsing pays for it"
                )


def test_only_window_computes_dates() -> None:
    for file in (REPO / "plugins" / "pinflow").rglob("*.py"):
        if file.name == "window.py":
            continue
        text = file.read_text()
        for forbidden in ("data_interval", "utcnow(", "datetime.now(", "date.today("):
            assert forbidden not in text, f"{file.name}: {forbidden} - ask pinflow.window instead"
