"""Kinesis reached directly: streams, and records put into them."""

import time
from threading import Lock
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from pinflow.errors import PinflowError, StreamDeliveryError, StreamError
from pinflow.hooks.batches import POSTERS, Record, UnavailableError
from pinflow.hooks.stream_writer import answers_of, refusal

CONNECTION = "pinterest_aws"
ACTIVE, CREATING, UPDATING, DELETING = "ACTIVE", "CREATING", "UPDATING", "DELETING"
_CONNECT_SECONDS = 10
_READ_SECONDS = 35
_ACTIVE_SECONDS = 300
_ABSENT = "ResourceNotFoundException"
_THERE = "ResourceInUseException"


def _silent(error: Exception) -> bool:
    """Tell whether nothing answered, so that it may answer later."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError

    return isinstance(error, (HTTPClientError, NoConnection))


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


class KinesisHook(AwsBaseHook):
    """Streams and their records behind `pinterest_aws`; another endpoint stands in its service_config.

    Where the connection is not defined the role of the environment is used, as for the lake.
    """

    def __init__(self, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(aws_conn_id=aws_conn_id, **{**kwargs, "client_type": "kinesis"})
        self._putting: Any = None
        self._making = Lock()  # two posters begin at once

    def where(self) -> str:
        """Name the service for messages."""
        return f"Kinesis {self.putting().meta.endpoint_url}"

    def put_records(self, stream: str, records: list[Record]) -> list[dict[str, Any]]:
        """Put records once, partition key = id; return Kinesis' answer for each, in order.

        Raises UnavailableError, StreamError.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        entries = [{"Data": value, "PartitionKey": str(ind)} for ind, value in records]
        try:
            answer = self.putting().put_records(StreamName=stream, Records=entries)
        except ClientError as error:
            said, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise refusal(self.where(), stream, said["Code"], said["Message"], status) from error
        except BotoCoreError as error:
            if _silent(error):
                raise UnavailableError(f"no answer: {error}") from error
            raise self._out_of_reach(stream, error) from error
        return answers_of(answer, len(records))

    def putting(self) -> Any:
        """Return a client that tries once: what puts records sends them again itself."""
        from botocore.config import Config

        with self._making:
            if self._putting is None:
                once = Config(
                    retries={"total_max_attempts": 1},
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    max_pool_connections=2 * POSTERS,
                )
                self._putting = self.get_client_type(config=self.config.merge(once))
        return self._putting

    def status(self, stream: str) -> str | None:
        """Return a stream's status, None when there is no such stream; raises PinflowError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self.conn.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
        except ClientError as error:
            if error.response["Error"]["Code"] == _ABSENT:
                return None
            raise self._out_of_reach(stream, error) from error
        except BotoCoreError as error:
            raise self._out_of_reach(stream, error) from error
        return str(found["StreamStatus"])

    def create_streams(self, names: list[str], shards: int) -> list[str]:
        """Make the streams that are absent and wait until all are ACTIVE; return the names of those made."""
        from botocore.exceptions import BotoCoreError, ClientError

        made = []
        for name in names:
            if self.status(name) is not None:
                continue
            try:
                self.conn.create_stream(StreamName=name, ShardCount=shards)
                made.append(name)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                    raise self._out_of_reach(name, error) from error
                if error.response["Error"]["Code"] != _THERE:  # else: another run was faster
                    raise StreamError(
                        f"{self.where()} could not make the stream `{name}` of {shards} shards: {error}.",
                        f"grant kinesis:CreateStream to the connection `{CONNECTION}`; check stream_shards "
                        "in the Variable `pinflow` and the account's quota of shards; then clear this task.",
                    ) from error
            except BotoCoreError as error:
                raise self._out_of_reach(name, error) from error
        for name in names:
            self._wait(name)
        return made

    def _wait(self, name: str) -> None:
        ends = time.monotonic() + _ACTIVE_SECONDS
        while (status := self.status(name)) in (CREATING, UPDATING) and time.monotonic() < ends:
            _sleep(1)
        if status == DELETING:
            raise StreamError(
                f"{self.where()} is deleting the stream `{name}`.",
                "wait until it is gone, then clear this task, which makes it again.",
            )
        if status != ACTIVE:
            raise StreamDeliveryError(
                f"{self.where()}: the stream `{name}` is {status or 'gone'} after {_ACTIVE_SECONDS} s.",
                "look at the stream in the console of the service, then clear this task.",
            )

    def _out_of_reach(self, stream: str, error: Exception) -> PinflowError:
        """Return the error for a call that failed: one that may pass, or one of credentials and grants."""
        from botocore.exceptions import ClientError

        passing = _silent(error)
        if isinstance(error, ClientError):
            known = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            passing = isinstance(
                refusal("", stream, known["Code"], known["Message"], status), UnavailableError
            )
        kind = StreamDeliveryError if passing else StreamError
        return kind(
            f"The stream `{stream}` at the connection `{CONNECTION}` is out of reach: {error}.",
            f"check credentials, region and endpoint of the connection `{CONNECTION}` and the grants "
            "kinesis:DescribeStreamSummary, kinesis:CreateStream and kinesis:PutRecords; then clear this "
            "task.",
        )
