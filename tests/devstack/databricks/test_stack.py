"""The whole workspace: Spark, Delta and S3 behind the endpoint, driven by databricks-sdk."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from databricks.sdk.service import sql

from devstack import supervisord
from devstack.engine import service as engine_service
from devstack.service import port_open
from tests.devstack.databricks.conftest import Workspace
from tests.listening import assert_loopback_only

pytestmark = pytest.mark.stack

ENDLESS = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("working", flush=True)
spark.range(10**13).selectExpr("sum(id % 7)").collect()
"""
TYPES = {
    "CAST(1 AS TINYINT)": ("BYTE", "1"),
    "CAST(1 AS SMALLINT)": ("SHORT", "1"),
    "1": ("INT", "1"),
    "9223372036854775807": ("LONG", "9223372036854775807"),
    "CAST(1.5 AS FLOAT)": ("FLOAT", "1.5"),
    "1e10D": ("DOUBLE", "1.0E10"),
    "double('nan')": ("DOUBLE", "NaN"),
    "CAST(2.50 AS DECIMAL(5, 2))": ("DECIMAL", "2.50"),
    "true": ("BOOLEAN", "true"),
    "'ü \"quoted\" \U0001f600'": ("STRING", 'ü "quoted" \U0001f600'),
    "''": ("STRING", ""),
    "binary('ab')": ("BINARY", "YWI="),
    "date'2022-10-15'": ("DATE", "2022-10-15"),
    "timestamp'2022-10-15 01:02:03.456'": ("TIMESTAMP", "2022-10-15T01:02:03.456Z"),
    "timestamp_ntz'2022-10-15 01:02:03'": ("TIMESTAMP", "2022-10-15T01:02:03.000"),
    "NULL": ("NULL", None),
    "CAST(NULL AS INT)": ("INT", None),
    "array(1, NULL)": ("ARRAY", "[1,null]"),
    "map('k', 1.5)": ("MAP", '{"k":1.5}'),
    "named_struct('x', 1, 'y', CAST(NULL AS STRING))": ("STRUCT", '{"x":1,"y":null}'),
    "INTERVAL 1 DAY": ("INTERVAL", "INTERVAL '1' DAY"),
}


