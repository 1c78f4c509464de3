"""Kafka reached through API Gateway and a REST proxy (v2), in batches whose records are answered singly."""

import json
import random
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook
from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_when_event_set,
)

from pinflow.errors import ApiError, KafkaDeliveryError, KafkaTopicError
from pinflow.hooks.connection import DefinedConnection
from pinflow.manifest import Place

if TYPE_CHECKING:
    from requests import Response

CONNECTION = "pinterest_api"
CONTENT_TYPE = "application/vnd.kafka.json.v2+json"
# API Gateway takes 10 MB and waits 29 s for the proxy.
RECORDS_PER_BATCH = 500
BYTES_PER_BATCH = 4_000_000
_CONNECT_SECONDS = 10
_READ_SECONDS = 35
_TRIES = 6
_LONGEST_PAUSE = 300.0
# today's proxies put 50003 there, whatever their documentation says; None: written, its place unknown
_RETRIABLE_RECORD = (2, 50003, None)
_NO_TOPIC = 40401
_TOO_LARGE = 413
_BUSY = 429

POSTERS = 2

Record = tuple[int, bytes]  # id and value


class UnavailableError(Exception):
    """The API is busy, down or silent for now; `pause` is what it asked for, in seconds."""

    def __init__(self, what: str, pause: float = 0.0) -> None:
        super().__init__(what)
        self.pause = pause


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

    def produce(self, topic: str, records: list[Record]) -> list[dict[str, Any]]:
        """Post records once; return an offset or an error for each, in order.

        Raises UnavailableError, KafkaTopicError, ApiError.
        """
        import requests

        body = b",".join(b'{"key":%d,"value":%s}' % record for record in records)
        try:
            response = self.session.post(
                f"{self.url}/topics/{topic}",
                data=b'{"records":[' + body + b"]}",
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
        if not response.ok:
            raise self._refused(response, topic, len(body))
        offsets = _json(response).get("offsets")
        if not isinstance(offsets, list) or len(offsets) != len(records):
            raise UnavailableError(f"{len(records)} records sent, the answer is {response.text[:200]!r}")
        return offsets

    def _refused(self, response: "Response", topic: str, size: int) -> Exception:
        """Return the error for an answer that is no 200."""
        status, answer = response.status_code, _json(response)
        said = f"{status} {answer.get('message') or response.text[:200]}"
        if status == _BUSY or status >= 500:
            return UnavailableError(said, _retry_after(response))
        if answer.get("error_code") == _NO_TOPIC:
            return KafkaTopicError(
                f"The REST proxy behind {self.url} has no usable topic `{topic}`: {said}.",
                "run the DAG pinterest_setup, which makes the topics, then clear this task.",
            )
        repairs = {
            403: f"check invoke URL (with its stage) and API key of the connection `{self.api_conn_id}`.",
            404: f"check the invoke URL (with its stage) of the connection `{self.api_conn_id}`.",
            413: "lower max_row_bytes in the Variable `pinflow`: API Gateway takes 10 MB.",
        }
        return ApiError(
            f"{self.url} refused {size} bytes for `{topic}`: {said}.",
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


def pause(state: RetryCallState) -> float:
    """Return how long to wait: what was asked for, and a time with jitter that doubles each try."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.pause if isinstance(error, UnavailableError) else 0.0
    most = 0.5 * 2**state.attempt_number
    return min(_LONGEST_PAUSE, asked) + random.uniform(most / 2, most)  # noqa: S311 - jitter


def _sleep(closed: Event, seconds: float) -> None:
    closed.wait(seconds)


class ApiWriter:
    """Sends keyed values in batches and reports the place of each one acknowledged.

    Batches are posted beside the caller, who reads on; acknowledgements are reported in its thread.
    """

    def __init__(self, hook: ApiHook, topic: str, acknowledged: Callable[[Place], object]) -> None:
        self.hook = hook
        self.topic = topic
        self.acknowledged = acknowledged
        self.batch: list[Record] = []
        self.size = 0
        self.posters = ThreadPoolExecutor(POSTERS)
        self.under_way: deque[Future[list[Place]]] = deque()
        self.unsettled: set[int] = set()
        self.closed = Event()

    def send(self, ind: int, value: bytes) -> None:
        """Add one record with key = ind; posts when a batch is full."""
        if self.batch and (len(self.batch) >= RECORDS_PER_BATCH or self.size + len(value) > BYTES_PER_BATCH):
            self._post_batch()
        if ind in self.unsettled:  # the later row of a doubled id must come to stand behind the earlier one
            self.finish()
        self.unsettled.add(ind)
        self.batch.append((ind, value))
        self.size += len(value)

    def finish(self) -> None:
        """Post what is left and wait; raises KafkaDeliveryError, KafkaTopicError or ApiError."""
        self._post_batch()
        self._settle(0)

    def close(self) -> None:
        """Stop posting what is left, and do not wait for it."""
        self.closed.set()
        self.posters.shutdown(wait=False, cancel_futures=True)

    def _post_batch(self) -> None:
        records, self.batch, self.size = self.batch, [], 0
        if records:
            self.under_way.append(self.posters.submit(self._deliver, records))
            self._settle(2 * POSTERS)

    def _settle(self, most: int) -> None:
        """Report finished batches until at most so many are under way."""
        while len(self.under_way) > most:
            for place in self.under_way.popleft().result():
                self.unsettled.discard(place[0])
                self.acknowledged(place)

    def _deliver(self, records: list[Record]) -> list[Place]:
        """Post until each record is acknowledged; what failed goes again alone, a bounded number of times."""
        left, places = records, list[Place]()
        retrying = Retrying(
            retry=retry_if_exception_type(UnavailableError),
            stop=stop_after_attempt(_TRIES) | stop_when_event_set(self.closed),
            wait=pause,
            sleep=lambda seconds: _sleep(self.closed, seconds),
        )
        try:
            for attempt in retrying:
                with attempt:
                    left = self._post(left, places)
                    if left:
                        raise UnavailableError(f"{len(left)} records were not acknowledged")
        except ApiError as error:
            if error.status != _TOO_LARGE or len(left) == 1:
                raise
            half = len(left) // 2
            return [*places, *self._deliver(left[:half]), *self._deliver(left[half:])]
        except RetryError as error:
            raise KafkaDeliveryError(
                f"{len(left)} of {len(records)} records for `{self.topic}` were not acknowledged by "
                f"{self.hook.url} in {_TRIES} tries: {error.last_attempt.exception()}.",
                "check that API, REST proxy and brokers are up; the next try sends the window again and "
                "doubles are dropped by id.",
            ) from error
        return places

    def _post(self, records: list[Record], places: list[Place]) -> list[Record]:
        """Post once, note where records were placed, return those to send again."""
        again = []
        for record, answer in zip(records, self.hook.produce(self.topic, records), strict=True):
            if not answer.get("error_code") and answer.get("offset") is not None:
                places.append((record[0], answer["partition"], answer["offset"]))
            elif answer.get("error_code") in _RETRIABLE_RECORD:
                again.append(record)
            else:
                raise KafkaDeliveryError(
                    f"Row {record[0]} of {len(record[1])} bytes was refused by `{self.topic}`: {answer}.",
                    "for a row over the limit lower max_row_bytes in the Variable `pinflow`, which sends it "
                    "to quarantine, or raise max.message.bytes of the topic and the proxy's "
                    "max.request.size; then clear this task.",
                )
        return again
