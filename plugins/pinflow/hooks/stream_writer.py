"""Records written to a Kinesis stream, through the API or straight: what was refused goes again alone."""

from collections.abc import Callable
from typing import Any, Protocol

from pinflow.errors import PinflowError, StreamDeliveryError, StreamError
from pinflow.hooks.batches import TRIES, BatchWriter, Record, UnavailableError
from pinflow.manifest import StreamPlace

# PutRecords takes 500 records, 5 MB in all (their keys too) and 1 MiB a record
RECORDS_PER_REQUEST = 500
BYTES_PER_REQUEST = 4_000_000
BYTES_PER_RECORD = 1024 * 1024
_PASSING = {
    "InternalFailure",
    "InternalFailureException",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}
_ABSENT = "ResourceNotFoundException"
_DENIED = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}


class PutsRecords(Protocol):
    """A way to a stream."""

    def put_records(self, stream: str, records: list[Record]) -> list[dict[str, Any]]:
        """Put records once, partition key = id; return an answer for each, in order."""

    def where(self) -> str:
        """Name the service for messages."""


def refusal(where: str, stream: str, kind: str, said: str, status: int) -> Exception:
    """Return the error for a whole request that Kinesis refused: one that passes, or one with its repair."""
    code = kind.rpartition("#")[2]
    if code in _PASSING or status >= 500:
        return UnavailableError(f"{code}: {said}")
    what = f"{where} refused records for the stream `{stream}`: {code}: {said}."
    if code == _ABSENT:
        return StreamError(
            what, "run the DAG pinterest_setup, which makes the streams, then clear this task."
        )
    if code in _DENIED:
        return StreamError(
            what,
            "correct the credentials and the region of the connection `pinterest_aws` (behind the API: of "
            f"its role) and grant kinesis:PutRecords on the stream `{stream}`; then clear this task.",
        )
    return StreamError(
        what,
        "check that stream and API are as infra and include/api/gateway.yaml describe them, and that "
        "max_row_bytes in the Variable `pinflow` is below 1 MiB; then clear this task.",
    )


def answers_of(answer: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return the records' answers in a PutRecords answer; raises UnavailableError for any other."""
    answers = answer.get("Records")
    if not isinstance(answers, list) or len(answers) != count:
        raise UnavailableError(f"{count} records sent, the answer is {str(answer)[:200]}")
    return answers


class StreamWriter(BatchWriter[StreamPlace]):
    """Writes to a stream with partition key = id, so that an id's rows keep their order in one shard."""

    records_per_batch = RECORDS_PER_REQUEST
    bytes_per_batch = BYTES_PER_REQUEST

    def __init__(self, hook: PutsRecords, stream: str, acknowledged: Callable[[StreamPlace], object]) -> None:
        super().__init__(acknowledged)
        self.hook = hook
        self.stream = stream

    def send(self, ind: int, value: bytes) -> None:
        """Add one record; raises StreamDeliveryError for one larger than any stream takes."""
        size = len(value) + len(str(ind))
        if size > BYTES_PER_RECORD:
            raise StreamDeliveryError(
                f"Row {ind} of {size} bytes is larger than a stream takes ({BYTES_PER_RECORD}).",
                "lower max_row_bytes in the Variable `pinflow`, which sends such rows to quarantine; then "
                "clear this task.",
            )
        super().send(ind, value)

    def post(self, records: list[Record]) -> tuple[list[StreamPlace], list[Record], str]:
        """Put once; return where records were placed, those that were not, and what one's answer was."""
        placed, again, why = list[StreamPlace](), list[Record](), ""
        for record, answer in zip(records, self.hook.put_records(self.stream, records), strict=True):
            if answer.get("SequenceNumber") and not answer.get("ErrorCode"):
                placed.append((record[0], answer["ShardId"], answer["SequenceNumber"]))
            else:
                again.append(record)
                why = str(answer)
        return placed, again, why

    def given_up(self, left: int, count: int, last: UnavailableError) -> PinflowError:
        """Return the error for records that no shard acknowledged."""
        return StreamDeliveryError(
            f"{left} of {count} records for the stream `{self.stream}` were not acknowledged by "
            f"{self.hook.where()} in {TRIES} tries without progress: {last}.",
            "check that API and Kinesis are up, and for a shard at its limit that nobody else fills it, or "
            "give the stream more shards; the next try sends the rows again and doubles are dropped by id.",
        )
