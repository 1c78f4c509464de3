"""Names of topics, streams, keys and folders: where each thing lies, and nothing that reads or writes."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinflow.errors import SqlFileError
from pinflow.window import Window

_REPORT = re.compile(r"reports/(\d{8}T\d{6}Z_\d{8}T\d{6}Z)/[0-9a-f]{12}\.html")
_START_OFFSET = re.compile(r"\+(\d+)\.json$")


def include_dir() -> Path:
    """Find include/: PINFLOW_INCLUDE, inside the built package, $AIRFLOW_HOME/include, the repository."""
    package = Path(__file__).resolve().parent
    named = os.environ.get("PINFLOW_INCLUDE")
    home = os.environ.get("AIRFLOW_HOME")
    candidates = [
        *([Path(named)] if named else []),
        package / "include",
        *([Path(home) / "include"] if home else []),
        package.parent.parent / "include",
    ]
    for folder in candidates:
        if (folder / "sql").is_dir():
            return folder
    raise SqlFileError(
        f"No include/ folder with sql/ in it in any of {', '.join(map(str, candidates))}.",
        "upload include/ beside the DAGs (`make mwaa` builds the whole tree) or set PINFLOW_INCLUDE.",
    )


def sql_dir() -> str:
    """Folder of the SQL files, a DAG's template_searchpath."""
    return str(include_dir() / "sql")


def sql_files(folder: str) -> list[str]:
    """SQL files of one folder, relative to sql_dir(), in the order of their names."""
    root = include_dir() / "sql"
    return sorted(str(path.relative_to(root)) for path in (root / folder).glob("*.sql"))


def stem(file: str) -> str:
    """Name of a SQL file without folder and ending; for an analytics file also its table's name."""
    return Path(file).stem


def run_hash(dag_id: str, run_id: str) -> str:
    """Twelve hex digits that stand for one DAG run in keys and in stage tables."""
    return hashlib.sha256(f"{dag_id}/{run_id}".encode()).hexdigest()[:12]


def run_hash_of(context: Mapping[str, Any]) -> str:
    """Return the hash of a task's run."""
    run = context["dag_run"]
    return run_hash(run.dag_id, run.run_id)


def topic(user_id: str, table: str) -> str:
    """Kafka topic of one table."""
    return f"{user_id}.{table}"


def stream(user_id: str, table: str) -> str:
    """Kinesis stream of one table."""
    return f"streaming-{user_id}-{table}"


def partition_prefix(topic_name: str, partition: int) -> str:
    """Key prefix of one partition's landed objects."""
    return f"topics/{topic_name}/partition={partition}/"


def landed_key(topic_name: str, partition: int, offset: int, padding: int) -> str:
    """Key the sink gives to the object that starts at an offset."""
    return f"{partition_prefix(topic_name, partition)}{topic_name}+{partition}+{offset:0{padding}d}.json"


def start_offset(key: str) -> int | None:
    """Offset of a landed object's first record, or None for a key that is not the sink's."""
    found = _START_OFFSET.search(key)
    return int(found.group(1)) if found else None


def manifest_key(table: str, window: Window, run: str, try_number: int, suffix: str = "jsonl.gz") -> str:
    """Key of an id file: `manifests/<table>/<window>/<run hash>/<try>.jsonl.gz`."""
    return f"manifests/{table}/{window.slug}/{run}/{try_number}.{suffix}"


def report_key(window: Window, run: str) -> str:
    """Key of a run's report: `reports/<window>/<run hash>.html`."""
    return f"reports/{window.slug}/{run}.html"


def report_parts(window: Window, run: str) -> str:
    """Folder where Spark leaves a report: `reports/parts/<window>/<run hash>`."""
    return f"reports/parts/{window.slug}/{run}"


def report_of_parts(folder: str) -> str:
    """Key of the report that was left in such a folder."""
    return f"reports/{folder.removeprefix('reports/parts/')}.html"


def window_of_report(key: str) -> Window | None:
    """Window in the key of a report, or None for another key."""
    found = _REPORT.fullmatch(key)
    return Window.of_slug(found.group(1)) if found else None


def run_of_manifest(key: str) -> str | None:
    """Run hash in the key of an id file or key list, or None for another key."""
    parts = key.split("/")
    return parts[3] if len(parts) == 5 and parts[0] == "manifests" else None


def snapshot_prefix(run: str, task_id: str, try_number: int) -> str:
    """Folder of one snapshot of the source: `reconcile/<run hash>/<task>/<try>`."""
    return f"reconcile/{run}/{task_id}/{try_number}"


def snapshot_key(table: str, first: int) -> str:
    """Key below a snapshot of the part that starts with this row; shaped as the sink's keys."""
    return f"{table}/partition=0/{table}+0+{first:020d}.json.gz"


def split_uri(uri: str) -> tuple[str, str]:
    """Split s3://bucket/key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
