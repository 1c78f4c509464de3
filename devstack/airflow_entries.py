"""The connections and the Variable that point Airflow at the local stack."""

import json
from pathlib import Path
from typing import Any

from devstack.config import Settings
from devstack.gateway.service import invoke_url

Connection = dict[str, Any]
COMPARED = ("conn_type", "description", "host", "login", "schema", "port", "extra", "value")


def connections(settings: Settings) -> list[Connection]:
    """Return the local connections as the REST API takes them."""
    return [
        {
            "connection_id": "pinterest_rds",
            "conn_type": "mysql",
            "description": "The source database",
            "host": "127.0.0.1",
            "port": settings.mysql_port,
            "schema": settings.mysql_database,
            "login": settings.mysql_user,
            "password": settings.mysql_password,
            "extra": json.dumps({"client": "mysql-connector-python"}),
        },
        {
            "connection_id": "pinterest_kafka",
            "conn_type": "generic",
            "description": "The log (host = bootstrap servers)",
            "host": f"127.0.0.1:{settings.kafka_port}",
            "port": settings.kafka_port,
        },
        {
            "connection_id": "pinterest_api",
            "conn_type": "http",
            "description": "The API in front of the log (host = invoke URL, password = API key)",
            "host": invoke_url(settings),
            "password": settings.gateway_key,
        },
        {
            "connection_id": "pinterest_aws",
            "conn_type": "aws",
            "description": "The lake's storage, and the streams",
            "login": settings.s3_access_key,
            "password": settings.s3_secret_key,
            "extra": json.dumps(
                {
                    "region_name": settings.region,
                    "endpoint_url": settings.s3_endpoint,
                    "service_config": {"kinesis": {"endpoint_url": settings.kinesis_endpoint}},
                }
            ),
        },
        {
            "connection_id": "pinterest_databricks",
            "conn_type": "databricks",
            "description": "The engine",
            "host": "127.0.0.1",
            "schema": "http",
            "port": settings.databricks_port,
            "password": settings.databricks_token,
        },
    ]


def variable(settings: Settings) -> dict[str, Any]:
    """Return the Variable `pinflow`."""
    return {
        "user_id": settings.user_id,
        "bucket": settings.bucket,
        "catalog": None,
        "schemas": {"stage": "stage", "silver": "silver", "gold": "gold", "ops": "ops"},
        "transport": "api",
        "compute": {"kind": "serverless"},
        "warehouse_id": "local",
        "grace_minutes": 30,
        "source_is_live": False,
        "sink": {"records_per_object": 1000, "offset_padding": 20},
        "poll_seconds": 1,
    }


def as_variables(settings: Settings) -> dict[str, str]:
    """Return the same entries as environment variables, for code that runs without Airflow's services."""
    found = {"AIRFLOW_VAR_PINFLOW": json.dumps(variable(settings))}
    for connection in connections(settings):
        fields = {name: value for name, value in connection.items() if name != "connection_id"}
        found[f"AIRFLOW_CONN_{connection['connection_id'].upper()}"] = json.dumps(fields)
    return found


def _record(settings: Settings) -> Path:
    return settings.service_dir("airflow") / "entries.json"


def last_written(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the entries by key as they were written last."""
    try:
        found: dict[str, dict[str, Any]] = json.loads(_record(settings).read_text())
    except (OSError, ValueError):
        return {}
    return found


def remember(settings: Settings, entries: dict[str, dict[str, Any]]) -> None:
    """Keep the entries for `last_written`; they hold passwords."""
    _record(settings).touch(mode=0o600)
    _record(settings).write_text(json.dumps(entries, indent=1))


def is_as_written(live: dict[str, Any], written: dict[str, Any]) -> bool:
    """Compare an entry with what was written; of a password the API shows only that there is one."""
    return all(_plain(live.get(name)) == _plain(written.get(name)) for name in COMPARED) and bool(
        live.get("password")
    ) == bool(written.get("password"))


def _plain(value: Any) -> Any:
    """Read a JSON text, which comes back formatted anew; nothing and an empty text are the same."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value or None
