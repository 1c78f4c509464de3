"""A light workspace (the real engine and endpoint, S3 by moto, no Spark) and a whole one."""

import asyncio
import os
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

from devstack import supervise
from devstack.config import PORTS, Settings
from devstack.databricks.app import create_app
from devstack.engine import service as engine_service
from devstack.s3proxy import client, create_bucket

TERMINAL = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
CODE = "s3://{bucket}/code/test/{name}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TaskInstance:
    """As much of a task instance as the operators touch."""

    dag_id, task_id, map_index = "dag", "task", -1

    def __init__(self, run_id: str = "run", try_number: int = 1) -> None:
        self.run_id, self.try_number, self.id = run_id, try_number, uuid.uuid4()
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep what an operator pushes."""
        self.pushed[key] = value


def first_event(trigger: Any) -> dict[str, Any]:
    """Run a trigger until it fires and return its payload."""

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    payload: dict[str, Any] = asyncio.run(asyncio.wait_for(first(), 180))
    return payload


@dataclass
class Workspace:
    """A running endpoint and what tests ask of it."""

    settings: Settings
    s3: Any
    restart: Callable[[], None] = field(default=lambda: None)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.settings.databricks_url,
            headers={"Authorization": f"Bearer {self.settings.databricks_token}"},
            timeout=90,
        )
        self.sdk = WorkspaceClient(
            config=Config(
                host=self.settings.databricks_url,
                token=self.settings.databricks_token,
                disable_experimental_files_api_client=True,
            )
        )

    def put(self, name: str, content: str | bytes) -> str:
        """Store a file of code and return its URI."""
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket=self.settings.bucket, Key=f"code/test/{name}", Body=body)
        return CODE.format(bucket=self.settings.bucket, name=name)

    def body(self, script: str, *parameters: str, name: str = "script.py", **more: Any) -> dict[str, Any]:
        """Return a submit body of one task that runs this script."""
        uri = self.put(f"{time.time_ns()}/{name}", script)
        task = {
            "task_key": "main",
            "spark_python_task": {"python_file": uri, "parameters": list(parameters)},
            "environment_key": "default",
        }
        return {
            "run_name": name,
            "tasks": [task],
            "environments": [{"environment_key": "default", "spec": {"environment_version": "4"}}],
            **more,
        }

    def submit(self, body: dict[str, Any]) -> int:
        """Submit and return the run's id."""
        return int(self.http.post("/api/2.2/jobs/runs/submit", json=body).raise_for_status().json()["run_id"])

    def get(self, run_id: int) -> dict[str, Any]:
        """Describe a run."""
        answer: dict[str, Any] = self.http.get("/api/2.2/jobs/runs/get", params={"run_id": run_id}).json()
        return answer

    def output(self, run_id: int) -> dict[str, Any]:
        """Return what a run of one task printed."""
        answer: dict[str, Any] = self.http.get(
            "/api/2.2/jobs/runs/get-output", params={"run_id": run_id}
        ).json()
        return answer

    def wait(self, run_id: int, seconds: float = 180) -> dict[str, Any]:
        """Wait for a run's end."""
        return self.until(run_id, lambda run: run["state"]["life_cycle_state"] in TERMINAL, seconds)

    def until(
        self, run_id: int, done: Callable[[dict[str, Any]], bool], seconds: float = 180
    ) -> dict[str, Any]:
        """Wait for something about a run."""
        deadline = time.monotonic() + seconds
        while not done(run := self.get(run_id)):
            assert time.monotonic() < deadline, run
            time.sleep(0.05)
        return run

    def until_logged(self, run_id: int, text: str, seconds: float = 180) -> None:
        """Wait until a run has printed something."""
        deadline = time.monotonic() + seconds
        while text not in (output := self.output(run_id)).get("logs", ""):
            assert time.monotonic() < deadline, output
            time.sleep(0.05)

    def run(self, body: dict[str, Any]) -> dict[str, Any]:
        """Run to the end and return the output with its state."""
        run_id = self.submit(body)
        return {"state": self.wait(run_id)["state"], **self.output(run_id)}

    def statement(self, sql: str, **more: Any) -> dict[str, Any]:
        """Run a statement to its end, unless told how long to wait."""
        path, deadline = "/api/2.0/sql/statements", time.monotonic() + 180
        body = {"statement": sql, "warehouse_id": "local", "wait_timeout": "50s", **more}
        answer: dict[str, Any] = self.http.post(path, json=body).raise_for_status().json()
        while "wait_timeout" not in more and answer["status"]["state"] in ("PENDING", "RUNNING"):
            assert time.monotonic() < deadline, sql
            time.sleep(0.5)
            answer = self.http.get(f"{path}/{answer['statement_id']}").raise_for_status().json()
        return answer


class _Endpoint:
    """The application served from a thread, so that it can be ended and started again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.start()

    def start(self) -> None:
        config = uvicorn.Config(
            create_app(self.settings),
            host="127.0.0.1",
            port=self.settings.databricks_port,
            log_level="error",
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    def restart(self) -> None:
        self.stop()
        self.start()


def _accept(listener: socket.socket) -> None:
    """Take connections, so that the port stays open, and hang up."""
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The real engine and endpoint; what stands for Spark only listens."""
    from moto.server import ThreadedMotoServer

    with ExitStack() as started:
        spark = started.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=_accept, args=(spark,), daemon=True).start()
        settings = Settings(
            state_dir=tmp_path_factory.mktemp("light"),
            databricks_port=_free_port(),
            s3_port=_free_port(),
            spark_port=spark.getsockname()[1],
        )
        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=settings.s3_port, verbose=False)
        moto.start()
        started.callback(moto.stop)
        create_bucket(settings)
        started.enter_context(_engine(settings))
        endpoint = _Endpoint(settings)
        started.callback(endpoint.stop)
        yield Workspace(settings, client(settings), endpoint.restart)


@contextmanager
def _engine(settings: Settings) -> Iterator[None]:
    """Run the engine by itself."""
    service = engine_service.service(settings)
    engine = subprocess.Popen(service.command, env={**os.environ, **service.env}, cwd=service.directory)
    try:
        _await_engine(settings, engine)
        yield
    finally:
        engine.terminate()
        engine.wait(10)


def _await_engine(settings: Settings, engine: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not engine_service.answers(settings):
        assert engine.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The stack's own s3, spark, engine and databricks under the supervisor."""
    ports = {name: _free_port() for name in PORTS}
    settings = Settings(state_dir=tmp_path_factory.mktemp("workspace") / "state", **ports)  # type: ignore[arg-type]
    try:
        supervise.up(settings, ["databricks"])
        yield Workspace(settings, client(settings))
    finally:
        supervise.reset(settings)
