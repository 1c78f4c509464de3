"""The lake: one S3 bucket behind the connection `pinterest_aws`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import batched
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from pinflow.errors import LakeError, ObjectGoneError
from pinflow.paths import split_uri
from pinflow.retention import Stored

CONNECTION = "pinterest_aws"
# what one request deletes at most
_BATCH = 1000
_ABSENT = {"NoSuchKey", "404"}


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
            "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject; then clear this task.",
        ) from error


class LakeHook(S3Hook):
    """Whole small objects by URI, and listings that start after a key; raises LakeError."""

    def __init__(self, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(aws_conn_id=aws_conn_id, **kwargs)

    def read(self, uri: str, if_gone: str | None = None) -> bytes:
        """Return an object's bytes; raises ObjectGoneError with the repair `if_gone` when it is absent."""
        from botocore.exceptions import ClientError

        bucket, key = split_uri(uri)
        with reaching(uri):
            try:
                content: bytes = self.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if if_gone is None or error.response["Error"]["Code"] not in _ABSENT:
                    raise
                raise ObjectGoneError(f"{uri} is no longer in the lake.", if_gone) from error
        return content

    def write(self, uri: str, content: bytes, content_type: str = "binary/octet-stream") -> str:
        """Write an object and return its URI; the type is what S3 gives objects by itself."""
        bucket, key = split_uri(uri)
        with reaching(uri):
            self.conn.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)
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

    def stored(self, bucket: str, prefix: str) -> Iterator[Stored]:
        """Yield the objects under a prefix with their age, in the order of their keys, a page at a time."""
        with reaching(f"s3://{bucket}/{prefix}"):
            for page in self.conn.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield Stored(entry["Key"], entry["LastModified"])

    def delete(self, bucket: str, keys: Iterable[str]) -> int:
        """Delete objects, a thousand in a request; return how many."""
        count = 0
        for batch in batched(keys, _BATCH):
            with reaching(f"s3://{bucket}"):
                objects = [{"Key": key} for key in batch]
                answer = self.conn.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            for refused in answer.get("Errors", ()):
                raise LakeError(
                    f"s3://{bucket}/{refused['Key']} cannot be deleted: {refused.get('Message')}.",
                    f"grant s3:DeleteObject to the connection `{CONNECTION}`; then clear this task.",
                )
            count += len(batch)
        return count
