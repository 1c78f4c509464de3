"""Streams reached through the API, against a server that answers as gateway and Kinesis may."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pinflow.errors import ApiError, PinflowError, StreamDeliveryError, StreamError
from pinflow.hooks import batches
from pinflow.hooks.stream_writer import refusal
from pinflow.manifest import StreamPlace
from pinflow.settings import Settings
from pinflow.transport import open_stream_writer
from tests.plugins.test_api import KEY, Answer, Api

THROTTLED = "ProvisionedThroughputExceededException"


class Streams(Api):
    """Acknowledges each record of a PutRecords, but those whose shard is said to be busy."""

    def acknowledge(self, body: bytes, failing: dict[int, Any] | None = None) -> Answer:
        answers: list[dict[str, str]] = []
        for record in json.loads(body)["records"]:
            code = (failing or {}).get(int(record["partition-key"]))
            if code is None:
                answers.append({"SequenceNumber": f"4959{self.offset}", "ShardId": "shardId-000000000000"})
                self.offset += 1
            else:
                answers.append({"ErrorCode": code, "ErrorMessage": "Rate exceeded for shard"})
        failed = sum("ErrorCode" in answer for answer in answers)
        return 200, {"FailedRecordCount": failed, "Records": answers}, {}

    def sent(self) -> list[list[int]]:
        return [
            [int(record["partition-key"]) for record in json.loads(body)["records"]] for body in self.bodies
        ]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    made = Streams()
    conn = {"conn_type": "http", "host": made.url, "password": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_API", json.dumps(conn))
    yield made
    made.server.shutdown()


def write(inds: list[int], value: bytes = b'{"ind":1}') -> list[StreamPlace]:
    seen: list[StreamPlace] = []
    writer = open_stream_writer(Settings(), "streaming-u-pin", seen.append)
    for ind in inds:
        writer.send(ind, value)
    writer.finish()
    return seen


def test_rows_are_put_as_text_with_the_id_as_partition_key(server: Streams) -> None:
    value = '{"title":"a \\"b\\" é 😀 \\n","n":1.10}'.encode()
    assert write([7], value) == [(7, "shardId-000000000000", "49590")]
    (header,) = server.headers
    assert (header["method"], header["path"]) == ("PUT", "/dev/streams/streaming-u-pin/records")
    assert header["Content-Type"] == "application/json"
    assert header["x-api-key"] == KEY
    (record,) = json.loads(server.bodies[0])["records"]
    assert set(record) == {"data", "partition-key"}
    assert record["partition-key"] == "7"
    assert record["data"].encode() == value


def test_a_request_has_500_records_and_4_mb_at_most(server: Streams) -> None:
    write(list(range(1_200)))
    assert sorted(len(ids) for ids in server.sent()) == [200, 500, 500]
    server.bodies.clear()
    write(list(range(9)), b'"' + b"x" * 1_000_000 + b'"')
    assert sorted(len(ids) for ids in server.sent()) == [3, 3, 3]


def test_records_that_failed_in_a_200_are_sent_again_alone(server: Streams, pauses: list[float]) -> None:
    server.script = [
        lambda body: server.acknowledge(body, {2: THROTTLED, 3: "InternalFailure"}),
        lambda body: server.acknowledge(body, {3: THROTTLED}),
    ]
    assert sorted(ind for ind, _, _ in write([1, 2, 3])) == [1, 2, 3]
    assert server.sent() == [[1, 2, 3], [2, 3], [3]]
    assert len(pauses) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"__type": THROTTLED, "message": "slow down"}, {}),
        (400, {"__type": f"com.amazonaws.kinesis#{THROTTLED}", "message": "slow down"}, {}),
        (400, {"__type": "KMSThrottlingException", "message": "slow down"}, {}),
        (500, {"__type": "InternalFailure", "message": "oh"}, {}),
        (429, {"message": "Too Many Requests"}, {"Retry-After": "7"}),
        (504, {"message": "Endpoint request timed out"}, {}),
        (200, {"message": "what?"}, {}),
        (200, {"FailedRecordCount": 0, "Records": []}, {}),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(server: Streams, pauses: list[float], answer: Answer) -> None:
    server.script = [answer] * 2
    assert len(write([1])) == 1
    assert server.sent() == [[1]] * 3
    assert all(pause >= 7 for pause in pauses) is (answer[0] == 429)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            (400, {"__type": "ResourceNotFoundException", "message": "Stream x not found."}, {}),
            StreamError,
            r"`streaming-u-pin`: ResourceNotFoundException: Stream x not found.*Repair: run the DAG pinterest_setup.*#stream\)",
        ),
        (
            (400, {"__type": "AccessDeniedException", "message": "not authorized"}, {}),
            StreamError,
            r"role.*grant kinesis:PutRecords",
        ),
        ((400, {"__type": "ValidationException", "message": "1 error"}, {}), StreamError, "max_row_bytes"),
        ((403, {"message": "Forbidden"}, {}), ApiError, r"403 Forbidden.*API key.*`pinterest_api`"),
        ((400, {"message": "Invalid request body"}, {}), ApiError, r"include/api/gateway\.yaml"),
        ((404, {"message": "Not Found"}, {}), ApiError, "invoke URL"),
    ],
)
def test_a_refusal_is_not_tried_again_and_names_the_repair(
    server: Streams, pauses: list[float], answer: Answer, kind: type[PinflowError], words: str
) -> None:
    server.script = [answer]
    with pytest.raises(kind, match=words):
        write([1])
    assert len(server.bodies) == 1


def test_tries_without_progress_are_bounded(server: Streams, pauses: list[float]) -> None:
    def busy(body: bytes) -> Answer:
        return server.acknowledge(body, {2: THROTTLED})

    server.script = [busy] * (1 + batches.TRIES)
    with pytest.raises(
        StreamDeliveryError, match=r"1 of 2 records.*Rate exceeded for shard.*more shards.*#stream-delivery"
    ):
        write([1, 2])
    assert len(server.bodies) == 1 + batches.TRIES


def test_a_request_that_is_too_large_is_halved(server: Streams) -> None:
    server.script = [(413, {"message": "Request Too Long"}, {})]
    assert len(write([1, 2, 3])) == 3
    assert server.sent() == [[1, 2, 3], [1], [2, 3]]


@pytest.mark.parametrize(("status", "passes"), [(400, False), (503, True)])
def test_an_unknown_refusal_passes_only_when_the_service_is_at_fault(status: int, passes: bool) -> None:
    error = refusal("Kinesis", "s", "NewException", "?", status)
    assert isinstance(error, batches.UnavailableError) is passes
