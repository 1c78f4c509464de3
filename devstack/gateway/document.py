"""The API's definition, read whole before anything is served."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devstack.errors import StackError
from devstack.gateway.aws import compile_action
from devstack.gateway.definition import DefinitionError, mapping, need
from devstack.gateway.integration import Integration, compile_proxy
from devstack.gateway.model import Check, compile_model
from devstack.gateway.responses import Answer, gateway_responses
from devstack.gateway.route import ANY, METHODS, Route, Router, parameters_of

AWS = "x-amazon-apigateway-"
STAGE = "x-pinflow-stage"
KEYS = (
    "openapi", "info", "tags", "paths", "components", STAGE, f"{AWS}api-key-source",
    f"{AWS}request-validators", f"{AWS}gateway-responses",
)  # fmt: skip
OPERATION = (
    "summary", "description", "operationId", "tags", "parameters", "security", "requestBody", "responses",
    f"{AWS}request-validator", f"{AWS}integration",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """What API Gateway keeps beside the definition; rate in requests a second."""

    name: str
    rate: float
    burst: int
    variables: dict[str, str]


@dataclass(frozen=True)
class Api:
    """A definition ready to be executed."""

    stage: Stage
    router: Router
    responses: dict[str, Answer]


def read(path: Path) -> dict[str, Any]:
    """Read the definition as it stands."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StackError(
            f"{path} cannot be read: {error}. Repair: name the API's definition in DEVSTACK_GATEWAY_FILE."
        ) from error
    return mapping(path.name, found, KEYS)


def stage(document: dict[str, Any], variables: dict[str, str] | None = None) -> Stage:
    """Read the stage; `variables` go before its own."""
    part = mapping(
        STAGE, document.get(STAGE), ("name", "throttlingRateLimit", "throttlingBurstLimit", "variables")
    )
    own = mapping(f"{STAGE}.variables", part.get("variables") or {}, part.get("variables") or {})
    return Stage(
        name=need(STAGE, part, "name", str),
        rate=float(need(STAGE, part, "throttlingRateLimit", (int, float))),
        burst=need(STAGE, part, "throttlingBurstLimit", int),
        variables={name: str(value) for name, value in own.items()} | (variables or {}),
    )


def load(
    document: dict[str, Any], variables: dict[str, str] | None = None, services: dict[str, str] | None = None
) -> Api:
    """Compile a definition over the URLs of AWS services by name; raises DefinitionError."""
    version = str(document.get("openapi"))
    if not version.startswith("3.0."):
        raise DefinitionError("openapi", f"version {version} is not executed here, only 3.0")
    found = stage(document, variables)
    return Api(
        stage=found,
        router=Router(_Reader(document, found, services or {}).routes()),
        responses=gateway_responses(document.get(f"{AWS}gateway-responses")),
    )


class _Reader:
    def __init__(self, document: dict[str, Any], stage: Stage, services: dict[str, str]) -> None:
        self.document, self.stage, self.services = document, stage, services
        self.components = mapping(
            "components", document.get("components") or {}, ("schemas", "securitySchemes")
        )

    def routes(self) -> Iterator[Route]:
        paths = self.document.get("paths") or {}
        for path, item in mapping("paths", paths, paths).items():
            for method, operation in mapping(f"paths.{path}", item, METHODS).items():
                where = f"paths.{path}.{method}"
                part = mapping(where, operation, OPERATION)
                yield Route(
                    path=path,
                    method=None if method == ANY else method.upper().encode(),
                    key_required=self._key_required(part, where),
                    models=self._models(part, where),
                    integration=self._integration(part, path, where),
                )

    def _integration(self, operation: dict[str, Any], path: str, where: str) -> Integration:
        where = f"{where}.{AWS}integration"
        part = operation.get(f"{AWS}integration")
        kind = need(where, mapping(where, part, part or ()), "type", str)
        if kind == "http_proxy":
            return compile_proxy(part, parameters_of(path), self.stage.variables, where)
        if kind == "aws":
            declared = {str(status) for status in operation.get("responses") or {}}
            return compile_action(part, self.stage.variables, self.services, declared, where)
        raise DefinitionError(where, f"type {kind!r} is not executed here, only http_proxy and aws")

    def _key_required(self, operation: dict[str, Any], where: str) -> bool:
        schemes = [name for item in operation.get("security") or [] for name in item]
        for name in schemes:
            scheme = (self.components.get("securitySchemes") or {}).get(name) or {}
            if (scheme.get("type"), scheme.get("name"), scheme.get("in")) != (
                "apiKey",
                "x-api-key",
                "header",
            ):
                raise DefinitionError(where, f"security {name} is no apiKey in the header x-api-key")
        if schemes and self.document.get(f"{AWS}api-key-source", "HEADER") != "HEADER":
            raise DefinitionError(where, f"{AWS}api-key-source is executed here as HEADER only")
        return bool(schemes)

    def _models(self, operation: dict[str, Any], where: str) -> dict[str, Check]:
        """Return the check of each media type, when the operation's validator asks for it."""
        if not self._validates_body(operation, where):
            return {}
        body = mapping(
            f"{where}.requestBody", operation.get("requestBody"), ("content", "description", "required")
        )
        schemas = self.components.get("schemas") or {}
        return {
            kind.lower(): compile_model(media.get("schema"), schemas, f"{where}.requestBody.{kind}")
            for kind, media in (body.get("content") or {}).items()
        }

    def _validates_body(self, operation: dict[str, Any], where: str) -> bool:
        name = operation.get(f"{AWS}request-validator")
        if name is None:
            return False
        validators = self.document.get(f"{AWS}request-validators") or {}
        if name not in validators:
            raise DefinitionError(where, f"there is no validator {name!r}")
        settings = mapping(
            f"{AWS}request-validators.{name}",
            validators[name],
            ("validateRequestBody", "validateRequestParameters"),
        )
        if settings.get("validateRequestParameters"):
            raise DefinitionError(where, "validateRequestParameters is not executed here")
        return bool(settings.get("validateRequestBody"))
