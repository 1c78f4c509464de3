"""What a mapping template may name: $input, $util, $context."""

import base64
import functools
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import msgspec

CONTEXT = {"httpMethod", "requestId", "resourcePath", "stage"}
PATH = re.compile(r"\$((?:\.[A-Za-z_][A-Za-z0-9_-]*|\[\d{1,9}\])*)")
STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
SPACE = re.compile(rb'("(?:[^"\\]++|\\.)*+")|[ \t\r\n]++')
UNSAFE = re.compile(r"[\"'\\/\x00-\x1f\x80-\U0010ffff]")
NAMED = {"\b": r"\b", "\n": r"\n", "\t": r"\t", "\f": r"\f", "\r": r"\r"}
MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
MAX_DIGITS = 4000  # Python reads no longer ones as an integer


class BodyError(Exception):
    """The request's body is no JSON text."""


class JsonObject:
    """A JSON object for templates: its members by name, and nothing that a client's names could hide."""

    __slots__ = ("_members",)
    __iter__ = None  # Velocity walks over values, airspeed over names: neither is executed

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __str__(self) -> str:
        raise TypeError("an object has no JSON text in a template, but by $input.json")


class Body:
    """A request's body as `$input` shows it; an empty one is an empty object."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw or b"{}"
        try:
            self.text = raw.decode()
        except UnicodeDecodeError as error:
            raise BodyError("the body is not in UTF-8") from error

    def json(self, path: str) -> str:
        """Return the JSON text at a path as it was written, less the space between its parts."""
        found = self._find(path)
        return '""' if found is None else SPACE.sub(rb"\1", found).decode()

    def path(self, path: str) -> Any:
        """Return the value at a path; None when there is none."""
        found = self._find(path)
        return None if found is None else parse_json(found.decode())

    def _find(self, path: str) -> bytes | None:
        node = self._raw
        try:
            msgspec.json.decode(node, type=msgspec.Raw)
            for step in parse_path(path) or ():
                inner = _member(node, step) if isinstance(step, str) else _item(node, step)
                if inner is None:
                    return None
                node = inner
        except (msgspec.DecodeError, RecursionError) as error:
            raise BodyError(str(error)) from error
        return node


def _member(node: bytes, name: str) -> bytes | None:
    if not node.lstrip().startswith(b"{"):
        return None
    found = MEMBERS.decode(node).get(name)
    return None if found is None else bytes(found)


def _item(node: bytes, index: int) -> bytes | None:
    if not node.lstrip().startswith(b"["):
        return None
    items = ITEMS.decode(node)
    return bytes(items[index]) if index < len(items) else None


@functools.cache
def parse_path(path: str) -> tuple[str | int, ...] | None:
    """Read `$.name[0]`, the part of JSONPath that is executed here; None for another."""
    found = PATH.fullmatch(path)
    if found is None:
        return None
    return tuple(step[1] or int(step[2]) for step in STEP.finditer(found[1]))


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; raises BodyError."""
    try:
        return json.loads(text, object_hook=JsonObject, parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise BodyError(str(error)) from error


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def escape_javascript(text: str) -> str:
    r"""Escape as Java's StringEscapeUtils does: a quote ' too becomes \', which is no JSON."""
    return UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    if sign in "\"'\\/":
        return "\\" + sign
    if sign in NAMED:
        return NAMED[sign]
    units = sign.encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _decode(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


def _url_encode(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")


UTIL: dict[str, Callable[[str], Any]] = {
    "base64Decode": _decode,
    "base64Encode": _encode,
    "escapeJavaScript": escape_javascript,
    "parseJson": parse_json,
    "urlDecode": unquote_plus,
    "urlEncode": _url_encode,
}
