"""The lake: one S3 bucket behind the connection `pinterest_aws`."""

from collections.abc import Iterator
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from pinflow.paths import split_uri

CONNECTION = "pinterest_aws"


class LakeHook(S3Hook):
    """Whole small objects by URI, and listings that start after a key."""

    def __init__(self, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(aws_conn_id=aws_conn_id, **kwargs)

    def read(self, uri: str) -> bytes:
        """Return an object's bytes."""
        bucket, key = split_uri(uri)
        content: bytes = self.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def write(self, uri: str, content: bytes) -> str:
        """Write an object and return its URI."""
        bucket, key = split_uri(uri)
        self.conn.put_object(Bucket=bucket, Key=key, Body=content)
        return uri

    def exists(self, uri: str) -> bool:
        """Tell whether an object exists."""
        bucket, key = split_uri(uri)
        return self.head_object(key, bucket) is not None

    def keys_after(self, bucket: str, prefix: str, start_after: str) -> Iterator[str]:
        """Yield keys under a prefix behind `start_after`, in order, a page at a time."""
        pages = self.conn.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, StartAfter=start_after
        )
        for page in pages:
            for entry in page.get("Contents", ()):
                yield entry["Key"]
