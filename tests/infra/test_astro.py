"""What Astro is given, as far as it can be looked at without Docker: docs/limits.md says what was not run."""

import asyncio
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack import kafka
from devstack.airflow_entries import connections, variable
from devstack.config import Settings
from infra.astro import stack

REPO = Path(__file__).resolve().parents[2]
# services of Astro's own compose file for Airflow 3: an included file may not name one of them again
ASTROS = {"postgres", "db-migration", "scheduler", "dag-processor", "api-server", "triggerer"}
DOCKERFILES = ("Dockerfile", "infra/astro/stack.Dockerfile")


def instructions(file: str) -> Iterator[tuple[str, str]]:
    text = (REPO / file).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def included(file: str, variables: dict[str, str]) -> dict[str, Any]:
    """Services of a compose file and of what it includes, with its variables filled in."""

    def fill(found: re.Match[str]) -> str:
        return variables.get(found[1]) or found[2]

    text = re.sub(r"\$\{(\w+):-([^}]*)\}", fill, (REPO / file).read_text())
    assert "${" not in text
    document = yaml.safe_load(text)
    services = dict(document.get("services") or {})
    for part in document.get("include", ()):
        services |= included(part["path"], variables)
    return services


def env() -> dict[str, str]:
    lines = (REPO / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("file", DOCKERFILES)
def test_a_dockerfile_begins_with_a_pinned_image_and_copies_what_exists(file: str) -> None:
    found = list(instructions(file))
    assert found[0][0] == "FROM"
    assert re.fullmatch(r"[\w./-]+:\d[\w.-]+", found[0][1]), "pin the image's tag"
    known = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "VOLUME", "ENTRYPOINT", "USER"}
    assert {word for word, _ in found} <= known
    for word, rest in found:
        if word == "COPY":
            for source in shlex.split(rest)[:-1]:
                assert (REPO / source).exists(), source
        if word == "ENTRYPOINT":
            command = json.loads(rest)
            assert importlib.util.find_spec(command[command.index("-m") + 1])


def test_astros_image_has_the_airflow_and_the_python_that_the_locks_have() -> None:
    (_, image), *_ = instructions("Dockerfile")
    minor, python = re.search(r":(\d+\.\d+)-\d+-python-(\d+\.\d+)$", image).groups()  # type: ignore[union-attr]
    assert f"apache-airflow=={minor}." in (REPO / "requirements" / "mwaa.in").read_text()
    assert f'requires-python = ">={python}' in (REPO / "pyproject.toml").read_text()


def test_the_stack_is_beside_airflow_only_when_env_says_so() -> None:
    assert included("docker-compose.override.yml", {}) == {}
    assert set(included("docker-compose.override.yml", env())) == {"pinflow-stack"}


