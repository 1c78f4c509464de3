"""The lake: one S3 bucket behind the connection `pinterest_aws`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from pinflow.errors import LakeError
from pinflow.paths import split_uri

CONNECTION = "pinterest_aws"


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Raise LakeError for what the S3 client raises."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError) as error:
        raise LakeError(
            f"{what} is out of reach: {error}.",
            f"check the connection `{CONNECTION}`, the bucket (pinterest_setup makes it) and the grants "
            "s3:ListBucket, s3:GetObject and s3:PutObject; then clear this task.",
        ) from error


class LakeHook(S3Hook):
    """Whole small objects by URI, and listings that start after a key; raises LakeError."""

    def __init__(self, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(aws_conn_id=aws_conn_id, **kwargs)

    def read(self, uri: str) -> bytes:
        """Return an object's bytes."""
        bucket, key = split_uri(uri)
        with reaching(uri):
            content: bytes = self.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def write(self, uri: str, content: bytes) -> str:
        """Write an object and return its URI."""
        bucket, key = split_uri(uri)
        with reaching(uri):
            self.conn.put_object(Bucket=bucket, Key=key, Body=content)
        return uri

    def exists(self, uri: str) -> bool:
        """Tell whether an object exists."""
        bucket, key = split_uri(uri)
        with reaching(uri):
            return self.head_object(key, bucket) is not None

    def keys_after(self, bucket: str, prefix: str, start_after: str) -> Iterator[str]:
        """Yield keys under a prefix behind `start_after`, in order, a page at a time."""
        with reaching(f"s3://{bucket}/{prefix}"):
            pages = self.conn.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, StartAfter=start_after
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"]
