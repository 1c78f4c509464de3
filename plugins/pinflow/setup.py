"""What pinterest_setup does: check each connection, then make what is missing; every step may run again."""

import json
import logging
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

from pinflow import paths, tables
from pinflow.errors import LakeError, SetupError, StatementError, WorkspaceError
from pinflow.manifest import Place
from pinflow.settings import TABLES, Schemas, Settings, load_settings

log = logging.getLogger(__name__)

# The sink is probed on a topic of its own, so that the tables' topics stay free of it.
PROBE = "probe"
_PROBE_SECONDS = 120
_UTC = {"UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT", "+00:00"}


def topics(settings: Settings) -> list[str]:
    """Return the topics of the batch layer and the sink's probe."""
    return [paths.topic(settings.user_id, table) for table in (*TABLES, PROBE)]


def check_source() -> None:
    """Compare the source's columns with the contracts' and read one row of each table."""
    from pinflow.hooks.source import SourceHook

    hook = SourceHook()
    for warning in hook.compare_columns():
        log.warning("%s: %s", hook.where(), warning)
    newest = hook.newest_post()
    for table in TABLES:
        list(hook.rows(table, [0]))
    log.info("%s answers; its newest post is of %s (UTC)", hook.where(), newest)


def check_lake() -> None:
    """Make the bucket when absent, then write, read and delete one object."""
    from pinflow.hooks.lake import CONNECTION, LakeHook, reaching

    settings, hook = load_settings(), LakeHook()
    uri = f"s3://{settings.bucket}/manifests/setup-check"
    try:
        with reaching(f"s3://{settings.bucket}"):
            if not hook.check_for_bucket(settings.bucket):
                hook.create_bucket(bucket_name=settings.bucket)
                log.info("Made the bucket %s", settings.bucket)
            hook.write(uri, b"ok")
            hook.read(uri)
            hook.delete_objects(settings.bucket, ["manifests/setup-check"])
    except LakeError as error:
        raise SetupError(
            f"The bucket {settings.bucket} cannot be used: {error.what}",
            f"check the connection `{CONNECTION}` and grant s3:ListBucket, s3:GetObject, s3:PutObject and "
            "s3:DeleteObject on the bucket (s3:CreateBucket when it is to be made).",
        ) from error
    log.info("The bucket %s can be listed, read and written", settings.bucket)


def check_databricks() -> None:
    """Ask the workspace for a version and the warehouse for a row."""
    from pinflow.hooks.databricks import CONNECTION, PinterestDatabricksHook

    settings, hook = load_settings(), PinterestDatabricksHook()
    sql = "SELECT current_timezone()"
    try:
        answer = hook.run_statement(sql, settings.warehouse_id, sql)
    except (WorkspaceError, StatementError) as error:
        raise SetupError(
            f"Databricks at {hook.host}, warehouse `{settings.warehouse_id}` runs no statement: {error.what}",
            f"check host and token of the connection `{CONNECTION}`, `warehouse_id` in the Variable, and "
            "grant CAN USE on the warehouse.",
        ) from error
    zone = answer["result"]["data_array"][0][0]
    if zone not in _UTC:
        raise SetupError(
            f"Warehouse `{settings.warehouse_id}` has the time zone {zone}; days and years here are UTC.",
            "set TIMEZONE to UTC in the warehouse's SQL configuration parameters.",
        )
    log.info("Databricks at %s runs statements on warehouse `%s`", hook.host, settings.warehouse_id)


def create_topics() -> list[str]:
    """Make the topics that are absent; return them."""
    from pinflow.hooks.kafka import KafkaHook

    settings, hook = load_settings(), KafkaHook()
    made = hook.create_topics(topics(settings), settings.topic_partitions, settings.topic_replication)
    log.info(
        "%s: made %s, had %s", hook.where(), made or "nothing", sorted(set(topics(settings)) - set(made))
    )
    return made


def streams(settings: Settings) -> list[str]:
    """Return the streams of the speed layer."""
    return [paths.stream(settings.user_id, table) for table in TABLES]


def create_streams() -> list[str]:
    """Make the streams that are absent and wait until all can be used; return those made."""
    from pinflow.hooks.kinesis import KinesisHook

    settings, hook = load_settings(), KinesisHook()
    made = hook.create_streams(streams(settings), settings.stream_shards)
    had = sorted(set(streams(settings)) - set(made))
    log.info("%s: made %s, had %s", hook.where(), made or "nothing", had)
    return made


