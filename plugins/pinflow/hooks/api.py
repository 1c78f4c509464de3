"""Kafka and Kinesis reached through API Gateway, in batches whose records are answered singly."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from pinflow.errors import ApiError, KafkaDeliveryError, KafkaTopicError, PinflowError
from pinflow.hooks.batches import POSTERS, TRIES, BatchWriter, Record, UnavailableError
from pinflow.hooks.connection import DefinedConnection
from pinflow.hooks.stream_writer import answers_of, refusal
from pinflow.manifest import Place

if TYPE_CHECKING:
    from requests import Response

__all__ = [
    "BYTES_PER_BATCH", "POSTERS", "RECORDS_PER_BATCH", "ApiHook", "ApiWriter", "Record", "UnavailableError",
]  # fmt: skip

CONNECTION = "pinterest_api"
CONTENT_TYPE = "application/vnd.kafka.json.v2+json"
# API Gateway takes 10 MB and waits 29 s for the proxy.
RECORDS_PER_BATCH = 500
BYTES_PER_BATCH = 4_000_000
_CONNECT_SECONDS = 10
_READ_SECONDS = 35
# today's proxies put 50003 there, whatever their documentation says; None: written, its place unknown
_RETRIABLE_RECORD = (2, 50003, None)
_NO_TOPIC = 40401
_BUSY = 429

_TEXT = json.JSONEncoder(ensure_ascii=False).encode


class ApiHook(DefinedConnection, BaseHook):
    """The REST API behind `pinterest_api`: host = invoke URL with its stage, password = API key."""

    def __init__(self, api_conn_id: str = CONNECTION) -> None:
        from requests import Session

        super().__init__()
        self.api_conn_id = api_conn_id
        conn = self.get_connection(api_conn_id)
        self.url = _url(conn)
        self.session = Session()
        self.session.headers.update({"x-api-key": conn.password or "", "Content-Type": CONTENT_TYPE})

    def where(self) -> str:
        """Name the API for messages."""
        return self.url

    def produce(self, topic: str, records: list[Record]) -> list[dict[str, Any]]:
        """Post records to a topic once; return an offset or an error for each, in order.

        Raises UnavailableError, KafkaTopicError, ApiError.
        """
        body = b",".join(b'{"key":%d,"value":%s}' % record for record in records)
        response = self._call("POST", f"topics/{topic}", b'{"records":[' + body + b"]}", CONTENT_TYPE)
        if not response.ok:
            raise self._refused(response, topic, len(body))
        offsets = _json(response).get("offsets")
        if not isinstance(offsets, list) or len(offsets) != len(records):
            raise UnavailableError(f"{len(records)} records sent, the answer is {response.text[:200]!r}")
        return offsets

    def put_records(self, stream: str, records: list[Record]) -> list[dict[str, Any]]:
        """Put records into a stream once, partition key = id; return Kinesis' answer for each, in order.

        Raises UnavailableError, StreamError, ApiError.
        """
        body = b",".join(
            b'{"data":%s,"partition-key":"%d"}' % (_TEXT(value.decode()).encode(), ind)
            for ind, value in records
        )
        response = self._call(
            "PUT", f"streams/{stream}/records", b'{"records":[' + body + b"]}", "application/json"
        )
        answer = _json(response)
        if response.ok:
            return answers_of(answer, len(records))
        # Kinesis' own refusal, handed on; 5xx with a type is Kinesis too and passes
        if kind := str(answer.get("__type") or ""):
            raise refusal(self.url, stream, kind, str(answer.get("message")), response.status_code)
        raise self._refused(response, stream, len(body))

    def _call(self, method: str, path: str, body: bytes, content_type: str) -> "Response":
        """Send a request once; raises UnavailableError or ApiError when there is no answer at all."""
        import requests

        try:
            return self.session.request(
                method,
                f"{self.url}/{path}",
                data=body,
                headers={"Content-Type": content_type},
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            )
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            raise UnavailableError(f"no answer: {error}") from error
        except requests.RequestException as error:
            raise ApiError(
                f"Nothing can be sent to {self.url}: {type(error).__name__}.",  # its text may hold the key
                f"correct host (invoke URL) and password (API key) of the connection `{self.api_conn_id}`.",
                0,
            ) from error

    def _refused(self, response: "Response", target: str, size: int) -> Exception:
        """Return the error for an answer that is no 200."""
        status, answer = response.status_code, _json(response)
        said = f"{status} {answer.get('message') or response.text[:200]}"
        if status == _BUSY or status >= 500:
            return UnavailableError(said, _retry_after(response))
        if answer.get("error_code") == _NO_TOPIC:
            return KafkaTopicError(
                f"The REST proxy behind {self.url} has no usable topic `{target}`: {said}.",
                "run the DAG pinterest_setup, which makes the topics, then clear this task.",
            )
        repairs = {
            403: f"check invoke URL (with its stage) and API key of the connection `{self.api_conn_id}`.",
            404: f"check the invoke URL (with its stage) of the connection `{self.api_conn_id}`.",
            413: "lower max_row_bytes in the Variable `pinflow`: API Gateway takes 10 MB.",
        }
        return ApiError(
            f"{self.url} refused {size} bytes for `{target}`: {said}.",
            repairs.get(status, "deploy the API as include/api/gateway.yaml describes it."),
            status,
        )


def _url(conn: Any) -> str:
    """Return the invoke URL: the host as it stands when it names a scheme, else made of the fields."""
    host = (conn.host or "").rstrip("/")
    if "://" in host:
        return str(host)
    scheme = conn.schema if conn.schema in ("http", "https") else "https"
    return f"{scheme}://{host}" + (f":{conn.port}" if conn.port else "")


def _json(response: "Response") -> dict[str, Any]:
    try:
        answer = json.loads(response.content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _retry_after(response: "Response") -> float:
    """Return the seconds a Retry-After header asks for, given as a number or as a date."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    try:
        return float(Retry().parse_retry_after(response.headers.get("Retry-After", "0")))
    except InvalidHeader:
        return 0.0


