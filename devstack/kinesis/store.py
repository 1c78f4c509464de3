"""Streams, shards and records in SQLite, so that they survive the endpoint."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.kinesis.model import Shard, Stream

# a record's place is its shard's key and its index: appends go to the shard's end, and no index is needed
INDEX_BITS = 43
# keys are never given twice, so that a place, a token or an epoch of a deleted stream fits no later one
SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (
  stream INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
  mode TEXT NOT NULL, state TEXT NOT NULL, until INTEGER NOT NULL, retention_hours INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS shards (
  shard INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, number INTEGER NOT NULL,
  epoch INTEGER NOT NULL, first_hash TEXT NOT NULL, last_hash TEXT NOT NULL, opened INTEGER NOT NULL,
  parent INTEGER, adjacent_parent INTEGER, closed INTEGER, next_index INTEGER NOT NULL DEFAULT 1,
  arrival INTEGER NOT NULL DEFAULT 0, UNIQUE (stream, number));
CREATE TABLE IF NOT EXISTS records (
  place INTEGER PRIMARY KEY, arrival INTEGER NOT NULL, partition_key TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS epochs (last INTEGER NOT NULL);
INSERT INTO epochs SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM epochs);
"""
Row = tuple[int, int, str, bytes]


def place(shard: int, index: int) -> int:
    """Return where a record is kept."""
    return shard << INDEX_BITS | index


class Store:
    """The endpoint's memory; used from one thread of one process, which alone may open the file.

    What was committed outlives the process however it ends; a power cut may take the last moments.
    """

    def __init__(self, file: Path) -> None:
        self.db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.db.executescript(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        )
        self.db.executescript(SCHEMA)

    def close(self) -> None:
        """Give the file free."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            # a full disk may have ended it already
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def streams(self) -> list[Stream]:
        """Return all streams as they were left."""
        found = self.db.execute(
            "SELECT stream, name, created, mode, state, until, retention_hours FROM streams"
        )
        return [
            Stream(key, name, created, mode, state, until, self._shards(key), hours)
            for key, name, created, mode, state, until, hours in found.fetchall()
        ]

    def _shards(self, stream: int) -> list[Shard]:
        found = self.db.execute(
            "SELECT shard, number, epoch, first_hash, last_hash, opened, parent, adjacent_parent, closed, "
            "next_index, arrival FROM shards WHERE stream = ? ORDER BY number",
            (stream,),
        )
        shards = []
        for row in found.fetchall():
            key, number, epoch, low, high, opened, parent, adjacent, closed, end, arrival = row
            shard = Shard(key, number, epoch, int(low), int(high), opened, parent, adjacent, closed)
            shard.first, shard.next_index, shard.arrival = self._first(key) or end, end, arrival
            shards.append(shard)
        return shards

    def _first(self, shard: int) -> int | None:
        bounds = place(shard, 0), place(shard + 1, 0)
        found = self.db.execute("SELECT min(place) FROM records WHERE place >= ? AND place < ?", bounds)
        lowest = found.fetchone()[0]
        return None if lowest is None else lowest - bounds[0]

    def epoch(self, now: int) -> int:
        """Return the next epoch: the clock's second, or one more than the last; part of a transaction."""
        self.db.execute("UPDATE epochs SET last = max(last + 1, ?)", (now // 1000,))
        return int(self.db.execute("SELECT last FROM epochs").fetchone()[0])

    def add_stream(self, stream: Stream) -> None:
        """Keep a new stream with its shards and give them their keys; part of a transaction."""
        cursor = self.db.execute(
            "INSERT INTO streams (name, created, mode, state, until, retention_hours) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (stream.name, stream.created, stream.mode, stream.state, stream.until, stream.retention_hours),
        )
        stream.key = int(cursor.lastrowid or 0)
        for shard in stream.shards:
            self.add_shard(stream.key, shard)

    def add_shard(self, stream: int, shard: Shard) -> None:
        """Keep a new shard and give it its key; part of a transaction."""
        cursor = self.db.execute(
            "INSERT INTO shards (stream, number, epoch, first_hash, last_hash, opened, parent, "
            "adjacent_parent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(stream, shard.number, shard.epoch, str(shard.first_hash), str(shard.last_hash)),
                *(shard.opened, shard.parent, shard.adjacent_parent),
            ),
        )
        shard.key = int(cursor.lastrowid or 0)

    def close_shard(self, shard: int, now: int) -> None:
        """Keep that a shard takes no more records; part of a transaction."""
        self.db.execute("UPDATE shards SET closed = ? WHERE shard = ?", (now, shard))

    def set_state(self, stream: int, state: str, until: int) -> None:
        """Keep a stream's state."""
        self.db.execute("UPDATE streams SET state = ?, until = ? WHERE stream = ?", (state, until, stream))

    def set_retention(self, stream: int, hours: int) -> None:
        """Keep how long a stream's records stay."""
        self.db.execute("UPDATE streams SET retention_hours = ? WHERE stream = ?", (hours, stream))

    def delete_stream(self, stream: int) -> None:
        """Forget a stream; its shards and records are left to `leftovers`."""
        self.db.execute("DELETE FROM streams WHERE stream = ?", (stream,))

    def append(self, rows: list[Row], ends: Iterable[tuple[int, int, int]]) -> None:
        """Keep records (place, arrival, key, data) and each shard's end (next index, arrival, shard)."""
        with self.transaction():
            self.db.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", rows)
            self.db.executemany("UPDATE shards SET next_index = ?, arrival = ? WHERE shard = ?", ends)

    def records(self, shard: int, start: int, end: int) -> Iterator[Row]:
        """Yield the records (index, arrival, key, data) of the indices `start` to `end - 1`, one by one."""
        base = place(shard, 0)
        found = self.db.execute(
            "SELECT place, arrival, partition_key, data FROM records WHERE place >= ? AND place < ? "
            "ORDER BY place",
            (base + start, base + end),
        )
        for where, arrival, key, data in found:
            yield where - base, arrival, key, data

    def arrival(self, shard: int, index: int) -> int:
        """Return when a record that is kept came."""
        found = self.db.execute("SELECT arrival FROM records WHERE place = ?", (place(shard, index),))
        return int(found.fetchone()[0])

    def delete_records(self, shard: int, start: int, end: int) -> None:
        """Forget the records of the indices `start` to `end - 1`."""
        self.db.execute(
            "DELETE FROM records WHERE place >= ? AND place < ?", (place(shard, start), place(shard, end))
        )

    def delete_shard(self, shard: int) -> None:
        """Forget a shard that holds no record."""
        self.db.execute("DELETE FROM shards WHERE shard = ?", (shard,))

    def leftovers(self) -> list[tuple[int, int, int]]:
        """Return the shards of deleted streams: key, first and next index."""
        sql = "SELECT shard, next_index FROM shards WHERE stream NOT IN (SELECT stream FROM streams)"
        found = self.db.execute(sql).fetchall()
        return [(key, self._first(key) or next_index, next_index) for key, next_index in found]
