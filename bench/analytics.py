"""All questions as the DAG's tasks ask them, beside the same statements run bare in the same warm Spark."""

import json
import subprocess
import time
import uuid
from typing import Any

import duckdb
import sqlglot

from bench import duck, lake
from bench.measure import median_of, ratio
from devstack.config import REPO, Settings
from devstack.engine.server import SparkServer
from devstack.lake import query
from pinflow import paths
from pinflow.operators.sql_file import SqlFileOperator, target_of, wrap
from pinflow.settings import load_settings

SIZES = (11_154,)
TURNS = 3
Result = dict[str, Any]


def run(settings: Settings) -> Result:
    """Ask all questions over a publication of each size; seconds are medians of the sums."""
    with lake.made(settings):
        return {f"{posts} posts": _measure(settings, posts) for posts in SIZES}


def _measure(settings: Settings, posts: int) -> Result:
    published = _publish(posts)
    star = [*paths.sql_files("star"), "serving/post_batch.sql"]
    published["star"] = round(sum(_build(file, show_rows=False) for file in star), 1)
    files = paths.sql_files("analytics")
    sides = {
        "tasks": lambda: sum(_build(file) for file in files),
        "bare": lambda: sum(_bare(settings, [_statements(file) for file in files])),
    }
    for side in sides.values():
        side()
    seconds = median_of(sides, TURNS)
    with duck.connected() as connection:
        _copy(settings, connection)
        seconds["duckdb"] = sum(_in_duckdb(settings, connection, file) for file in files)
    return {
        "questions": len(files),
        "publishing_seconds": published,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "tasks_to_bare": ratio(seconds["tasks"], seconds["bare"]),
    }


def _publish(posts: int) -> dict[str, float]:
    """Land, clean, audit and publish; return the seconds of each job."""
    manifests = lake.land(posts, f"bench{posts}")
    stage, both = lake.schemas("stage"), ["--manifests", json.dumps(manifests)]
    seconds = {
        f"clean_{found['table']}": lake.run_job("clean.py", "--manifest", json.dumps(found), *stage)
        for found in manifests
    }
    seconds["audit"] = lake.run_job("audit.py", *both, *stage, *lake.schemas("ops"))
    seconds["publish"] = lake.run_job("publish.py", *both, *stage, *lake.schemas("silver", "ops"))
    return {name: round(value, 1) for name, value in seconds.items()}


def _build(file: str, *, show_rows: bool = True) -> float:
    task = SqlFileOperator(task_id=paths.stem(file), sql=file, materialize=True, show_rows=show_rows)
    task.sql = _text(file)
    task.render_template_fields({})
    begun = time.perf_counter()
    task.execute({})
    return time.perf_counter() - begun


def _text(file: str) -> str:
    return (paths.include_dir() / "sql" / file).read_text(encoding="utf-8")


def _rendered(file: str) -> str:
    text = _text(file)
    for name, value in load_settings().names().items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    return text


def _statements(file: str) -> list[str]:
    """Return what the task sends: the statement that makes the table, and the one that shows it."""
    target = target_of(load_settings().schema_name("gold"), file)
    return [wrap(_rendered(file), target, file), f"SELECT * FROM {target}"]  # noqa: S608


def _bare(settings: Settings, statements: list[list[str]]) -> list[float]:
    url = SparkServer(settings.spark_port).url(str(uuid.uuid4()))
    done = subprocess.run(
        [str(settings.spark_python), str(REPO / "bench" / "bare.py")],
        input=json.dumps({"url": url, "statements": statements}),
        capture_output=True,
        text=True,
        check=True,
    )
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def _copy(settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    """Give DuckDB what the questions read, from Parquet."""
    folder = f"{settings.bucket}/bench/post_wide"
    statement = f"INSERT OVERWRITE DIRECTORY 's3://{folder}' USING parquet SELECT * FROM gold.post_wide"  # noqa: S608
    query(settings, statement)
    files = settings.service_dir("s3") / "data" / folder / "*.parquet"
    connection.execute(f"CREATE SCHEMA gold; CREATE TABLE gold.post_wide AS SELECT * FROM '{files}'")  # noqa: S608


def _translated(file: str) -> str:
    return sqlglot.transpile(_rendered(file), read="databricks", write="duckdb")[0]


def _in_duckdb(settings: Settings, connection: duckdb.DuckDBPyConnection, file: str) -> float:
    """Answer a question; its rows must be as many as the published ones."""
    begun = time.perf_counter()
    rows = connection.execute(_translated(file)).fetchall()
    seconds = time.perf_counter() - begun
    _, published = query(settings, f"SELECT count(*) FROM gold.`{paths.stem(file)}`")  # noqa: S608
    if published != [[str(len(rows))]]:
        raise SystemExit(f"bench: {file} has {published} rows in Spark and {len(rows)} in DuckDB.")
    return seconds
