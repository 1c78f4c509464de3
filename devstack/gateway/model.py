"""Request models: a JSON schema compiled to a type, which checks megabytes in milliseconds."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from devstack.asgi import is_utf8
from devstack.gateway.definition import DefinitionError

Check = Callable[[bytes], bool]
PREFIX = "#/components/schemas/"
REMARKS = {"title", "description", "example"}
NUMERIC = {"minimum": "ge", "maximum": "le"}
# JSON type: (Python type, its keywords and what they are called there)
SIMPLE: dict[str, tuple[Any, dict[str, str]]] = {
    "string": (str, {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}),
    "integer": (int, NUMERIC),
    "number": (float, NUMERIC),
    "boolean": (bool, {}),
    "null": (None, {}),
}
ITEMS = {"minItems": "min_length", "maxItems": "max_length"}


def compile_model(schema: Any, schemas: dict[str, Any], where: str) -> Check:
    """Return the check of a schema; raises DefinitionError for a keyword it would not honour."""
    compiler = _Compiler(schemas)
    try:
        decoder = msgspec.json.Decoder(compiler.type_of(schema, where, ()))
    except (TypeError, ValueError, re.error) as error:
        raise DefinitionError(where, f"not executed here: {error}") from error

    def check(body: bytes) -> bool:
        try:
            decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        return is_utf8(body)

    return check


class _Compiler:
    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas

    def type_of(self, schema: Any, where: str, seen: tuple[str, ...]) -> Any:
        """Return the type whose decoding accepts what the schema accepts."""
        if not isinstance(schema, dict):
            raise DefinitionError(where, f"a schema is needed, found {schema!r}")
        if "$ref" in schema:
            return self._referred(schema, where, seen)
        keywords = {name: value for name, value in schema.items() if name not in REMARKS}
        kind = keywords.pop("type", None)
        if kind is None:
            self._finish(keywords, where)
            return msgspec.Raw  # any JSON
        if kind == "object":
            return self._object(keywords, where, seen)
        if kind == "array":
            inner = self.type_of(keywords.pop("items", {}), f"{where}.items", seen)
            # the type is known at run time only
            return self._limited(list.__class_getitem__(inner), ITEMS, keywords, where)
        if not isinstance(kind, str) or kind not in SIMPLE:
            raise DefinitionError(where, f"type {kind!r} is not executed here")
        if kind == "string" and "enum" in keywords:
            return self._enum(keywords, where)
        return self._limited(*SIMPLE[kind], keywords, where)

    def _referred(self, schema: dict[str, Any], where: str, seen: tuple[str, ...]) -> Any:
        reference = schema["$ref"]
        name = str(reference).removeprefix(PREFIX)
        if len(schema) > 1 or name not in self.schemas or not str(reference).startswith(PREFIX):
            raise DefinitionError(where, f"$ref {reference!r} is no schema of {PREFIX} by itself")
        if name in seen:
            raise DefinitionError(where, f"{reference} holds itself")
        return self.type_of(self.schemas[name], reference, (*seen, name))

    def _object(self, keywords: dict[str, Any], where: str, seen: tuple[str, ...]) -> Any:
        """Return a structure: what it does not name is passed over without being built."""
        properties = keywords.pop("properties", {})
        required = keywords.pop("required", [])
        more = keywords.pop("additionalProperties", True)
        self._finish(keywords, where)
        if not isinstance(more, bool):
            raise DefinitionError(where, "additionalProperties is executed here as true or false only")
        fields: list[Any] = []
        rename: dict[str, str] = {}
        for number, name in enumerate(dict.fromkeys([*required, *properties])):
            own = f"field{number}"
            rename[own] = str(name)
            inner = self.type_of(properties.get(name, {}), f"{where}.{name}", seen)
            fields.append((own, inner) if name in required else (own, inner, msgspec.UNSET))
        fields.sort(key=len)  # those without a default come first
        return msgspec.defstruct("Model", fields, rename=rename, forbid_unknown_fields=not more)

    def _enum(self, keywords: dict[str, Any], where: str) -> Any:
        values = keywords.pop("enum")
        self._finish(keywords, where)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise DefinitionError(where, "enum is executed here for strings only")
        return Literal[tuple(values)]

    def _limited(self, base: Any, limits: dict[str, str], keywords: dict[str, Any], where: str) -> Any:
        """Add the limits that the keywords give to a type."""
        given = {limits[name]: keywords.pop(name) for name in list(keywords) if name in limits}
        self._finish(keywords, where)
        return Annotated[base, msgspec.Meta(**given)] if given else base

    def _finish(self, keywords: dict[str, Any], where: str) -> None:
        if keywords:
            raise DefinitionError(where, f"keywords that are not executed here: {', '.join(keywords)}")
