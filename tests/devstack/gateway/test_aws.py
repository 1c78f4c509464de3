"""An action behind a template: media types, and what ends in the template or behind it."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.devstack.gateway.conftest import Document, Gateway, put, put_records
from tests.devstack.kinesis.conftest import Kinesis


def test_another_media_type_is_a_415(streams: TestClient, stream: str) -> None:
    url = f"/dev/streams/{stream}/records"
    answer = streams.put(url, content=b"{}", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()) == (415, {"message": "Unsupported Media Type"})
    records = b'{"records":[{"data":"","partition-key":"k"}]}'
    charset = {"content-type": "Application/JSON; charset=utf-8"}
    assert streams.put(url, content=records, headers=charset).status_code == 200


@pytest.mark.parametrize(
    ("behavior", "templates", "status"),
    [
        ("when_no_match", True, 200),
        ("when_no_templates", True, 415),
        ("when_no_templates", False, 200),
        ("never", False, 415),
    ],
)
def test_a_body_without_a_template_goes_on_as_the_definition_says(
    gateway: Gateway,
    kinesis: Kinesis,
    definition: Document,
    stream: str,
    behavior: str,
    templates: bool,
    status: int,
) -> None:
    part = put_records(definition)
    part["passthroughBehavior"] = behavior
    if not templates:
        del part["requestTemplates"]
    own = {"StreamName": stream, "Records": [{"Data": "e30=", "PartitionKey": "k"}]}
    changed = gateway(definition, kinesis=kinesis.url)
    headers = {"content-type": "application/x-amz-json-1.1"}
    answer = changed.put("/dev/streams/any/records", content=json.dumps(own).encode(), headers=headers)
    assert answer.status_code == status


def test_a_template_that_fails_is_a_500(gateway: Gateway, definition: Document, caplog: Any) -> None:
    part = put_records(definition)
    part["requestTemplates"]["application/json"] = "$util.base64Decode($input.path('$.records[0].data'))"
    answer = put(gateway(definition), "any", ("?", "k"))
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})
    assert "base64Decode" in caplog.text


def test_a_body_that_no_model_checks_must_still_be_json(gateway: Gateway, definition: Document) -> None:
    del definition["paths"]["/streams/{stream-name}/records"]["put"]["x-amazon-apigateway-request-validator"]
    answer = gateway(definition).put("/dev/streams/any/records", content=b"{")
    assert (answer.status_code, answer.json()) == (400, {"message": "Invalid request body"})


def test_an_endpoint_that_is_down_is_a_502(gateway: Gateway) -> None:
    assert gateway().get("/dev/streams").status_code == 502