def test_every_path_of_the_stacks_service_exists_and_nothing_is_published() -> None:
    services = included("docker-compose.override.yml", env())
    volumes = yaml.safe_load((REPO / "docker-compose.stack.yml").read_text())["volumes"]
    assert not set(services) & ASTROS
    for service in services.values():
        assert (REPO / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert service["networks"] == ["airflow"]
        assert "ports" not in service
        for mount in service["volumes"]:
            source, target = mount.split(":")
            assert source in volumes or (REPO / source).exists(), source
            assert ("VOLUME", target) in instructions("infra/astro/stack.Dockerfile")
        test = service["healthcheck"]["test"]
        assert importlib.util.find_spec(test[test.index("-m") + 1])


def test_what_the_images_need_is_not_ignored_and_secrets_are() -> None:
    ignored = (REPO / ".dockerignore").read_text().split()
    for needed in ("Makefile", "devstack", "infra", "include", "requirements", "plugins", "dags"):
        assert needed not in ignored
        assert (REPO / needed).exists()
    assert {".env", "airflow_settings.yaml", ".venv", ".devstack"} <= set(ignored)
    assert {".env", "airflow_settings.yaml"} <= set((REPO / ".gitignore").read_text().split())


def test_the_variables_of_the_stacks_image_are_settings_of_the_stack() -> None:
    named = {
        pair.split("=")[0]
        for word, rest in instructions("infra/astro/stack.Dockerfile")
        if word == "ENV"
        for pair in rest.split()
    }
    assert named
    for name in named:
        assert name.removeprefix("DEVSTACK_").lower() in Settings.model_fields, name


def test_the_connections_are_the_local_ones_at_the_stacks_host() -> None:
    told = yaml.safe_load((REPO / "airflow_settings.example.yaml").read_text())["airflow"]
    settings = Settings(_env_file=None)
    fields = ("host", "schema", "login", "password", "port", "extra")
    found = {entry["conn_id"]: entry for entry in told["connections"]}
    host = included("docker-compose.override.yml", env())["pinflow-stack"]["hostname"]
    expected = {}
    for entry in connections(settings):
        here = json.loads(json.dumps(entry).replace("127.0.0.1", host))
        made = {f"conn_{name}": here[name] for name in fields if here.get(name)}
        if "conn_extra" in made:
            made["conn_extra"] = json.loads(made["conn_extra"])
        expected[entry["connection_id"]] = {
            "conn_id": entry["connection_id"], "conn_type": entry["conn_type"], **made,
        }  # fmt: skip
    assert found == expected
    (pinflow,) = told["variables"]
    assert pinflow["variable_name"] == "pinflow"
    assert json.loads(pinflow["variable_value"]) == variable(settings)


def test_every_service_but_airflow_and_its_database_runs_in_the_container() -> None:
    assert set(stack.names()) == {
        "mysql", "kafka", "s3", "sink", "rest", "gateway", "kinesis", "spark", "engine", "databricks",
    }  # fmt: skip


def test_kafka_tells_its_clients_the_name_they_can_reach(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, kafka_advertised_host="pinflow-stack")
    told = kafka.properties(settings)
    assert told["advertised.listeners"] == f"PLAINTEXT://pinflow-stack:{settings.kafka_port}"
    assert told["listeners"].startswith("PLAINTEXT://127.0.0.1:")


def test_a_connection_from_another_container_reaches_the_port_on_loopback() -> None:
    async def main() -> bytes:
        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read()).upper())
            await writer.drain()
            writer.close()

        inner = await asyncio.start_server(upper, "127.0.0.1", 0)
        port = inner.sockets[0].getsockname()[1]
        (outer,) = await stack.forward("127.0.0.2", [port])
        reader, writer = await asyncio.open_connection("127.0.0.2", port)
        writer.write(b"pin" * 100_000)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        outer.close()
        inner.close()
        return answer

    assert asyncio.run(main()) == b"PIN" * 100_000


def test_a_port_that_nobody_serves_ends_the_connection_and_not_the_forwarding() -> None:
    async def main() -> bytes:
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        taken.close()
        await taken.wait_closed()
        (outer,) = await stack.forward("127.0.0.2", [port])
        answers = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.2", port)
            answers.append(await asyncio.wait_for(reader.read(), 30))
            writer.close()
        outer.close()
        return b"".join(answers)

    assert asyncio.run(main()) == b""


def test_the_integrity_test_finds_a_broken_dag_unless_it_is_excepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location(
        "integrity", REPO / ".astro" / "test_dag_integrity_default.py"
    )
    assert spec
    assert spec.loader
    integrity = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(integrity)
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "good.py").write_text(
        "from airflow.sdk import DAG\n\nwith DAG('good', schedule=None):\n    pass\n"
    )
    (dags / "broken.py").write_text("from airflow.sdk import DAG\n\nraise RuntimeError('broken')\n")
    exceptions = tmp_path / "exceptions.txt"
    monkeypatch.setattr(integrity, "DAGS", dags)
    monkeypatch.setattr(integrity, "EXCEPTIONS", exceptions)
    with pytest.raises(AssertionError, match=r"broken\.py"):
        integrity.test_dags_import()
    exceptions.write_text("# a comment\ndags/broken.py\n")
    integrity.test_dags_import()
