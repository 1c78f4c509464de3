"""Resources and methods: which operation of the definition a request meets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from devstack.gateway.definition import DefinitionError
from devstack.gateway.integration import Integration
from devstack.gateway.model import Check

ANY = "x-amazon-apigateway-any-method"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", ANY}
SEGMENT = re.compile(r"\{([A-Za-z0-9._-]+)(\+?)\}")


@dataclass(frozen=True)
class Route:
    """One operation; `method` None stands for any."""

    path: str
    method: bytes | None
    key_required: bool
    models: dict[str, Check]
    integration: Integration


def parameters_of(path: str) -> set[str]:
    """Return the names of a path's parameters."""
    return {found[1] for found in SEGMENT.finditer(path)}


class Router:
    """Finds the route of a method and a path, the most literal resource first."""

    def __init__(self, routes: Iterable[Route]) -> None:
        resources: dict[str, dict[bytes | None, Route]] = {}
        for route in routes:
            resources.setdefault(route.path, {})[route.method] = route
        ordered = sorted(resources, key=_closeness, reverse=True)
        self._resources = [(_pattern(path), resources[path]) for path in ordered]

    def find(self, method: bytes, path: bytes) -> tuple[Route, dict[str, bytes]] | None:
        """Return the route and the path's parameters, still percent-encoded."""
        for pattern, names, methods in ((*pattern, methods) for pattern, methods in self._resources):
            if found := pattern.fullmatch(path):
                route = methods.get(method) or methods.get(None)
                return (route, dict(zip(names, found.groups(), strict=True))) if route else None
        return None


def _closeness(path: str) -> list[int]:
    """Rank a resource segment by segment: literal, one parameter, the greedy rest."""
    ranks = []
    for segment in path.split("/")[1:]:
        found = SEGMENT.fullmatch(segment)
        ranks.append(2 if found is None else 0 if found[2] else 1)
    return ranks


def _pattern(path: str) -> tuple[re.Pattern[bytes], list[str]]:
    names: list[str] = []
    text = b""
    for segment in path.split("/")[1:]:
        found = SEGMENT.fullmatch(segment)
        if found:
            names.append(found[1])
            text += b"/(.+)" if found[2] else b"/([^/]+)"
        elif "{" in segment or "}" in segment:
            raise DefinitionError(f"paths.{path}", f"{segment!r} is no text and no whole parameter")
        else:
            text += b"/" + re.escape(segment.encode())
    return re.compile(text, re.DOTALL), names
