"""The local Kinesis endpoint in a process of its own, and a client that fills its streams; needs no Spark."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.include.connect_server import free_port

REPO = Path(__file__).resolve().parents[2]
# its packages are in the other environment
PYTHON = Path(sys.prefix).parent / "airflow" / "bin" / "python"
REGION = "us-east-1"
# of the reader too, which runs in the Spark server's own processes
AWS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
AT_ONCE = 500


def shard_id(number: int) -> str:
    """Name a shard by its number in the stream."""
    return f"shardId-{number:012}"


@dataclass(frozen=True)
class Kinesis:
    """A running endpoint."""

    url: str
    client: Any

    def create(self, name: str, shards: int = 1) -> str:
        """Create a stream and give its name."""
        self.client.create_stream(StreamName=name, ShardCount=shards)
        return name

    def put(self, stream: str, *data: bytes, key: str = "k") -> list[str]:
        """Put records with one key and give their sequence numbers."""
        return [sequence for _, sequence in self.send(stream, [(key, each) for each in data])]

    def send(self, stream: str, records: list[tuple[str, bytes]]) -> list[tuple[str, str]]:
        """Put records, key and data each, until all are acknowledged; give shard and sequence number of each."""
        places: list[tuple[str, str]] = []
        for first in range(0, len(records), AT_ONCE):
            entries = [{"PartitionKey": key, "Data": data} for key, data in records[first : first + AT_ONCE]]
            answer = self.client.put_records(StreamName=stream, Records=entries)
            assert not answer["FailedRecordCount"], "slower: a shard takes 1000 records a second"
            places += [(said["ShardId"], said["SequenceNumber"]) for said in answer["Records"]]
        return places

    def split(self, stream: str, shard: int) -> None:
        """Split a shard in the middle of its keys."""
        (found,) = [one for one in self.shards(stream) if one["ShardId"] == shard_id(shard)]
        low, high = (int(found["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        middle = str((low + high) // 2)
        self.client.split_shard(
            StreamName=stream, ShardToSplit=shard_id(shard), NewStartingHashKey=middle
        )  # fmt: skip

    def merge(self, stream: str, one: int, other: int) -> None:
        """Merge two shards."""
        self.client.merge_shards(
            StreamName=stream, ShardToMerge=shard_id(one), AdjacentShardToMerge=shard_id(other)
        )

    def shards(self, stream: str) -> list[dict[str, Any]]:
        """List the shards of a stream."""
        found: list[dict[str, Any]] = self.client.list_shards(StreamName=stream)["Shards"]
        return found


@contextmanager
def kinesis_endpoint(folder: Path, seconds: float = 60) -> Iterator[Kinesis]:
    """Run the endpoint over a store in `folder`; it is stopped on leaving."""
    import boto3

    if not PYTHON.exists():
        raise FileNotFoundError(f"No {PYTHON}, which has the endpoint's packages. Repair: `make setup`.")
    port = free_port()
    env = os.environ | {"DEVSTACK_STATE_DIR": str(folder), "DEVSTACK_KINESIS_PORT": str(port)}
    with (folder / "kinesis.log").open("wb") as log:
        command = [str(PYTHON), "-m", "devstack.kinesis"]
        server = subprocess.Popen(command, cwd=REPO, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(server, port, folder / "kinesis.log", time.monotonic() + seconds)
        url = f"http://127.0.0.1:{port}"
        given = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        yield Kinesis(url, boto3.client("kinesis", endpoint_url=url, region_name=REGION, **given))
    finally:
        server.kill()
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path, deadline: float) -> None:
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"The Kinesis endpoint did not start; its log ends: {log.read_text()[-2000:]}")
