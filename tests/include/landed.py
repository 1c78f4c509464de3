"""Landed objects and manifests on disk, as the producers, the sink and the landing task leave them."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
TOPIC = "12e834567890"


def pin_row(ind: int, **changes: Any) -> Row:
    row = {
        "index": ind,
        "unique_id": f"u{ind}",
        "title": f"title {ind}",
        "description": "words",
        "poster_name": "Poster",
        "follower_count": "12k",
        "tag_list": "a,b",
        "is_image_or_video": "image",
        "image_src": "https://example.org/1.jpg",
        "downloaded": 1,
        "save_location": "Local save in /data/art",
        "category": "art",
    }
    return row | changes


def geo_row(ind: int, **changes: Any) -> Row:
    row = {
        "ind": ind,
        "timestamp": "2022-10-15T01:02:03",
        "latitude": -89.9787,
        "longitude": 0.5,
        "country": "Cuba",
    }
    return row | changes


def user_row(ind: int, **changes: Any) -> Row:
    row = {
        "ind": ind,
        "first_name": "Aaron",
        "last_name": "Abbott",
        "age": 20,
        "date_joined": "2015-10-21T00:00:00",
    }
    return row | changes


ROWS = {"pin": pin_row, "geo": geo_row, "user": user_row}


def wire(row: Row) -> bytes:
    """Write a row as the producer does."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


@dataclass
class Landing:
    """One table of one window: add lines, then take the manifest."""

    folder: Path
    table: str
    start: str
    end: str
    run: str
    lines: dict[int, list[bytes]] = field(default_factory=dict)
    ids: list[Row] = field(default_factory=list)
    posts: list[Row] = field(default_factory=list)
    copied: list[tuple[int, int]] = field(default_factory=list)

    def foreign(self, line: bytes, partition: int = 0) -> int:
        """Append a line nobody acknowledged to us and give its offset."""
        offset = len(self.lines.setdefault(partition, []))
        self.lines[partition].append(line)
        return offset

    def own(self, ind: int, line: bytes | None = None, day: str = "", partition: int = 0) -> int:
        """Append a row of ours and acknowledge it."""
        dated = {"timestamp": f"{day or self.start}T01:02:03"} if self.table == "geo" else {}
        offset = self.foreign(wire(ROWS[self.table](ind, **dated)) if line is None else line, partition)
        self.acknowledge(ind, partition, offset, day)
        return offset

    def acknowledge(self, ind: int, partition: int, offset: int, day: str = "") -> None:
        """Write down an acknowledgement, whether or not the line lands."""
        post_ts = f"{day or self.start}T01:02:03Z"
        self.ids.append({"ind": ind, "post_ts": post_ts, "partition": partition, "offset": offset})
        self.posts.append({"ind": ind, "post_ts": post_ts})

    def orphan(self, ind: int, day: str = "") -> None:
        """Select a post that has no row in this table."""
        self.posts.append({"ind": ind, "post_ts": f"{day or self.start}T01:02:03Z"})

    def copy(self, partition: int, offset: int) -> None:
        """Land one offset a second time, as a sink does that was rewound."""
        self.copied.append((partition, offset))

    def manifest(self, first_offset: int = 40) -> Row:
        """Write objects, id files and the list of keys; offsets start at `first_offset`."""
        keys = []
        for partition, lines in self.lines.items():
            half = (len(lines) + 1) // 2
            keys += [self._object(partition, first_offset, lines[:half])]
            keys += [self._object(partition, first_offset + half, lines[half:])] if lines[half:] else []
        for partition, offset in self.copied:
            keys.append(
                self._object(partition, first_offset + offset, [self.lines[partition][offset]], "copy/")
            )
        base = self.folder / "manifests" / self.table / self.run
        base.mkdir(parents=True, exist_ok=True)
        ids = [row | {"offset": row["offset"] + first_offset} for row in self.ids]
        _write_gz(base / "ids.jsonl.gz", ids)
        _write_gz(base / "posts.jsonl.gz", self.posts)
        (base / "1.keys.txt").write_text("".join(f"file://{key}\n" for key in keys), "utf-8")
        return {
            "table": self.table,
            "topic": f"{TOPIC}.{self.table}",
            "window_start": f"{self.start}T00:00:00Z",
            "window_end": f"{self.end}T00:00:00Z",
            "run": self.run,
            "selected": len(self.posts),
            "count": len(self.ids),
            "posts": f"file://{base / 'posts.jsonl.gz'}",
            "ids": f"file://{base / 'ids.jsonl.gz'}",
            "partitions": {},
            "keys": f"file://{base / '1.keys.txt'}",
        }

    def _object(self, partition: int, start: int, lines: list[bytes], under: str = "") -> Path:
        topic = f"{TOPIC}.{self.table}"
        name = f"{topic}+{partition}+{start:020d}.json"
        path = self.folder / self.run / under / "topics" / topic / f"partition={partition}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path


def write_snapshot(
    folder: Path, posts: dict[int, str], lines: dict[str, list[bytes]], lines_per_part: int = 3
) -> str:
    """Write posts (id and day) and the three tables' lines as a snapshot of the source; give its folder."""
    times = [wire({"ind": ind, "post_ts": f"{day}T01:02:03Z"}) for ind, day in posts.items()]
    for table, rows in {"posts": times, **lines}.items():
        under = folder / table / "partition=0"
        under.mkdir(parents=True)
        for first in range(0, max(len(rows), 1), lines_per_part):
            part = b"".join(row + b"\n" for row in rows[first : first + lines_per_part])
            (under / f"{table}+0+{first:020d}.json.gz").write_bytes(gzip.compress(part))
    return f"file://{folder}"


def _write_gz(path: Path, rows: Sequence[Row]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