class ApiWriter(BatchWriter[Place]):
    """Writes to a topic through the API."""

    records_per_batch = RECORDS_PER_BATCH
    bytes_per_batch = BYTES_PER_BATCH

    def __init__(self, hook: ApiHook, topic: str, acknowledged: Callable[[Place], object]) -> None:
        super().__init__(acknowledged)
        self.hook = hook
        self.topic = topic

    def post(self, records: list[Record]) -> tuple[list[Place], list[Record], str]:
        """Post once; return where records were placed, those to send again, and what one's answer was."""
        placed, again, why = list[Place](), list[Record](), ""
        for record, answer in zip(records, self.hook.produce(self.topic, records), strict=True):
            if not answer.get("error_code") and answer.get("offset") is not None:
                placed.append((record[0], answer["partition"], answer["offset"]))
            elif answer.get("error_code") in _RETRIABLE_RECORD:
                again.append(record)
                why = str(answer)
            else:
                raise KafkaDeliveryError(
                    f"Row {record[0]} of {len(record[1])} bytes was refused by `{self.topic}`: {answer}.",
                    "for a row over the limit lower max_row_bytes in the Variable `pinflow`, which sends it "
                    "to quarantine, or raise max.message.bytes of the topic and the proxy's "
                    "max.request.size; then clear this task.",
                )
        return placed, again, why

    def given_up(self, left: int, count: int, last: UnavailableError) -> PinflowError:
        """Return the error for records that the proxy did not acknowledge."""
        return KafkaDeliveryError(
            f"{left} of {count} records for `{self.topic}` were not acknowledged by {self.hook.url} in "
            f"{TRIES} tries without progress: {last}.",
            "check that API, REST proxy and brokers are up; the next try sends the window again and "
            "doubles are dropped by id.",
        )
