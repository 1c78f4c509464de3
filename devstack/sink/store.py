"""The bucket as the sink sees it: objects named by topic, partition and start offset."""

import re
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from devstack.sink.properties import SinkConfig


class StoreError(Exception):
    """The bucket did not take or give an object; nothing is lost, the same call may be made again."""


class HeldError(Exception):
    """The bucket holds an object of this name already."""


class Store:
    """Puts, reads and lists the sink's objects; every S3 failure becomes a StoreError."""

    def __init__(self, config: SinkConfig) -> None:
        self.config = config
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=config.endpoint,
            region_name=config.region,
            aws_access_key_id=config.access_key,
            aws_secret_access_key=config.secret_key,
            config=botocore.config.Config(
                s3={"addressing_style": "path" if config.endpoint else "auto"},
                connect_timeout=2,
                read_timeout=10,
                retries={"mode": "standard", "max_attempts": 3},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def check(self) -> None:
        """Raise StoreError unless the bucket answers."""
        self._call("head_bucket")

    def put(self, key: str, body: bytes, *, replace: bool) -> None:
        """Write an object; without `replace` raise HeldError when one of this name exists."""
        guard = {} if replace else {"IfNoneMatch": "*"}
        self._call("put_object", Key=key, Body=body, ContentType="application/x-ndjson", **guard)

    def read(self, key: str) -> bytes:
        """Return an object's bytes, its last line ended."""
        answer = self._call("get_object", Key=key)
        try:
            body: bytes = answer["Body"].read()
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise StoreError(f"reading {key}: {error}") from error
        return body if body.endswith(b"\n") or not body else body + b"\n"

    def starts(self, topic: str, partition: int, after: int) -> Iterator[int]:
        """Yield the start offsets above `after` of a partition's objects, in order."""
        pattern = re.compile(self.config.key_pattern(topic, partition))
        key = self.config.key(topic, partition, max(after, 0)) if after >= 0 else ""
        prefix = self.config.key_prefix(topic, partition)
        while True:
            page = self._call("list_objects_v2", Prefix=prefix, StartAfter=key)
            for item in page.get("Contents", []):
                key = item["Key"]
                if found := pattern.fullmatch(key):
                    yield int(found[1])
            if not page.get("IsTruncated"):
                return

    def _call(self, method: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, method)(Bucket=self.config.bucket, **arguments)
        except botocore.exceptions.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"PreconditionFailed", "412", "ConditionalRequestConflict"}:
                raise HeldError(str(arguments.get("Key"))) from error
            raise StoreError(f"{method} {arguments.get('Key', '')}: {error}") from error
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise StoreError(f"{method} {arguments.get('Key', '')}: {error}") from error
