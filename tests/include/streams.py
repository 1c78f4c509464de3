"""The streams of one person and the lake behind them, as the jobs of the speed layer use them."""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from pinspark.contracts import TABLES
from tests.include.conftest import SQL, Lake
from tests.include.kinesis_server import REGION, Kinesis
from tests.include.landed import ROWS, Row, wire

WINDOW = ("2022-10-15T13:00:00Z", "2022-10-15T14:00:00Z")
Place = tuple[str, str]  # shard, sequence number


@dataclass(frozen=True)
class Sent:
    """A record that the stream acknowledged."""

    table: str
    ind: int | None
    data: bytes
    place: Place


@dataclass
class Streams:
    """Three streams, the tables they are read into and the checkpoints in `folder`."""

    spark: SparkSession
    lake: Lake
    kinesis: Kinesis
    run_job: Callable[..., dict[str, Any]]
    folder: Path
    acknowledged: list[Sent] = field(default_factory=list)

    def name(self, table: str) -> str:
        """Name a stream."""
        return f"streaming-{self.lake.user_id}-{table}"

    def rows_of(self, table: str) -> str:
        """Name a stream's table, quoted."""
        return f"{self.lake.silver}.`{self.lake.user_id}_{table}_table`"

    @property
    def quarantine(self) -> str:
        """Name the table of refused records, quoted."""
        return f"{self.lake.silver}.`{self.lake.user_id}_quarantine`"

    @property
    def own(self) -> dict[str, str]:
        """Give the arguments that tell one person's tables from another's."""
        return {"user_id": self.lake.user_id, "silver": self.lake.silver}

    def create(self, shards: int = 1) -> "Streams":
        """Create the three streams."""
        for table in TABLES:
            self.kinesis.create(self.name(table), shards)
        return self

    def send(self, table: str, records: Mapping[int, bytes] | list[tuple[int | None, bytes]]) -> list[Sent]:
        """Send records; the key is the id."""
        pairs = list(records.items() if isinstance(records, Mapping) else records)
        places = self.kinesis.send(self.name(table), [(str(ind), data) for ind, data in pairs])
        sent = [Sent(table, *pair, place) for pair, place in zip(pairs, places, strict=True)]
        self.acknowledged += sent
        return sent

    def send_posts(self, *inds: int) -> list[Sent]:
        """Send good rows of posts to all three streams."""
        return [s for table in TABLES for s in self.send(table, {n: wire(ROWS[table](n)) for n in inds})]

    def ingest(self, **given: str) -> dict[str, Any]:
        """Run the job and give its RESULT and log."""
        options = {"endpoint": self.kinesis.url, "region": REGION} | json.loads(given.pop("options", "{}"))
        root = f"file://{self.folder}/checkpoints"
        return self.run_job("ingest", **self.own, checkpoints=root, options=json.dumps(options), **given)

    def audit(self, sent: list[Sent], run: str, /, **changes: Any) -> dict[str, Any]:
        """Run the audit of one sending."""
        manifests = [self.manifest(table, sent, run) | changes for table in TABLES]
        return self.run_job("audit_stream", manifests, **self.own)

    def manifest(self, table: str, sent: list[Sent], run: str) -> Row:
        """Write the id file of one sending and give its manifest."""
        own = [one for one in sent if one.table == table and one.ind is not None]
        path = self.folder / f"{run}-{table}.jsonl.gz"
        lines = (
            {"ind": s.ind, "post_ts": WINDOW[0], "shard": s.place[0], "sequence": s.place[1]} for s in own
        )
        path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
        start, end = WINDOW
        posts = len({one.ind for one in own})
        counts = {"selected": posts, "count": posts, "ids": f"file://{path}"}
        about = {"table": table, "stream": self.name(table), "run": run}
        return about | {"window_start": start, "window_end": end} | counts

    def checkpoint(self, table: str) -> Path:
        """Give the folder of the checkpoint that the table names."""
        found = self.spark.sql(f"SHOW TBLPROPERTIES {self.rows_of(table)} ('pinflow.checkpoint')").collect()
        return self.folder / "checkpoints" / f"{self.lake.user_id}_{table}_table" / str(found[0].value)

    def places(self, table: str) -> list[Place]:
        """Give shard and sequence number of every row, in order."""
        rows = self.spark.table(self.rows_of(table)).select("shard_id", "sequence_number").collect()
        return sorted((row.shard_id, row.sequence_number) for row in rows)

    def refused(self) -> list[Any]:
        """Give the refused records."""
        return self.spark.table(self.quarantine).collect()

    def posts(self, view: str = "post_wide") -> list[Any]:
        """Give what questions read, by id."""
        return self.spark.table(f"{self.lake.gold}.{view}").orderBy("ind").collect()


# what the setting `serving` says as `lambda`
BOTH = {"served": "post_union", "layer": "layer"}


def person(spark: SparkSession, lake: Lake, user_id: str) -> Lake:
    """Create the speed tables of a person, and views that serve them, in schemas of their own."""
    silver, gold = (f"`{user_id}_{schema}`" for schema in ("silver", "gold"))
    own = replace(lake, user_id=user_id, silver=silver, gold=gold, **BOTH)
    spark.sql(f"CREATE SCHEMA {own.silver}")
    spark.sql(f"CREATE SCHEMA {own.gold}")
    for path in sorted((SQL / "silver").glob("speed_*.sql")):
        spark.sql(own.render(path))
    batch = f"SELECT * FROM {lake.gold}.post_batch WHERE FALSE"
    spark.sql(f"CREATE TABLE {own.gold}.post_batch USING DELTA AS {batch}")
    for view in ("post_speed", "post_union", "post_wide"):
        spark.sql(own.render(SQL / "serving" / f"{view}.sql"))
    return own


def insert(spark: SparkSession, table: str, columns: str, *rows: str) -> None:
    """Write rows into a table, each as the text of its values."""
    if rows:
        spark.sql(f"INSERT INTO {table} ({columns}) VALUES {', '.join(f'({row})' for row in rows)}")
