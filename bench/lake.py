"""Generated posts landed in the lake without a log, and jobs run through the Databricks endpoint."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import batched
from typing import Any
from unittest.mock import patch

from devstack import supervise
from devstack.airflow_entries import as_variables
from devstack.config import Settings
from devstack.source.columns import tables
from devstack.source.generate import Generator, Plan
from pinflow import manifest, paths
from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.hooks.lake import LakeHook
from pinflow.operators.spark_job import compute_of
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.settings import TABLES, load_settings
from pinflow.settings import Settings as Names
from pinflow.setup import create_tables
from pinflow.window import Window, iso_utc
from pinflow.wire import wire

FIRST, LAST = date(2017, 10, 20), date(2022, 10, 18)
WINDOW = Window.parse(f"{FIRST}T00:00:00Z", f"{LAST + timedelta(days=1)}T00:00:00Z")
PARTITIONS = 3
POLL_SECONDS = 0.1
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
Manifest = dict[str, Any]


@contextmanager
def made(settings: Settings) -> Iterator[None]:
    """Bring up storage and engine with the package's tables, where Airflow's hooks find them."""
    supervise.up(settings, ["databricks"])
    with patch.dict(os.environ, as_variables(settings)):
        create_tables()
        yield


def land(posts: int, run: str) -> list[Manifest]:
    """Write generated posts as producers and sink leave them; return the three manifests."""
    landing = _Landing(run)
    for chunk in Generator(Plan(posts, FIRST, LAST)).chunks():
        landing.posts |= {row[0]: iso_utc(row[1]) for row in chunk.geos}
        for table, source, rows in zip(TABLES, tables(), (chunk.pins, chunk.geos, chunk.users), strict=True):
            landing.add(table, ((row[0], wire(dict(zip(source.names, row, strict=True)))) for row in rows))
    return [landing.manifest(table) for table in TABLES]


class _Landing:
    """Objects of as many records as the sink's, over the partitions in turn."""

    def __init__(self, run: str) -> None:
        self.run, self.names, self.lake = run, load_settings(), LakeHook()
        self.posts: dict[int, str] = {}
        self.places: dict[str, list[manifest.Place]] = {table: [] for table in TABLES}
        self.offsets: dict[tuple[str, int], int] = {}
        self.keys: dict[str, list[str]] = {table: [] for table in TABLES}

    def add(self, table: str, rows: Iterable[tuple[int, bytes]]) -> None:
        """Land rows."""
        for some in batched(rows, self.names.sink.records_per_object):
            partition = len(self.keys[table]) % PARTITIONS
            start = self.offsets.get((table, partition), 0)
            self.offsets[table, partition] = start + len(some)
            self.places[table] += [(ind, partition, start + line) for line, (ind, _) in enumerate(some)]
            topic = paths.topic(self.names.user_id, table)
            key = paths.landed_key(topic, partition, start, self.names.sink.offset_padding)
            content = b"".join(row + b"\n" for _, row in some)
            self.keys[table].append(self.lake.write(f"s3://{self.names.bucket}/{key}", content))

    def manifest(self, table: str) -> Manifest:
        """Write id file and list of keys."""
        places, root = self.places[table], f"s3://{self.names.bucket}"
        uris = {name: f"{root}/{paths.manifest_key(name, WINDOW, self.run, 1)}" for name in ("posts", table)}
        self.lake.write(uris["posts"], manifest.pack({"ind": i, "post_ts": t} for i, t in self.posts.items()))
        self.lake.write(uris[table], manifest.pack_ids(places, self.posts))
        keys = uris[table].removesuffix(".jsonl.gz") + ".keys.txt"
        return manifest.Manifest(
            table=table,
            topic=paths.topic(self.names.user_id, table),
            window_start=WINDOW.start_text,
            window_end=WINDOW.end_text,
            run=self.run,
            selected=len(self.posts),
            count=len(places),
            posts=uris["posts"],
            ids=uris[table],
            partitions=manifest.spans(places),
            keys=self.lake.write(keys, "\n".join(self.keys[table]).encode()),
            objects=len(self.keys[table]),
        ).to_json()


def run_job(job: str, *arguments: str) -> float:
    """Run a job of include/spark through the endpoint; return the seconds from submitting to its end."""
    hook, names = PinterestDatabricksHook(), load_settings()
    code = UploadSparkCodeOperator(task_id="upload_spark_code").execute({})
    of_task, of_run = compute_of(names.compute, code["wheel"])
    task = {"python_file": f"{code['jobs']}/{job}", "parameters": list(arguments)}
    begun = time.perf_counter()
    run_id = hook.submit_run(
        {"run_name": job, "tasks": [{"task_key": job[:-3], "spark_python_task": task, **of_task}], **of_run}
    )
    while (run := hook.get_run(run_id))["state"]["life_cycle_state"] not in ENDED:
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - begun
    if run["state"].get("result_state") != "SUCCESS":
        raise SystemExit(f"bench: {job} ended {run['state']}; {run['run_page_url']}")
    return seconds


def schemas(*names: str) -> list[str]:
    """Return the arguments that name schemas."""
    found: Names = load_settings()
    return [part for name in names for part in (f"--{name}", found.schema_name(name))]
