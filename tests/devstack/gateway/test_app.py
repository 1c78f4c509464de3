"""The gateway's answers are API Gateway's; what it lets through, it leaves as it is."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.devstack.gateway.conftest import JSON_RECORDS, Document, Gateway, integration

RECORDS = {"content-type": JSON_RECORDS}
NASTY = (
    '{"records":[{"key": 42,\n "value":{"a":1.10,"b":123456789012345678901234567890,"c":"😀 \\"\\u0000"}}]}'
)


def refusal(answer: Any) -> tuple[int, str, str]:
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-amzn-requestid"])
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()["message"], answer.headers["x-amzn-errortype"]


def test_a_request_inside_the_model_goes_through_unchanged(client: TestClient) -> None:
    answer = client.post("/dev/topics/a.b?x=%20y", content=NASTY.encode(), headers=RECORDS | {"x-other": "1"})
    assert answer.status_code == 200
    seen = answer.json()
    assert (seen["method"], seen["path"]) == ("POST", "/topics/a.b?x=%20y")
    assert seen["body"].encode("latin-1") == NASTY.encode()
    assert (seen["headers"]["content-type"], seen["headers"]["x-other"]) == (JSON_RECORDS, "1")


def test_an_answer_comes_back_unchanged(client: TestClient) -> None:
    answer = client.get("/dev/teapot")
    assert answer.status_code == 418
    assert answer.headers["content-type"] == "application/vnd.kafka.v2+json"
    assert answer.headers["x-own"] == "kept"
    assert "x-amzn-remapped-date" in answer.headers
    assert "x-amzn-errortype" not in answer.headers
    assert "x-amzn-requestid" in answer.headers


@pytest.mark.parametrize("path", ["a%2Fb", "%ff%00", "a%2e%2e/b", "a//b/", "%7Bproxy%7D", ";a=b", "a+b"])
def test_a_path_goes_through_as_it_was_written(client: TestClient, path: str) -> None:
    assert client.get(f"/dev/x/{path}").json()["path"] == f"/x/{path}"


@pytest.mark.parametrize("key", [None, "", "wrong", "é"])
def test_without_the_right_key_nothing_goes_through(client: TestClient, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key.encode("latin-1")}
    answer = TestClient(client.app).get("/dev/topics", headers=headers)
    assert refusal(answer) == (403, "Forbidden", "ForbiddenException")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/", "Missing Authentication Token"),
        ("/dev", "Forbidden"),
        ("/", "Forbidden"),
        ("/prod/topics", "Forbidden"),
        ("/devil/topics", "Forbidden"),
    ],
)
def test_what_is_no_route_is_forbidden_as_api_gateway_says_it(
    client: TestClient, path: str, message: str
) -> None:
    assert refusal(client.get(path))[:2] == (403, message)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"records":[]}', b'{"records":[{"value":1}]}', b"\xff", b'{"records":']
)
def test_a_body_outside_the_model_ends_here(client: TestClient, body: bytes) -> None:
    answer = client.post("/dev/topics/t", content=body, headers=RECORDS)
    assert refusal(answer) == (400, "Invalid request body", "BadRequestException")


def test_a_media_type_without_a_model_is_not_checked(client: TestClient) -> None:
    assert (
        client.post("/dev/topics/t", content=b"x", headers={"content-type": "text/plain"}).status_code == 200
    )
    charset = {"content-type": f"{JSON_RECORDS}; charset=utf-8"}
    assert client.post("/dev/topics/t", content=b"x", headers=charset).status_code == 400


def test_over_ten_megabytes_is_too_long(client: TestClient) -> None:
    pad = b" " * (10 * 1024 * 1024 - len(NASTY.encode()))
    assert client.post("/dev/t", content=NASTY.encode() + pad, headers=RECORDS).status_code == 200
    answer = client.post("/dev/t", content=NASTY.encode() + pad + b" ", headers=RECORDS)
    assert refusal(answer)[:2] == (413, "Request Too Long")
    answer = client.post("/dev/t", content=iter([NASTY.encode() + pad, b" "]), headers=RECORDS)
    assert refusal(answer)[:2] == (413, "Request Too Long")


def test_over_the_limit_says_when_to_come_again(gateway: Gateway, definition: Document) -> None:
    definition["x-pinflow-stage"] |= {"throttlingRateLimit": 0.001, "throttlingBurstLimit": 2}
    client = gateway(definition, limited=True)
    assert TestClient(client.app).get("/dev/t").status_code == 403  # takes nothing from those with a key
    assert [client.get("/dev/t").status_code for _ in range(2)] == [200, 200]
    answer = client.get("/dev/t")
    assert refusal(answer) == (429, "Too Many Requests", "TooManyRequestsException")
    assert answer.headers["retry-after"] == "1"


def test_an_upstream_that_is_down_is_a_502(gateway: Gateway) -> None:
    answer = gateway(address="127.0.0.1:1").get("/dev/t")
    assert refusal(answer)[:2] == (502, "Network error communicating with endpoint")


def test_an_upstream_that_breaks_off_is_a_502_and_the_next_request_works(client: TestClient) -> None:
    assert client.post("/dev/broken", content=b"x").status_code == 502
    assert client.post("/dev/t", content=b"x").status_code == 200


def test_an_upstream_that_is_silent_is_a_504(gateway: Gateway, definition: Document) -> None:
    integration(definition)["timeoutInMillis"] = 100
    answer = gateway(definition).get("/dev/slow")
    assert refusal(answer)[:2] == (504, "Endpoint request timed out")


def test_without_a_change_in_the_file_a_dead_upstream_is_a_504(
    gateway: Gateway, definition: Document
) -> None:
    del definition["x-amazon-apigateway-gateway-responses"]
    assert gateway(definition, address="127.0.0.1:1").get("/dev/t").status_code == 504


def test_an_error_that_nobody_expected_is_in_the_log(gateway: Gateway, monkeypatch: Any, caplog: Any) -> None:
    client = gateway()
    monkeypatch.setattr("devstack.gateway.app.read_body", lambda *_: 1 / 0)
    assert refusal(client.get("/dev/t"))[:2] == (500, "Internal server error")
    assert "ZeroDivisionError" in caplog.text


def test_connections_to_the_upstream_are_used_again(client: TestClient) -> None:
    for _ in range(5):
        assert client.get("/dev/t").status_code == 200
    pool = client.app.routes[0].app.pool  # type: ignore[attr-defined]
    assert len(pool.connections) == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    query=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    body=st.binary(max_size=100) | st.just(NASTY.encode()) | st.dictionaries(st.just("records"), st.lists(st.dictionaries(st.sampled_from(["value", "key"]), st.integers() | st.just({})))).map(lambda d: json.dumps(d).encode()),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "accept", "x-api-key", "connection", "expect", "te", "x-odd"]),
        st.sampled_from(["", JSON_RECORDS, "close", "100-continue", "trailers"]) | st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=9),
    ),
)  # fmt: skip
def test_no_request_is_a_5xx(
    client: TestClient, method: str, path: str, query: str, body: bytes, headers: dict[str, str]
) -> None:
    if any(word in path for word in ("slow", "broken")):
        return
    raw = {name: value.strip().encode("latin-1") for name, value in headers.items()}
    for base in ("/dev/", "/dev/topics/", "/"):
        url = base + quote(path, safe="/") + "?" + quote(query, safe="=&")
        assert client.request(method, url, content=body, headers=raw).status_code < 500
