"""The definition is valid OpenAPI; what would not be executed as written is refused at start."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from devstack.airflow_entries import connections
from devstack.config import REPO, Settings
from devstack.errors import StackError
from devstack.gateway import document
from devstack.gateway.definition import DefinitionError
from tests.devstack.gateway.conftest import NOWHERE, Document, integration, operation, put_records

Change = Callable[[Document], Any]
STAGE = "x-pinflow-stage"


def test_the_definition_passes_an_openapi_validator(written: Document) -> None:
    assert list(OpenAPIV30SpecValidator(written).iter_errors()) == []


def test_the_definition_names_nothing_of_one_account(written: Document) -> None:
    assert "amazonaws" not in (REPO / "include" / "api" / "gateway.yaml").read_text()


def test_every_operation_asks_for_the_key(written: Document) -> None:
    operations = [operation for item in written["paths"].values() for operation in item.values()]
    assert [operation["security"] for operation in operations] == [[{"apiKey": []}]] * 7


def test_its_head_names_the_region_and_the_account_that_all_actions_hold(written: Document) -> None:
    head = (REPO / "include" / "api" / "gateway.yaml").read_text().partition("openapi:")[0]
    region, account = re.findall(r"s/([\w-]+)/", head)
    parts = [
        item["x-amazon-apigateway-integration"]
        for path in written["paths"].values()
        for item in path.values()
    ]
    actions = [part for part in parts if part["type"] == "aws"]
    assert {part["uri"].split(":")[3] for part in actions} == {region}
    assert {part["credentials"] for part in actions} == {f"arn:aws:iam::{account}:role/pinflow-gateway"}


def test_its_stage_is_where_airflow_is_sent() -> None:
    settings = Settings(port_offset=3)
    api = next(entry for entry in connections(settings) if entry["connection_id"] == "pinterest_api")
    assert (api["conn_type"], api["host"]) == ("http", "http://127.0.0.1:28084/dev")
    assert api["password"] == settings.gateway_key
    assert len(settings.gateway_key) >= 20


def test_variables_of_the_stage_can_be_set_from_outside(written: Document) -> None:
    assert document.stage(written).variables == {"restProxy": "127.0.0.1:29082"}
    assert document.stage(written, {"restProxy": "h:1"}).variables == {"restProxy": "h:1"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d.update(openapi="3.1.0"), "version 3.1.0"),
        (
            lambda d: d.update({"x-amazon-apigateway-policy": {}}),
            "not executed here: x-amazon-apigateway-policy",
        ),
        (lambda d: d.pop(STAGE), "x-pinflow-stage: a mapping is needed"),
        (lambda d: d[STAGE].pop("name"), "name is missing"),
        (lambda d: d[STAGE].update(throttlingBurstLimit=True), "throttlingBurstLimit is missing"),
        (lambda d: d[STAGE]["variables"].clear(), "the stage has no variable restProxy"),
        (lambda d: d.update({"x-amazon-apigateway-api-key-source": "AUTHORIZER"}), "HEADER only"),
        (lambda d: d["x-amazon-apigateway-request-validators"].clear(), "no validator 'envelope'"),
        (lambda d: d["x-amazon-apigateway-gateway-responses"].update(QUOTA_EXCEEDED={}), "QUOTA_EXCEEDED"),
        (
            lambda d: d["x-amazon-apigateway-gateway-responses"]["THROTTLED"].update(statusCode="many"),
            "no status",
        ),
        (
            lambda d: d["x-amazon-apigateway-gateway-responses"]["THROTTLED"].update(
                responseTemplates={"application/json": "$context.requestId"}
            ),
            "another variable",
        ),
        (
            lambda d: d["x-amazon-apigateway-gateway-responses"]["THROTTLED"].update(
                responseParameters={"gatewayresponse.header.X": "method.request.header.X"}
            ),
            "single quotes",
        ),
        (lambda d: d["paths"]["/{proxy+}"].update(trace={}), "not executed here: trace"),
        (lambda d: operation(d).update(callbacks={}), "not executed here: callbacks"),
        (lambda d: operation(d).update(security=[{"other": []}]), "security other is no apiKey"),
        (lambda d: operation(d).pop("x-amazon-apigateway-integration"), "a mapping is needed, found None"),
        (lambda d: integration(d).update(type="mock"), "type 'mock' is not executed here"),
        (lambda d: integration(d).update(type="aws"), "not executed here: connectionType"),
        (lambda d: integration(d).update(requestTemplates={}), "not executed here: requestTemplates"),
        (lambda d: integration(d).update(connectionType="VPC_LINK"), "VPC_LINK"),
        (lambda d: integration(d).update(timeoutInMillis=30_000), "between 50 and 29000"),
        (lambda d: integration(d).update(requestParameters={}), r"the uri asks for \['proxy'\]"),
        (
            lambda d: integration(d)["requestParameters"].update(
                {"integration.request.header.X": "method.request.header.X"}
            ),
            "integration.request.header.X",
        ),
        (lambda d: integration(d).update(uri="ftp://host/{proxy}"), "no http address"),
    ],
)
def test_what_is_not_executed_is_refused_by_name(definition: Document, change: Change, why: str) -> None:
    change(definition)
    with pytest.raises(DefinitionError, match=rf"{why}.*Repair: correct the definition"):
        document.load(document.mapping("file", definition, document.KEYS), services=NOWHERE)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"uri": "arn:aws:apigateway:us-east-1:sqs:action/SendMessage"}, "no action of kinesis"),
        ({"uri": "arn:aws:apigateway:us-east-1:kinesis:path/PutRecords"}, "no action of kinesis"),
        ({"credentials": "arn:aws:iam::*:user/*"}, "no role's ARN"),
        ({"httpMethod": "PUT"}, "called by POST, not by 'PUT'"),
        ({"contentHandling": "CONVERT_TO_TEXT"}, "not executed here: contentHandling"),
        ({"requestParameters": {}}, "only a static value"),
        ({"requestParameters": {"integration.request.header.X": "'1'"}}, "integration.request.header.X"),
        (
            {"requestParameters": {"integration.request.header.Content-Type": "'application/json'"}},
            "reads application/x-amz-json-1.1 only, not application/json",
        ),
        ({"passthroughBehavior": "always"}, "passthroughBehavior 'always' is none of"),
        ({"timeoutInMillis": 1}, "between 50 and 29000"),
        ({"requestTemplates": {"application/json": 1}}, "a template is text, found 1"),
        ({"responses": None}, "responses: a mapping is needed"),
        ({"responses": {}}, "there is no default"),
        ({"responses": {"default": {"statusCode": "201"}}}, "the operation has no response 201"),
        (
            {"responses": {"default": {"statusCode": "200"}, "4(": {"statusCode": "400"}}},
            "is no pattern",
        ),
        (
            {"responses": {"default": {"statusCode": "200", "responseTemplates": {}}}},
            "not executed here: responseTemplates",
        ),
    ],
)
def test_what_is_not_executed_of_an_action_is_refused(
    definition: Document, change: Document, why: str
) -> None:
    put_records(definition).update(change)
    with pytest.raises(DefinitionError, match=rf"{re.escape(why)}.*Repair: correct the definition"):
        document.load(definition, services=NOWHERE)


def test_an_action_of_a_service_that_is_not_there_is_refused(definition: Document) -> None:
    with pytest.raises(DefinitionError, match="no action of a service"):
        document.load(definition)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Any) -> None:
    (tmp_path / "api.yaml").write_text("{")
    for name in ("api.yaml", "absent.yaml"):
        with pytest.raises(StackError, match=rf"(?s){name} cannot be read.*Repair: .*DEVSTACK_GATEWAY_FILE"):
            document.read(tmp_path / name)
