"""Which lines of the lake's objects are one user's, and the objects without them."""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pinflow.errors import EraseError
from pinflow.hooks.source import KEY

# no post has it: a line that holds it is nobody's row, so that a window cleaned again drops it without a word
ERASED = -(2**31)
_LOOSE_ID = re.compile(rb'"(?:index|ind)"\s*:\s*"?(-?[0-9]{1,10})')
_LOOSE_NAME = rb'"%s"\s*:\s*("(?:[^"\\]|\\.)*")'
_WHOLE = re.compile(r"-?[0-9]{1,10}(?:\.0+)?")
_REPAIR = (
    'trigger again with erase as {"user_name": "Aaron Abbott", "age": 20, "date_joined": "2015-10-21"}; age '
    "and date_joined may be left out, null is a user who has none."
)
Lines = tuple[bytes, int]  # an object's new content, and how many lines went


@dataclass(frozen=True)
class Request:
    """The param `erase`: a user's name, and age and date_joined as far as they are given."""

    user_name: str
    given: Mapping[str, Any]

    @classmethod
    def parse(cls, param: Any) -> Self:
        """Validate the param; raises EraseError, which does not repeat the name."""
        if not isinstance(param, dict) or not {"user_name"} <= set(param) <= {
            "user_name",
            "age",
            "date_joined",
        }:
            raise EraseError("The param `erase` is no object of user_name, age and date_joined.", _REPAIR)
        name, age, joined = param["user_name"], param.get("age"), param.get("date_joined")
        faults = [] if isinstance(name, str) and name.strip() else ["user_name is no text"]
        if not (age is None or type(age) is int):
            faults.append("age is no whole number")
        if joined is not None:
            try:
                joined = _stamp(joined)
            except (TypeError, ValueError):
                faults.append("date_joined is no date such as 2015-10-21 or 2015-10-21T03:04:05")
        if faults:
            raise EraseError(f"The param `erase` cannot be used: {'; '.join(faults)}.", _REPAIR)
        given = {"age": age, "date_joined": joined}
        return cls(name, {key: value for key, value in given.items() if key in param})

    @property
    def digest(self) -> str:
        """SHA-256 of the name: what runs are told instead of it."""
        return hashlib.sha256(self.user_name.encode("utf-8", "replace")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return what find_user is told."""
        return {"name_sha256": self.digest, **self.given}


def _stamp(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return f"{moment:%Y-%m-%d}" if len(text.strip()) == len("2015-10-21") else f"{moment:%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class User:
    """A user as found; `identity` is age and date_joined, `sole`: nobody else has the name."""

    posts: frozenset[int]
    user_name: str
    identity: tuple[Any, Any] | None
    sole: bool

    def owns(self, table: str, line: bytes) -> bool:
        """Tell whether a line of a table's object is the user's."""
        pairs = _pairs(line)
        inds = {_whole(value) for name, value in pairs if name == KEY[table]} - {None}
        if not inds:  # a line that is no row of anybody
            return self._owns_loosely(table, line)
        return bool(inds & self.posts) or (table == "user" and self._named(dict(pairs)))

    def _named(self, row: dict[str, Any]) -> bool:
        """Tell whether a row holds this very user, whose post may be another's by now."""
        if f"{row.get('first_name')} {row.get('last_name')}" != self.user_name:
            return False
        joined = str(row.get("date_joined") or "")
        joined = f"{joined[:10].replace(':', '-')} {joined[11:19]}" if joined.strip() else ""
        return (row.get("age"), joined or None) == self.identity

    def _owns_loosely(self, table: str, line: bytes) -> bool:
        if any(int(ind) in self.posts for ind in _LOOSE_ID.findall(line)):
            return True
        return table == "user" and self.sole and _loose_name(line) == self.user_name


def _pairs(line: bytes) -> list[tuple[str, Any]]:
    """Read a JSON object as pairs, repeated names too; anything else has none."""
    if not line.lstrip().startswith(b"{"):
        return []
    try:
        pairs: list[tuple[str, Any]] = json.loads(line, object_pairs_hook=list)
    except ValueError:
        return []
    return pairs


def _whole(value: Any) -> int | None:
    """Read an id as Spark does: a whole number, or a text that is one."""
    text = str(value)
    return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else None


def _loose_name(line: bytes) -> str | None:
    names = []
    for field in (b"first_name", b"last_name"):
        found = re.search(_LOOSE_NAME % field, line)
        if not found:
            return None
        names.append(json.loads(found[1].decode("utf-8", "replace"), strict=False))
    return " ".join(names)


def _placeholder(key: str) -> bytes:
    return json.dumps({key: ERASED}, separators=(",", ":")).encode()


def erased(line: bytes, key: str) -> bool:
    """Tell whether a line was put in the place of an erased one."""
    return line == _placeholder(key)


def blank(content: bytes, table: str, user: User) -> Lines:
    """Put a row of nobody in the place of each of the user's lines: a line's number is its offset."""
    placeholder = _placeholder(KEY[table])
    lines = content.split(b"\n")
    kept = [placeholder if user.owns(table, line) else line for line in lines]
    return b"\n".join(kept), sum(one is not other for one, other in zip(kept, lines, strict=True))


def drop(content: bytes, posts: frozenset[int]) -> Lines:
    """Leave the lines of an id file out that are about these posts."""
    lines = content.split(b"\n")
    kept = [line for line in lines if not line or json.loads(line).get("ind") not in posts]
    return b"\n".join(kept), len(lines) - len(kept)


def zipped(change: Callable[[bytes], Lines], content: bytes) -> Lines:
    """Change what is inside a gzipped object."""
    inside, count = change(gzip.decompress(content))
    return gzip.compress(inside, compresslevel=1, mtime=0), count


def pack_posts(posts: Iterator[int]) -> bytes:
    """Write ids as JSON lines."""
    return "".join(f'{{"ind":{ind}}}\n' for ind in posts).encode()
