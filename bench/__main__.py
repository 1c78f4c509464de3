"""`make bench`: the direct producer beside a bare one, on an own Kafka; JSON goes to build/bench.json."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from confluent_kafka.admin import NewTopic

from devstack import supervise
from devstack.config import REPO, Settings
from devstack.source.generate import Generator, Plan

sys.path.insert(0, str(REPO / "plugins"))
from pinflow.hooks.kafka import AcknowledgedWriter, KafkaHook
from pinflow.operators.mysql_to_kafka import wire

ROWS = 100_000
COLUMNS = (
    "index", "unique_id", "title", "description", "poster_name", "follower_count", "tag_list",
    "is_image_or_video", "image_src", "downloaded", "save_location", "category",
)  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Generate pins as the source returns them."""
    plan = Plan(posts=ROWS, first=date(2022, 1, 1), last=date(2022, 12, 31))
    return [dict(zip(COLUMNS, row, strict=True)) for chunk in Generator(plan).chunks() for row in chunk.pins]


class Hook(KafkaHook):
    """The operator's own producer, on the bench's Kafka."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.servers = f"127.0.0.1:{settings.kafka_port}"

    def config(self) -> dict[str, Any]:
        """Return settings without a connection of Airflow."""
        return {"bootstrap.servers": self.servers}


def bare(hook: Hook, ready: list[tuple[bytes, bytes]]) -> int:
    """Send ready-made records and count acknowledgements."""
    client, seen = hook.producer(), []
    for key, value in ready:
        while True:
            try:
                client.produce("bench", value, key, on_delivery=lambda error, _: seen.append(error))
                break
            except BufferError:
                client.poll(0.5)
        client.poll(0)
    client.flush()
    return seen.count(None)


def ours(hook: Hook, found: list[dict[str, Any]]) -> int:
    """Send rows as the operator does: to JSON, keyed, each acknowledgement kept."""
    seen: dict[int, tuple[int, int]] = {}

    def keep(ind: int, partition: int, offset: int) -> None:
        seen[ind] = (partition, offset)

    writer = AcknowledgedWriter(hook.producer(), "bench", keep)
    for row in found:
        writer.send(row["index"], wire(row))
    writer.finish()
    return len(seen)


def rate(work: Callable[[], int]) -> float:
    """Run a piece of work and return acknowledged rows per second."""
    begun = time.perf_counter()
    done = work()
    if done != ROWS:
        raise SystemExit(f"bench: {done} of {ROWS} rows were acknowledged. Repair: look at the broker's log.")
    return done / (time.perf_counter() - begun)


def main() -> None:
    """Measure each side three times in turn and print the ratio of the medians."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(state_dir=Path(folder) / "state", port_offset=700)
        hook = Hook(settings)
        try:
            supervise.up(settings, ["kafka"])
            for future in hook.admin().create_topics([NewTopic("bench", num_partitions=3)]).values():
                future.result(30)
            found = rows()
            ready = [(str(row["index"]).encode(), wire(row)) for row in found]
            pairs = [(rate(lambda: ours(hook, found)), rate(lambda: bare(hook, ready))) for _ in range(3)]
        finally:
            supervise.reset(settings)
    mine, other = (sorted(side)[1] for side in zip(*pairs, strict=True))
    result = {"rows": ROWS, "direct": round(mine), "bare": round(other), "ratio": round(mine / other, 2)}
    print(f"direct producer {mine:,.0f} rows/s, bare producer {other:,.0f} rows/s, ratio {mine / other:.2f}")
    target = REPO / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