def check_sink() -> str:
    """Send a probe by the transport in use and compare what the sink lands, byte by byte; return its URI."""
    from pinflow.hooks.lake import LakeHook
    from pinflow.transport import open_writer

    settings, lake = load_settings(), LakeHook()
    name = paths.topic(settings.user_id, PROBE)
    # 1.10 and thirty digits change when a converter parses and prints the value again
    value = b'{"probe":"%d","number":1.10,"digits":123456789012345678901234567890}' % time.time_ns()
    places: list[Place] = []
    with closing(open_writer(settings, name, places.append)) as writer:
        writer.send(0, value)
        writer.finish()
    _, partition, offset = places[-1]
    prefix = paths.partition_prefix(name, partition)
    ends = time.monotonic() + _PROBE_SECONDS
    while time.monotonic() < ends:
        for key in lake.keys_after(settings.bucket, prefix, ""):
            start = paths.start_offset(key)
            if start is not None and start <= offset:
                content = lake.read(f"s3://{settings.bucket}/{key}")
                lines = content.split(b"\n")
                if start == offset or len(lines) > offset - start + 1:
                    _compare(settings, key, start, lines[offset - start], value)
                    log.info("The sink landed the probe as s3://%s/%s", settings.bucket, key)
                    return f"s3://{settings.bucket}/{key}"
        time.sleep(1)
    raise SetupError(
        f"Nothing of topic `{name}` has landed under s3://{settings.bucket}/{prefix} in {_PROBE_SECONDS} s.",
        "check that the S3 sink connector runs, that its topics.regex covers the topic, that it flushes by "
        "time (a count alone never lands the tail) and that its prefix is topics/<topic>/partition=<n>/.",
    )


def _compare(settings: Settings, key: str, start: int, line: bytes, value: bytes) -> None:
    padded = key.rsplit("+", 1)[1].removesuffix(".json")
    if line != value:
        raise SetupError(
            f"The sink changed the probe: sent {value!r}, landed {line[:200]!r} in {key}.",
            "use ByteArrayConverter, one JSON value a line, no envelope and no compression "
            "(infra/connect/ holds the settings for both plugins).",
        )
    if len(padded) != settings.sink.offset_padding and len(str(start)) < len(padded):
        raise SetupError(
            f"The sink pads offsets to {len(padded)} digits, the Variable to {settings.sink.offset_padding}.",
            f"set sink.offset_padding to {len(padded)} in the Variable `pinflow`.",
        )


def create_tables() -> list[str]:
    """Make schemas, tables, star and serving views, add columns to older tables; return the files."""
    from pinflow.hooks.databricks import PinterestDatabricksHook

    settings, hook = load_settings(), PinterestDatabricksHook()
    grant = (
        "grant the owner of the token CREATE SCHEMA, CREATE TABLE and (with a catalog) CREATE MANAGED "
        f"STORAGE on the external location of s3://{settings.bucket}; then clear this task."
    )
    run = partial(hook.run_statement, warehouse_id=settings.warehouse_id, repair=grant)
    for schema in Schemas.model_fields:
        kind = "MANAGED LOCATION" if settings.catalog else "LOCATION"
        place = f"s3://{settings.bucket}/lake/{getattr(settings.schemas, schema)}"
        sql = f"CREATE SCHEMA IF NOT EXISTS {settings.schema_name(schema)} {kind} '{place}'"
        run(sql, what=f"schema {schema}")
    statements, others = _rendered(settings, "silver"), _rendered(settings, "star", "serving")
    for file, sql in {**_changes(run, statements), **others}.items():
        run(sql, what=file)
        log.info("%s: %s", file, sql if sql.startswith("ALTER") else "done")
    files = [*statements, *others]
    log.info("%s", json.dumps({"schemas": list(settings.names()), "files": len(files)}))
    return files


def _rendered(settings: Settings, *folders: str) -> dict[str, str]:
    """Fill in the names of the settings in each file of these folders; a SELECT makes its table."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from pinflow.operators.sql_file import is_select, target_of, wrap

    # statements for a warehouse: nothing here is HTML
    environment = Environment(loader=FileSystemLoader(paths.sql_dir()), undefined=StrictUndefined)  # noqa: S701
    names: dict[str, Any] = settings.names()
    files = [file for folder in folders for file in paths.sql_files(folder)]
    rendered = {file: environment.get_template(file).render(names) for file in files}
    return {
        file: wrap(sql, target_of(names["gold"], file), file) if is_select(sql) else sql
        for file, sql in rendered.items()
    }


def _changes(run: Callable[..., dict[str, Any]], statements: dict[str, str]) -> dict[str, str]:
    """Return what is left to run: each file whose table is absent, and an ALTER where columns are."""
    made = {file: tables.parse(sql) for file, sql in statements.items()}
    schemas = sorted({table.schema for table in made.values() if table})
    present = {
        f"{schema}.`{row[1]}`"
        for schema in schemas
        for row in _rows(run(f"SHOW TABLES IN {schema}", what=f"tables of {schema}"))
    }
    left, refused = {}, list[str]()
    for file, table in made.items():
        if not table or table.name not in present:
            left[file] = statements[file]
            continue
        stored = tables.stored_columns(_rows(run(f"DESCRIBE TABLE {table.name}", what=table.name)))
        refused += [f"{table.name}: {said}" for said in tables.refusals(table, stored)]
        if statement := tables.additions(table, stored):
            left[file] = statement
    if refused:
        raise SetupError(
            f"Tables differ from their contracts and nothing was altered: {'; '.join(refused)}.",
            "do what stands in brackets in include/contracts, run `make contracts` and upload; then clear "
            "this task.",
        )
    return left


def _rows(answer: dict[str, Any]) -> list[list[str | None]]:
    return (answer.get("result") or {}).get("data_array") or []
