"""The answers that the gateway makes itself, with what the definition changes of them."""

import json
from dataclasses import dataclass
from typing import Any

from devstack.gateway.definition import DefinitionError, mapping, unquoted

Headers = list[tuple[bytes, bytes]]
# response type: (status, message, error type)
DEFAULTS = {
    "ACCESS_DENIED": (403, "Forbidden", "ForbiddenException"),
    "API_CONFIGURATION_ERROR": (500, "Internal server error", "InternalServerErrorException"),
    "BAD_REQUEST_BODY": (400, "Invalid request body", "BadRequestException"),
    "BAD_REQUEST_PARAMETERS": (400, "Bad Request", "BadRequestException"),
    "INTEGRATION_FAILURE": (
        504, "Network error communicating with endpoint", "InternalServerErrorException",
    ),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out", "InternalServerErrorException"),
    "INVALID_API_KEY": (403, "Forbidden", "ForbiddenException"),
    "MISSING_AUTHENTICATION_TOKEN": (
        403, "Missing Authentication Token", "MissingAuthenticationTokenException",
    ),
    "REQUEST_TOO_LARGE": (413, "Request Too Long", "RequestTooLargeException"),
    "THROTTLED": (429, "Too Many Requests", "TooManyRequestsException"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type", "BadRequestException"),
}  # fmt: skip
HEADER = "gatewayresponse.header."


class GatewayFault(Exception):  # noqa: N818 - the word of these rooms, as in AWS and SOAP
    """A request that ends at the gateway; `kind` is a gateway response type."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body on the way to the client."""

    status: int
    headers: Headers
    body: bytes


def gateway_responses(part: Any) -> dict[str, Answer]:
    """Render every answer that the gateway makes itself; `part` changes some."""
    where = "x-amazon-apigateway-gateway-responses"
    changes = mapping(where, part or {}, DEFAULTS)
    return {kind: _render(kind, changes.get(kind) or {}, f"{where}.{kind}") for kind in DEFAULTS}


def _render(kind: str, given: Any, where: str) -> Answer:
    change = mapping(where, given, ("statusCode", "responseParameters", "responseTemplates"))
    status, message, error_type = DEFAULTS[kind]
    code = str(change.get("statusCode", status))
    if not (code.isdecimal() and 100 <= int(code) <= 599):
        raise DefinitionError(where, f"statusCode {code!r} is no status")
    templates = change.get("responseTemplates") or {
        "application/json": '{"message":$context.error.messageString}'
    }
    template = mapping(f"{where}.responseTemplates", templates, ("application/json",))["application/json"]
    headers = [(b"content-type", b"application/json"), (b"x-amzn-errortype", error_type.encode())]
    for name, value in (change.get("responseParameters") or {}).items():
        if not name.startswith(HEADER):
            raise DefinitionError(where, f"not executed here: {name}")
        headers.append(
            (name.removeprefix(HEADER).lower().encode(), unquoted(f"{where}.{name}", value).encode())
        )
    return Answer(int(code), headers, _fill(template, message, where))


def _fill(template: str, message: str, where: str) -> bytes:
    """Put the message into a template; API Gateway runs no template engine here either."""
    text = template.replace("$context.error.messageString", json.dumps(message))
    text = text.replace("$context.error.message", message)
    if "$" in text:
        raise DefinitionError(where, f"the template holds another variable than the message: {template}")
    return text.encode()
