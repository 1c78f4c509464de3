"""AWS service integrations: a request mapped by a template to one action of a service."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpcore

from devstack.asgi import header, media_type
from devstack.gateway.definition import DefinitionError, mapping, need, unquoted
from devstack.gateway.integration import Request, seconds_of, send
from devstack.gateway.responses import Answer, GatewayFault
from devstack.gateway.template import MappingTemplate, TemplateFault
from devstack.gateway.variables import BodyError

KEYS = (
    "type", "httpMethod", "uri", "credentials", "requestParameters", "requestTemplates",
    "passthroughBehavior", "responses", "timeoutInMillis",
)  # fmt: skip
URI = re.compile(r"arn:aws[a-z-]*:apigateway:[a-z0-9-]+:([a-z0-9-]+):action/([A-Za-z]+)")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
CONTENT_TYPE = "integration.request.header.Content-Type"
PASSTHROUGH = ("never", "when_no_match", "when_no_templates")
# service: (what X-Amz-Target begins with, the one Content-Type that it reads)
TARGETS = {"kinesis": ("Kinesis_20131202", "application/x-amz-json-1.1")}
JSON = "application/json"
BLOCKING = 64 * 1024  # bytes whose template takes longer than a switch to a thread


@dataclass(frozen=True)
class AwsAction:
    """Calls one action of a service with what a template makes of a request."""

    url: httpcore.URL
    headers: tuple[tuple[bytes, bytes], ...]
    templates: dict[str, MappingTemplate]
    passes: bool  # a body of a media type without a template goes on as it came
    statuses: tuple[tuple[re.Pattern[str], int], ...]  # in their order; the default is the last
    seconds: float

    async def call(self, pool: httpcore.AsyncConnectionPool, request: Request) -> Answer:
        """Call the action; raises GatewayFault."""
        body = await self._body(request)
        response = await send(pool, b"POST", self.url, list(self.headers), body, self.seconds)
        answered = str(response.status)
        status = next(status for pattern, status in self.statuses if pattern.fullmatch(answered))
        return Answer(status, [(b"content-type", JSON.encode())], response.content)

    async def _body(self, request: Request) -> bytes:
        kind = media_type(header(request.headers, b"content-type") or JSON)
        template = self.templates.get(kind)
        if template is None and self.passes:
            return request.body
        if template is None:
            raise GatewayFault("UNSUPPORTED_MEDIA_TYPE")
        given = (request.body, parameters(request), request.context)
        try:
            if len(request.body) < BLOCKING:
                return template.evaluate(*given)
            return await asyncio.to_thread(template.evaluate, *given)
        except BodyError as error:
            raise GatewayFault("BAD_REQUEST_BODY") from error
        except TemplateFault as error:
            raise GatewayFault("API_CONFIGURATION_ERROR") from error


def parameters(request: Request) -> dict[str, str]:
    """Return a request's parameters by name: the path's go before the query's and these before headers."""
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
    found |= dict(parse_qsl(request.query.decode("latin-1"), keep_blank_values=True))
    return found | {name: unquote(value.decode("latin-1")) for name, value in request.parameters.items()}


def compile_action(
    part: Any, variables: dict[str, str], services: dict[str, str], declared: set[str], where: str
) -> AwsAction:
    """Read an integration whose operation declares these statuses; raises DefinitionError."""
    given = mapping(where, part, KEYS)
    service, action = _action(given, services, where)
    prefix, content_type = TARGETS[service]
    templates = _templates(given.get("requestTemplates"), variables, where)
    passthrough = str(given.get("passthroughBehavior", "when_no_match")).lower()
    if passthrough not in PASSTHROUGH:
        raise DefinitionError(where, f"passthroughBehavior {passthrough!r} is none of {PASSTHROUGH}")
    _check_content_type(given.get("requestParameters"), content_type, where)
    return AwsAction(
        url=httpcore.URL(services[service] + "/"),
        headers=(
            (b"content-type", content_type.encode()),
            (b"x-amz-target", f"{prefix}.{action}".encode()),
        ),
        templates=templates,
        passes=passthrough == "when_no_match" or (passthrough == "when_no_templates" and not templates),
        statuses=_statuses(given.get("responses"), declared, f"{where}.responses"),
        seconds=seconds_of(given.get("timeoutInMillis", 29_000), where),
    )


def _action(given: dict[str, Any], services: dict[str, str], where: str) -> tuple[str, str]:
    """Return the service and its action; the role is checked for its form, nobody takes it on here."""
    uri = need(where, given, "uri", str)
    found = URI.fullmatch(uri)
    if found is None or found[1] not in TARGETS or found[1] not in services:
        raise DefinitionError(where, f"the uri is no action of {', '.join(services) or 'a service'}: {uri}")
    role = need(where, given, "credentials", str)
    if ROLE.fullmatch(role) is None:
        raise DefinitionError(where, f"credentials {role!r} are no role's ARN")
    if given.get("httpMethod") != "POST":
        raise DefinitionError(where, f"an action is called by POST, not by {given.get('httpMethod')!r}")
    return found[1], found[2]


def _check_content_type(given: Any, needed: str, where: str) -> None:
    part = mapping(f"{where}.requestParameters", given, (CONTENT_TYPE,))
    found = unquoted(where, part.get(CONTENT_TYPE))
    if found != needed:
        raise DefinitionError(where, f"the service reads {needed} only, not {found}")


def _templates(given: Any, variables: dict[str, str], where: str) -> dict[str, MappingTemplate]:
    compiled = {}
    for kind, text in mapping(f"{where}.requestTemplates", given or {}, given or {}).items():
        here = f"{where}.requestTemplates.{kind}"
        if not isinstance(text, str):
            raise DefinitionError(here, f"a template is text, found {text!r}")
        compiled[kind.lower()] = MappingTemplate(text, variables, here)
    return compiled


def _statuses(given: Any, declared: set[str], where: str) -> tuple[tuple[re.Pattern[str], int], ...]:
    """Read which status of the service becomes which; API Gateway asks for the whole text to match."""
    found = []
    responses = {str(name): part for name, part in mapping(where, given, given or ()).items()}
    if "default" not in responses:
        raise DefinitionError(where, "there is no default")
    for pattern in sorted(responses, key=lambda name: name == "default"):
        code = str(mapping(where, responses[pattern], ("statusCode",)).get("statusCode"))
        if code not in declared:
            raise DefinitionError(where, f"{pattern}: the operation has no response {code}")
        try:
            compiled = re.compile(r"\d+" if pattern == "default" else pattern)
        except re.error as error:
            raise DefinitionError(where, f"{pattern} is no pattern: {error}") from error
        found.append((compiled, int(code)))
    return tuple(found)
