"""Airflow 3.3: api-server, scheduler, dag-processor and triggerer on Postgres, on loopback only."""

import fcntl
import json
import os
import secrets
import subprocess
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from devstack import postgres
from devstack.airflow_api import AirflowApi
from devstack.airflow_entries import connections, last_written, remember, variable
from devstack.config import Settings
from devstack.errors import StackError
from devstack.service import Service, port_open

# service: (airflow's command, its row in the job table)
PARTS = {
    "airflow-api": ("api-server", None),
    # the log servers of scheduler and triggerer would listen on every interface; the UI reads the same disk
    "airflow-scheduler": ("scheduler --skip-serve-logs", "SchedulerJob"),
    "airflow-dags": ("dag-processor", "DagProcessorJob"),
    "airflow-triggerer": ("triggerer --skip-serve-logs", "TriggererJob"),
}


def home(settings: Settings) -> Path:
    """Return AIRFLOW_HOME."""
    return settings.service_dir("airflow")


def _secrets(settings: Settings) -> dict[str, str]:
    """Return this state's own secrets, made once."""
    path = home(settings) / "secrets.json"
    if not path.exists():
        from cryptography.fernet import Fernet

        fresh = {"jwt": secrets.token_urlsafe(48), "api": secrets.token_urlsafe(32)}
        fresh["fernet"] = Fernet.generate_key().decode()
        path.touch(mode=0o600)
        path.write_text(json.dumps(fresh))
    found: dict[str, str] = json.loads(path.read_text())
    return found


def environment(settings: Settings) -> dict[str, str]:
    """Return the whole configuration of Airflow as variables (also for `airflow` by hand)."""
    own = _secrets(settings)
    options = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "8",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": settings.dags_folder,
        "CORE__PLUGINS_FOLDER": settings.plugins_folder,
        "CORE__FERNET_KEY": own["fernet"],
        "CORE__EXECUTION_API_SERVER_URL": f"{settings.airflow_url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__TEST_CONNECTION": "Enabled",
        # the default asks DNS, which can take seconds in a container
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "DATABASE__SQL_ALCHEMY_CONN": postgres.url(settings, "psycopg2"),
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.url(settings, "asyncpg"),
        "API__HOST": "127.0.0.1",
        "API__PORT": settings.airflow_port,
        "API__BASE_URL": settings.airflow_url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": own["api"],
        "API__INSTANCE_NAME": "Pinflow",
        "API_AUTH__JWT_SECRET": own["jwt"],
        "LOGGING__WORKER_LOG_SERVER_PORT": settings.airflow_worker_log_port,
        "LOGGING__TRIGGER_LOG_SERVER_PORT": settings.airflow_trigger_log_port,
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
        **TUNED,
    }
    return {f"AIRFLOW__{name}": str(value) for name, value in options.items()} | {
        "AIRFLOW_HOME": str(home(settings)),
        "TZ": "UTC",
        # process titles must not overwrite the environment: it carries the mark that `down` looks for
        "SPT_NOENV": "1",
        # threads of many small processes: fewer malloc arenas, less memory
        "MALLOC_ARENA_MAX": "2",
        # macOS forbids what LocalExecutor does: fork after threads
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
    }


# short waits between small tasks on two cores; parsing seldom, but a new file is found soon
TUNED = {
    # a worker that misses its task's end, a race it often loses, sleeps this long before it looks again (5 s)
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "60",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "15",
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "DAG_PROCESSOR__STALE_DAG_THRESHOLD": "90",
    "DAG_PROCESSOR__PARSING_PROCESSES": "2",
    "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "300",
}


# The scheduler's children run the tasks: what it has imported, no task imports again (0.6 s each, measured).
PRELOADED = """\
import sys

if "scheduler" in sys.argv:
    import airflow.providers.amazon.aws.sensors.s3
    import airflow.providers.databricks.operators.databricks
    import airflow.providers.mysql.hooks.mysql
    import airflow.providers.standard.operators.python
    import boto3
    import confluent_kafka
    import mysql.connector
"""


def run(settings: Settings, *arguments: str) -> str:
    """Run an `airflow` command with the stack's configuration and return its output."""
    command = [str(settings.airflow_python), "-m", "airflow", *arguments]
    base = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        command, env=base | environment(settings), cwd=home(settings),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        last = " | ".join(done.stdout.strip().splitlines()[-5:])
        raise StackError(
            f"`airflow {' '.join(arguments)}` failed: {last}. Repair: `make reset`, then `make up`."
        )
    return done.stdout


def migrate(settings: Settings) -> None:
    """Bring the metadata database to this version of Airflow, once; the four processes may ask together."""
    with (home(settings) / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = home(settings) / "migrated"
        if stamp.exists() and stamp.read_text() == version("apache-airflow"):
            return
        (home(settings) / "config").mkdir(exist_ok=True)
        (home(settings) / "config" / "airflow_local_settings.py").write_text(PRELOADED)
        run(settings, "db", "migrate")
        stamp.write_text(version("apache-airflow"))


def _api_ready(settings: Settings) -> bool:
    if not port_open(settings.airflow_port):
        return False
    try:
        url = f"{settings.airflow_url}/api/v2/monitor/health"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class _Job:
    """Tell by the job table whether a part has started its work, not only its process."""

    def __init__(self, settings: Settings, job_type: str) -> None:
        self.settings = settings
        self.job_type = job_type
        self.since = datetime.min.replace(tzinfo=UTC)

    def prepare(self) -> None:
        """Make the tables; remember the start, since the last run's row may still look alive."""
        migrate(self.settings)
        self.since = datetime.now(UTC)

    def ready(self) -> bool:
        """Tell whether a row of this start says running."""
        sql = (
            "SELECT count(*) FROM job WHERE state = 'running' AND job_type = %s "
            "AND latest_heartbeat > now() - interval '30 seconds' AND start_date >= %s"
        )
        try:
            found = postgres.ask(self.settings, sql, self.job_type, self.since, database=postgres.DATABASE)
        except Exception:  # noqa: BLE001 - whatever goes wrong, it is not ready
            return False
        return bool(found[0][0])


def create_entries(settings: Settings) -> None:
    """Create the connections and the Variable, and renew what no person has edited since it was written."""
    api = AirflowApi(settings.airflow_url)
    written = last_written(settings)
    for connection in connections(settings):
        key = connection["connection_id"]
        if api.put_connection(connection, written.get(key)):
            written[key] = connection
    body = {"key": "pinflow", "value": json.dumps(variable(settings))}
    if api.put_variable(body, written.get("pinflow")):
        written["pinflow"] = body
    remember(settings, written)


def _service(settings: Settings, name: str) -> Service:
    arguments, job_type = PARTS[name]
    prepare: Callable[[], None] = partial(migrate, settings)
    ready: Callable[[], bool] = partial(_api_ready, settings)
    after: Callable[[], None] = partial(create_entries, settings)
    if job_type:
        job = _Job(settings, job_type)
        prepare, ready, after = job.prepare, job.ready, lambda: None
    return Service(
        name=name,
        command=[str(settings.airflow_python), "-m", "airflow", *arguments.split()],
        env=environment(settings),
        needs=("postgres",),
        ports={"airflow_port": settings.airflow_port} if name == "airflow-api" else {},
        prepare=prepare,
        ready=ready,
        after=after,
        directory=home(settings),
        stop_seconds=20,
        ready_seconds=300,
    )


def services(settings: Settings) -> list[Service]:
    """Describe Airflow's four processes to the supervisor."""
    return [_service(settings, name) for name in PARTS]