def _await(done: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _spark_pid(workspace: Workspace) -> int:
    return int(supervisord.rpc(workspace.settings).getProcessInfo("spark")["pid"])


def _cpu(pid: int, seconds: float = 2) -> float:
    return psutil.Process(pid).cpu_percent(seconds)


def _calm(pid: int) -> bool:
    """Tell whether a server gets idle soon."""
    return any(_cpu(pid, 1) < 50 for _ in range(15))


def test_every_type_comes_as_databricks_writes_it(workspace: Workspace) -> None:
    answer = workspace.statement(f"SELECT {', '.join(TYPES)}")
    assert answer["status"] == {"state": "SUCCEEDED"}
    names = [column["type_name"] for column in answer["manifest"]["schema"]["columns"]]
    assert names == [name for name, _ in TYPES.values()]
    assert answer["result"]["data_array"] == [[value for _, value in TYPES.values()]]
    decimal = answer["manifest"]["schema"]["columns"][names.index("DECIMAL")]
    assert (decimal["type_precision"], decimal["type_scale"]) == (5, 2)
    assert decimal["type_text"] == "DECIMAL(5,2)"


def test_the_sdk_reads_all_rows_of_a_long_result(workspace: Workspace) -> None:
    api = workspace.sdk.statement_execution
    answer = api.execute_statement(
        "SELECT id, 'row ' || id AS name FROM range(30000) ORDER BY id", "local", wait_timeout="50s"
    )
    assert answer.status.state == sql.StatementState.SUCCEEDED
    assert (answer.manifest.total_row_count, answer.manifest.total_chunk_count) == (30_000, 3)
    rows, chunk = list(answer.result.data_array), answer.result
    while chunk.next_chunk_index is not None:
        chunk = api.get_statement_result_chunk_n(answer.statement_id, chunk.next_chunk_index)
        rows += chunk.data_array
    assert rows == [[str(number), f"row {number}"] for number in range(30_000)]


def test_parameters_limits_and_schemas(workspace: Workspace) -> None:
    answer = workspace.statement(
        "SELECT :day + INTERVAL 1 DAY AS day, :text AS text, :none AS none, :amount AS amount",
        parameters=[
            {"name": "day", "type": "DATE", "value": "2022-10-31"},
            {"name": "text", "value": "it's"},
            {"name": "none", "type": "STRING"},
            {"name": "amount", "type": "DECIMAL(5,2)", "value": "1.20"},
        ],
    )
    assert answer["result"]["data_array"] == [["2022-11-01", "it's", None, "1.20"]]
    limited = workspace.statement("SELECT id FROM range(10)", row_limit=3)
    assert (limited["manifest"]["total_row_count"], limited["manifest"]["truncated"]) == (3, True)
    double = workspace.statement("SELECT 1 AS a, 2 AS a")
    assert double["result"]["data_array"] == [["1", "2"]]
    assert (
        "Repair: leave `catalog` out"
        in workspace.statement("SELECT 1", catalog="main")["status"]["error"]["message"]
    )
    huge = workspace.statement("SELECT repeat('x', 1000) FROM range(30000)")
    assert "Inline byte limit exceeded" in huge["status"]["error"]["message"]


def test_a_failing_statement_says_why(workspace: Workspace) -> None:
    status = workspace.statement("SELECT * FROM nowhere.nothing")["status"]
    assert (status["state"], status["error"]["error_code"], status["sql_state"]) == (
        "FAILED",
        "BAD_REQUEST",
        "42P01",
    )
    assert "TABLE_OR_VIEW_NOT_FOUND" in status["error"]["message"]
    assert "JVM stacktrace" not in status["error"]["message"]


def test_statements_do_not_share_a_session(workspace: Workspace) -> None:
    workspace.statement("SET spark.sql.shuffle.partitions = 77")
    workspace.statement("CREATE TEMPORARY VIEW mine AS SELECT 1")
    assert workspace.statement("SET spark.sql.shuffle.partitions")["result"]["data_array"][0][1] != "77"
    assert workspace.statement("SELECT * FROM mine")["status"]["state"] == "FAILED"


def test_tables_are_delta_by_default_as_on_databricks(workspace: Workspace) -> None:
    place = f"s3://{workspace.settings.bucket}/lake/kinds"
    for statement in (
        f"CREATE SCHEMA IF NOT EXISTS kinds LOCATION '{place}'",
        "CREATE OR REPLACE TABLE kinds.made AS SELECT 1 AS a",
        "CREATE TABLE IF NOT EXISTS kinds.plain (a INT) CLUSTER BY (a)",
        "INSERT INTO kinds.plain REPLACE WHERE a >= 1 AND a < 3 SELECT 2",
    ):
        assert workspace.statement(statement)["status"] == {"state": "SUCCEEDED"}, statement
    for table in ("made", "plain"):
        detail = workspace.statement(f"DESCRIBE DETAIL kinds.{table}")
        names = [column["name"] for column in detail["manifest"]["schema"]["columns"]]
        row = dict(zip(names, detail["result"]["data_array"][0], strict=True))
        assert row["format"] == "delta"
        assert row["location"].split("://")[1] == f"{place}/{table}".split("://")[1]


def test_waiting_can_end_in_going_on_or_in_cancel(workspace: Workspace) -> None:
    slow = "SELECT sum(id % 7) FROM range(10000000000000)"
    goes_on = workspace.statement(slow, wait_timeout="0s")["statement_id"]
    api = workspace.sdk.statement_execution
    _await(lambda: api.get_statement(goes_on).status.state == sql.StatementState.RUNNING)
    api.cancel_execution(goes_on)
    _await(lambda: api.get_statement(goes_on).status.state == sql.StatementState.CANCELED)
    canceled = workspace.statement(slow, wait_timeout="5s", on_wait_timeout="CANCEL")
    assert canceled["status"]["state"] == "CANCELED"
    assert _calm(_spark_pid(workspace))


def test_cancel_stops_the_work_in_spark(workspace: Workspace) -> None:
    run_id = workspace.submit(workspace.body(ENDLESS, name="endless.py"))
    workspace.until_logged(run_id, "working")
    pid = _spark_pid(workspace)
    assert any(_cpu(pid) > 40 for _ in range(10))
    workspace.sdk.jobs.cancel_run(run_id)
    assert workspace.wait(run_id)["state"]["result_state"] == "CANCELED"
    assert _calm(pid)


def test_parallel_runs_have_sessions_of_their_own(workspace: Workspace) -> None:
    script = """
import sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.conf.set("spark.sql.shuffle.partitions", sys.argv[1])
spark.sql(f"CREATE TEMPORARY VIEW mine AS SELECT {sys.argv[1]} AS number")
time.sleep(2)
print(spark.conf.get("spark.sql.shuffle.partitions"), spark.table("mine").first().number)
"""
    ids = [workspace.submit(workspace.body(script, number, name="own.py")) for number in ("5", "6")]
    for run_id in ids:
        workspace.wait(run_id)
    assert [workspace.output(run_id)["logs"] for run_id in ids] == ["5 5\n", "6 6\n"]


def test_files_of_a_volume_reach_the_lake(workspace: Workspace) -> None:
    files, path = workspace.sdk.files, "/Volumes/main/default/files/a/data.txt"
    files.upload(path, io.BytesIO(b"one\ntwo\n"), overwrite=True)
    assert files.download(path).contents.read() == b"one\ntwo\n"
    uri = f"s3://{workspace.settings.bucket}/volumes/main/default/files/a/data.txt"
    answer = workspace.statement(f"SELECT count(*) FROM text.`{uri}`")
    assert answer["result"]["data_array"] == [["2"]]
    assert [entry.name for entry in files.list_directory_contents("/Volumes/main/default/files/a")] == [
        "data.txt"
    ]
    files.delete(path)


def _sql(workspace: Workspace, query: str, output: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devstack", "sql", "--format", output, "--", query]
    environment = workspace.settings.environment()
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_lake_is_asked_from_the_command_line(workspace: Workspace) -> None:
    query = "SELECT id, IF(id = 1, NULL, 'a,b') AS name, id / 2 AS half FROM range(3) ORDER BY id"
    assert _sql(workspace, query, "csv").stdout == 'id,name,half\n0,"a,b",0.0\n1,,0.5\n2,"a,b",1.0\n'
    rows = json.loads(_sql(workspace, query, "json").stdout)
    assert rows[1] == {"id": 1, "name": None, "half": 0.5}
    assert "3 rows" in _sql(workspace, query, "table").stdout
    wrong = _sql(workspace, "SELECT nothing", "csv")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "UNRESOLVED_COLUMN" in wrong.stderr
    assert "Repair:" in wrong.stderr
    many = _sql(workspace, "SELECT id FROM range(30000)", "csv").stdout.splitlines()
    assert len(many) == 30_001


def test_everything_listens_on_loopback_only(workspace: Workspace) -> None:
    assert_loopback_only(workspace.settings)


def test_a_killed_spark_server_comes_back_with_its_tables(workspace: Workspace) -> None:
    place = f"s3://{workspace.settings.bucket}/lake/durable"
    for statement in (
        f"CREATE SCHEMA IF NOT EXISTS durable LOCATION '{place}'",
        "CREATE OR REPLACE TABLE durable.kept AS SELECT 42 AS answer",
        "CREATE OR REPLACE VIEW durable.seen AS SELECT answer + 1 AS next FROM durable.kept",
    ):
        assert workspace.statement(statement)["status"] == {"state": "SUCCEEDED"}
    run_id = workspace.submit(workspace.body(ENDLESS, name="lost.py"))
    workspace.until_logged(run_id, "working")
    psutil.Process(_spark_pid(workspace)).kill()
    lost = workspace.wait(run_id, 30)
    assert (lost["state"]["life_cycle_state"], lost["state"]["result_state"]) == ("INTERNAL_ERROR", "FAILED")
    assert "The Spark server went away" in workspace.output(run_id)["error"]
    assert "Repair:" in lost["state"]["state_message"]
    script = "from pyspark.sql import SparkSession\ns = SparkSession.builder.getOrCreate()\n"
    script += "print(s.table('durable.seen').first().next)\n"
    output = workspace.run(workspace.body(script, name="after.py"))  # waits for the server by itself
    assert output["state"]["result_state"] == "SUCCESS", output
    assert output["logs"] == "43\n"
    assert workspace.statement("SELECT * FROM durable.kept")["result"]["data_array"] == [["42"]]


def test_a_killed_engine_fails_its_runs_and_comes_back(workspace: Workspace) -> None:
    run_id = workspace.submit(workspace.body("import time\nprint('on', flush=True)\ntime.sleep(600)"))
    workspace.until_logged(run_id, "on")
    psutil.Process(int(supervisord.rpc(workspace.settings).getProcessInfo("engine")["pid"])).kill()
    lost = workspace.wait(run_id, 60)
    assert lost["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    assert "The engine ended" in lost["state"]["state_message"]
    _await(lambda: engine_service.answers(workspace.settings))
    assert workspace.run(workspace.body("print('again')"))["logs"] == "again\n"


def test_a_killed_endpoint_comes_back_with_its_runs(workspace: Workspace) -> None:
    script = "import time\nprint('on', flush=True)\ntime.sleep(6)\nprint('off')"
    run_id = workspace.submit(workspace.body(script, name="through.py"))
    workspace.until_logged(run_id, "on")
    psutil.Process(int(supervisord.rpc(workspace.settings).getProcessInfo("databricks")["pid"])).kill()
    _await(lambda: not port_open(workspace.settings.databricks_port))
    _await(lambda: port_open(workspace.settings.databricks_port))
    assert workspace.wait(run_id)["state"]["result_state"] == "SUCCESS"
    assert workspace.output(run_id)["logs"] == "on\noff\n"
