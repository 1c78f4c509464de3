"""The writer through the API, against a server that answers as gateway and proxy may."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pinflow.errors import ApiError, KafkaDeliveryError, KafkaTopicError
from pinflow.hooks import api, batches
from pinflow.hooks.api import ApiHook, ApiWriter

Answer = tuple[int, dict[str, Any], dict[str, str]]
KEY = "the-key"


class Api:
    """A server with a script: an answer a request, then every record is acknowledged."""

    def __init__(self) -> None:
        self.script: list[Answer | Callable[[bytes], Answer]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.offset = 0
        handler = type("Handler", (Handler,), {"api": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/dev"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, body: bytes) -> Answer:
        if self.script:
            step = self.script.pop(0)
            return step(body) if callable(step) else step
        return self.acknowledge(body)

    def acknowledge(self, body: bytes, failing: dict[int, int] | None = None) -> Answer:
        offsets = []
        for record in json.loads(body)["records"]:
            code = (failing or {}).get(record["key"])
            if code is None:
                offsets.append({"partition": 0, "offset": self.offset, "error_code": None, "error": None})
                self.offset += 1
            else:
                offsets.append({"partition": None, "offset": None, "error_code": code, "error": "no"})
        return 200, {"offsets": offsets}, {}

    def sent(self) -> list[list[int]]:
        return [[record["key"] for record in json.loads(body)["records"]] for body in self.bodies]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.api.bodies.append(body)
        self.api.headers.append({**self.headers, "path": self.path, "method": self.command})
        self.api.connections.add(self.client_address)
        status, answer, headers = self.api.answer(body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_PUT = do_POST  # noqa: N815 - the server's name for it

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    made = Api()
    conn = {"conn_type": "http", "host": made.url, "password": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_API", json.dumps(conn))
    yield made
    made.server.shutdown()


def write(inds: list[int], value: bytes = b'{"ind":1,"n":1.10}') -> list[tuple[int, int, int]]:
    seen: list[tuple[int, int, int]] = []
    writer = ApiWriter(ApiHook(), "u.pin", seen.append)
    for ind in inds:
        writer.send(ind, value)
    writer.finish()
    return seen


def test_rows_go_in_batches_over_one_connection_with_the_key_and_their_bytes(server: Api) -> None:
    seen = write(list(range(1_200)))
    assert [ind for ind, _, _ in seen] == list(range(1_200))
    assert sorted(len(keys) for keys in server.sent()) == [200, 500, 500]
    assert len(server.connections) <= batches.POSTERS
    server.bodies.sort()
    assert server.bodies[0].startswith(b'{"records":[{"key":0,"value":{"ind":1,"n":1.10}},')
    assert server.headers[0]["x-api-key"] == KEY
    assert server.headers[0]["Content-Type"] == "application/vnd.kafka.json.v2+json"
    assert server.headers[0]["path"] == "/dev/topics/u.pin"


def test_a_batch_stays_below_its_bytes(server: Api) -> None:
    write(list(range(9)), b'{"a":"' + b"x" * 1_000_000 + b'"}')
    assert [len(keys) for keys in server.sent()] == [3, 3, 3]


def test_records_that_failed_in_a_200_are_sent_again_alone(server: Api, pauses: list[float]) -> None:
    server.script = [
        lambda body: server.acknowledge(body, {2: 2, 3: 2}),
        lambda body: server.acknowledge(body, {3: 2}),
    ]
    assert sorted(write([1, 2, 3])) == [(1, 0, 0), (2, 0, 1), (3, 0, 2)]
    assert server.sent() == [[1, 2, 3], [2, 3], [3]]
    assert len(pauses) == 2


def test_a_record_that_cannot_be_sent_names_its_row(server: Api, pauses: list[float]) -> None:
    server.script = [lambda body: server.acknowledge(body, {2: 1})]
    with pytest.raises(KafkaDeliveryError, match=r"Row 2 of .*Repair: .*max\.message\.bytes"):
        write([1, 2])
    assert not pauses


def test_the_later_row_of_a_doubled_id_stands_behind_the_earlier_one(server: Api) -> None:
    seen = write([1, 2, 1, 3, 1])
    assert server.sent() == [[1, 2], [1, 3], [1]]
    assert [ind for ind, _, _ in seen] == [1, 2, 1, 3, 1]


def test_a_record_without_an_offset_is_sent_again(server: Api, pauses: list[float]) -> None:
    server.script = [(200, {"offsets": [{"partition": 0, "offset": None, "error_code": None}]}, {})]
    assert write([1]) == [(1, 0, 0)]


def test_an_answer_that_breaks_off_is_asked_for_again(server: Api, pauses: list[float]) -> None:
    server.script = [(200, {"offsets": []}, {"Content-Length": "9999", "Connection": "close"})]
    assert write([1]) == [(1, 0, 0)]
    assert len(server.bodies) == 2


@pytest.mark.parametrize("asked", [7, 120])
def test_a_pause_that_is_asked_for_is_kept_with_jitter_on_top(
    server: Api, pauses: list[float], asked: int
) -> None:
    server.script = [(429, {"message": "later"}, {"Retry-After": str(asked)})]
    write([1])
    assert asked < pauses[0] <= asked + 1


def test_a_pause_may_be_a_date_and_is_bounded(server: Api, pauses: list[float]) -> None:
    server.script = [
        (503, {}, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}),
        (503, {}, {"Retry-After": "soon"}),
    ]
    write([1])
    assert 300 < pauses[0] <= 301
    assert pauses[1] <= 2


def test_a_closed_writer_stops_trying(server: Api) -> None:
    server.script = [(503, {}, {"Retry-After": "300"})] * 9
    writer = ApiWriter(ApiHook(), "u.pin", print)
    writer.send(1, b"{}")
    writer.flush()
    while not server.bodies:
        time.sleep(0.01)
    writer.close()
    with pytest.raises(KafkaDeliveryError):
        writer.under_way[0].result(5)


@pytest.mark.parametrize(
    ("conn", "url"),
    [
        ({"host": "https://x.example/dev/"}, "https://x.example/dev"),
        ({"host": "x.example/dev"}, "https://x.example/dev"),
        ({"host": "x.example", "schema": "http", "port": 8080}, "http://x.example:8080"),
        ({"host": "x.example", "schema": "dev"}, "https://x.example"),
    ],
)
def test_the_invoke_url_is_read_from_the_connection(
    conn: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_API", json.dumps({"conn_type": "http", **conn}))
    assert ApiHook().url == url


def test_a_key_that_no_header_can_hold_names_the_connection(
    server: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = {"conn_type": "http", "host": server.url, "password": "a key\n"}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_API", json.dumps(conn))
    with pytest.raises(ApiError, match=r"Nothing can be sent.*InvalidHeader.*Repair: .*`pinterest_api`"):
        write([1])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_is_busy_or_down_is_tried_again_after_the_pause_it_asks_for(
    server: Api, pauses: list[float], status: int
) -> None:
    server.script = [(status, {"message": "later"}, {"Retry-After": "7"})] * 2
    assert write([1]) == [(1, 0, 0)]
    assert len(server.bodies) == 3
    assert all(pause >= 7 for pause in pauses)
    assert pauses[0] != pauses[1]


def test_tries_are_bounded_and_the_next_try_of_the_task_starts_over(server: Api, pauses: list[float]) -> None:
    fruitful = 1
    server.script = [lambda body: server.acknowledge(body, {1: 2})] * (fruitful + batches.TRIES)
    with pytest.raises(KafkaDeliveryError, match=r"1 of 2 records for `u\.pin`.*in 6 tries.*Repair: "):
        write([1, 2])
    assert len(server.bodies) == fruitful + batches.TRIES
    assert pauses == sorted(pauses)


def test_a_batch_that_is_too_large_is_halved_and_a_row_that_is_names_its_limit(server: Api) -> None:
    too_large: Answer = (413, {"message": "Request Too Long"}, {})
    server.script = [too_large]
    assert len(write([1, 2, 3])) == 3
    assert server.sent() == [[1, 2, 3], [1], [2, 3]]
    server.script = [too_large] * 9
    with pytest.raises(ApiError, match=r"413 Request Too Long.*Repair: lower max_row_bytes"):
        write([1])


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((403, {"message": "Forbidden"}, {}), ApiError, r"403 Forbidden.*API key.*`pinterest_api`"),
        ((400, {"message": "Invalid request body"}, {}), ApiError, r"include/api/gateway\.yaml"),
        ((404, {"error_code": 40401, "message": "Topic not found."}, {}), KafkaTopicError, "pinterest_setup"),
        ((404, {"message": "Not Found"}, {}), ApiError, "invoke URL"),
    ],
)
def test_a_refusal_is_not_tried_again_and_names_the_repair(
    server: Api, pauses: list[float], answer: Answer, kind: type[Exception], words: str
) -> None:
    server.script = [answer]
    with pytest.raises(kind, match=words):
        write([1])
    assert len(server.bodies) == 1


def test_a_silent_api_is_tried_again(
    server: Api, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(api, "_READ_SECONDS", 0.2)

    def silent(body: bytes) -> Answer:
        ended.wait(5)
        return server.acknowledge(body)

    server.script = [silent]
    assert len(write([1])) == 1
    ended.set()
    assert len(server.bodies) == 2


def test_an_api_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    conn = {"conn_type": "http", "host": "http://127.0.0.1:1/dev", "password": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_API", json.dumps(conn))
    with pytest.raises(KafkaDeliveryError, match=r"http://127\.0\.0\.1:1/dev.*no answer"):
        write([1])
    assert len(pauses) == batches.TRIES - 1
