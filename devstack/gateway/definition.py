"""How the rooms of the gateway read parts of the definition: what is not executed is refused, by name."""

from collections.abc import Iterable
from typing import Any

from devstack.errors import StackError


class DefinitionError(StackError):
    """The API's definition holds something that the local gateway does not execute."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"{where}: {what}. Repair: correct the definition (DEVSTACK_GATEWAY_FILE names another); "
            "the local gateway refuses what it would not execute as API Gateway does."
        )


def mapping(where: str, part: Any, known: Iterable[str]) -> dict[str, Any]:
    """Return a part that must be a mapping with no other names than these."""
    if not isinstance(part, dict):
        raise DefinitionError(where, f"a mapping is needed, found {part!r}")
    unknown = [str(name) for name in part if name not in set(known)]
    if unknown:
        raise DefinitionError(where, f"not executed here: {', '.join(unknown)}")
    return part


def need(where: str, part: dict[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """Return a value that must be there and be of a type."""
    found = part.get(name)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise DefinitionError(where, f"{name} is missing or of a wrong type: {found!r}")
    return found


def unquoted(where: str, value: Any) -> str:
    """Return a static value, which API Gateway writes in single quotes."""
    if not isinstance(value, str) or len(value) < 2 or value[0] != "'" or value[-1] != "'":
        raise DefinitionError(where, f"only a static value in single quotes is executed here: {value!r}")
    return value[1:-1]
