"""A continuous run whose client or whose server is killed in the middle of a batch: the next run has all, once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pinspark.contracts import TABLES
from tests.include.connect_server import connect_server, start_server
from tests.include.kinesis_server import AWS, REGION, REPO
from tests.include.streams import Streams

pytestmark = pytest.mark.long

JOB = REPO / "include" / "spark" / "jobs" / "ingest.py"
# a process as a run is one: it makes its tables known to a server that has none, then it is the job
RUN = """
import json, runpy, sys
from pinspark.session import session
statements, sys.argv = json.loads(sys.argv[1]), sys.argv[2:]
for statement in statements:
    session().sql(statement)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
SECONDS = 240


def command(own: Streams, statements: list[str], **given: str) -> list[str]:
    options = json.dumps({"endpoint": own.kinesis.url, "region": REGION})
    given = {**own.own, "checkpoints": f"file://{own.folder}/checkpoints", "options": options} | given
    arguments = [part for name, text in given.items() for part in (f"--{name.replace('_', '-')}", text)]
    return [sys.executable, "-c", RUN, json.dumps(statements), str(JOB), *arguments]


def environment(url: str) -> dict[str, str]:
    return {**os.environ, "SPARK_REMOTE": url, "PYTHONPATH": str(REPO / "include" / "spark")}


@contextmanager
def reading_on(own: Streams, url: str, statements: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the job continuously; leave the block when a batch of geo records is planned and not done."""
    until = (datetime.now(UTC) + timedelta(seconds=SECONDS)).isoformat()
    with (own.folder / "job.log").open("wb") as log:
        job = subprocess.Popen(
            command(own, statements, until=until), env=environment(url), stdout=log, stderr=log
        )
    try:
        in_the_middle(own, job)
        yield job
    finally:
        job.kill()
        job.wait()


def newest(folder: Path) -> int:
    """Give the number of the newest batch in a folder of a checkpoint; -1 for none."""
    return max((int(path.name) for path in folder.glob("[0-9]*")), default=-1)


def in_the_middle(own: Streams, job: subprocess.Popen[bytes]) -> None:
    """Send posts until a batch after the first one is planned and not done."""
    deadline, ind = time.monotonic() + SECONDS, 0
    root = own.folder / "checkpoints" / f"{own.lake.user_id}_geo_table"
    while time.monotonic() < deadline:
        assert job.poll() is None, (own.folder / "job.log").read_text()[-3000:]
        own.send_posts(*range(ind, ind + 3))
        ind += 3
        for begun in root.glob("*"):
            done = newest(begun / "commits")
            if newest(begun / "offsets") > done >= 0:
                return
        time.sleep(0.1)
    raise AssertionError((own.folder / "job.log").read_text()[-3000:])


def everything_once(own: Streams) -> None:
    for table in TABLES:
        assert own.places(table) == sorted(one.place for one in own.acknowledged if one.table == table)
    assert own.refused() == []
    assert [row.ind for row in own.posts()] == sorted(
        {one.ind for one in own.acknowledged if one.ind is not None}
    )


@pytest.fixture
def own(streams: Callable[[str], Streams], request: pytest.FixtureRequest) -> Streams:
    return streams(request.param).create()


@pytest.mark.parametrize("own", ["0123456789e4"], indirect=True)
def test_a_run_whose_client_is_killed_is_followed_by_one_that_takes_its_place(own: Streams) -> None:
    with reading_on(own, os.environ["SPARK_REMOTE"], []) as job:
        job.send_signal(signal.SIGKILL)  # the server reads on, without anybody who watches it
        job.wait()
        own.send_posts(10_000)
        own.ingest()
    everything_once(own)


@pytest.mark.long  # e2e kills the server too
@pytest.mark.parametrize("own", ["0123456789e5"], indirect=True)
def test_a_server_that_is_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    own: Streams, tmp_path: Path
) -> None:
    names = [*(own.rows_of(table) for table in TABLES), own.quarantine]
    places = [own.spark.sql(f"DESCRIBE DETAIL {name}").collect()[0].location for name in names]
    statements = [f"CREATE SCHEMA {own.lake.silver}"]
    statements += [
        f"CREATE TABLE {name} USING DELTA LOCATION '{place}'"
        for name, place in zip(names, places, strict=True)
    ]
    server, url = start_server(tmp_path / "first", SECONDS, AWS)
    try:
        with reading_on(own, url, statements):
            server.send_signal(signal.SIGKILL)
            server.wait()
    finally:
        server.kill()
        server.wait()
    assert len(own.places("geo")) < len(own.acknowledged) / len(TABLES)
    with connect_server(tmp_path / "second", SECONDS, AWS) as url:
        done = subprocess.run(
            command(own, statements), env=environment(url), check=True, capture_output=True, text=True
        )
    assert done.stdout.splitlines()[-1].startswith("RESULT ")
    everything_once(own)
