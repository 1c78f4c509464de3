"""`stream`: a live emulation, and while it runs what has arrived in Delta, how far behind, how old."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devstack import runs, s3proxy
from devstack.airflow_api import AirflowApi
from devstack.config import Settings
from devstack.errors import StackError

Say = Callable[[str], None]
DAG = "pinterest_live"
LOOK_SECONDS = 2.0
TABLES = ("pin", "geo", "user")


@dataclass(frozen=True)
class Seen:
    """A row that became visible: when it reached its stream, and how much later it was in the table."""

    arrived: float  # seconds since 1970
    latency: float  # seconds


@dataclass
class DeltaLog:
    """Follows the commits of one table, read from its log as it grows."""

    client: Any
    bucket: str
    prefix: str
    version: int = field(default=-1)

    def skip(self) -> None:
        """Pass over what is there."""
        self.version = max((version for version, _ in self._later()), default=self.version)

    def rows(self) -> Iterator[Seen]:
        """Yield the rows of the commits since the last look."""
        for version, key in self._later():
            self.version = version
            actions = [json.loads(line) for line in self._read(key).splitlines()]
            info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
            added = [a["add"] for a in actions if "add" in a and a["add"].get("dataChange")]
            if added and info.get("operation") in ("WRITE", "STREAMING UPDATE"):
                at = info["timestamp"] / 1000
                for add in added:
                    yield from (Seen(moment, at - moment) for moment in self._arrivals(add["path"]))

    def _later(self) -> list[tuple[int, str]]:
        folder = f"{self.prefix}/_delta_log/"
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=folder, StartAfter=f"{folder}{self.version:020d}.json~"
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        names = ((key.rpartition("/")[2].removesuffix(".json"), key) for key in keys)
        return sorted((int(name), key) for name, key in names if name.isdecimal())

    def _read(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def _arrivals(self, path: str) -> list[float]:
        import duckdb

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "part.parquet"
            file.write_bytes(self._read(f"{self.prefix}/{path}"))
            sql = "SELECT epoch(arrived_at) FROM read_parquet(?)"
            return [float(row[0]) for row in duckdb.execute(sql, [str(file)]).fetchall()]


@dataclass
class Watch:
    """What the tables of the three streams have got since it was made."""

    logs: list[DeltaLog]
    rows: list[Seen] = field(default_factory=list)

    @property
    def newest(self) -> float:
        """When the newest row that is visible reached its stream."""
        return max((row.arrived for row in self.rows), default=0.0)

    @classmethod
    def of(cls, settings: Settings) -> "Watch":
        """Begin with what comes from now on."""
        client = s3proxy.client(settings)
        prefixes = (f"lake/silver/{settings.user_id}_{table}_table" for table in TABLES)
        watch = cls([DeltaLog(client, settings.bucket, prefix) for prefix in prefixes])
        for log in watch.logs:
            log.skip()
        return watch

    def look(self) -> list[float]:
        """Read what has come; return the latencies of the new rows."""
        new = [row for log in self.logs for row in log.rows()]
        self.rows += new
        return [row.latency for row in new]


def quantile(values: list[float], share: float) -> float:
    """Return the smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main(settings: Settings, rate: float, seconds: float, say: Say = print) -> Watch:
    """Emulate live posts for a time, `rate` rows a second over the three streams; print what arrives."""
    api, watch = AirflowApi(settings.airflow_url), Watch.of(settings)
    api.wait_for_dag(DAG)
    api.unpause(DAG)
    run_id = f"stream__{datetime.now(UTC):%Y%m%dT%H%M%S}"
    run = api.trigger(DAG, run_id, {"rate": rate / len(TABLES), "seconds": seconds})
    say(f"{DAG}: {api.run_link(DAG, run_id)}")
    last = time.monotonic()
    while not run.ended:
        time.sleep(LOOK_SECONDS)
        new, passed, last = watch.look(), time.monotonic() - last, time.monotonic()
        if new:
            say(_line(new, passed, watch))
        run = api.run(DAG, run_id)
    watch.look()
    if run.state != "success":
        raise StackError(runs.failure_text(api, run))
    if watch.rows:
        latencies = [row.latency for row in watch.rows]
        say(f"{len(latencies)} rows have arrived; {_quantiles(latencies)}")
    return watch


def _line(new: list[float], passed: float, watch: Watch) -> str:
    lag = time.time() - watch.newest
    return f"{len(new) / passed:7.0f} rows/s   lag {lag:5.1f} s   {_quantiles(new)}"


def _quantiles(values: list[float]) -> str:
    p50, p95 = quantile(values, 0.5), quantile(values, 0.95)
    return f"sent to visible: p50 {p50:.1f} s, p95 {p95:.1f} s"
