"""What readers carry between calls: shard iterators and tokens of ListShards; both live five minutes."""

import base64
import binascii
import time
from typing import Literal

import msgspec

from devstack.kinesis.faults import Fault, invalid
from devstack.kinesis.shapes import ShardFilter

LIFE_MS = 300_000


class ShardIterator(msgspec.Struct, tag="i", array_like=True, frozen=True):
    """A position: the index of the next record in one shard of one stream; `issued` in ms."""

    stream: int
    shard: int
    index: int
    issued: int


class ListToken(msgspec.Struct, tag="l", array_like=True, frozen=True):
    """Where a list of shards goes on: after the shard of this number."""

    stream: int
    after: int
    issued: int
    filter: ShardFilter | None = None


_DECODER = msgspec.msgpack.Decoder(ShardIterator | ListToken)


def write(token: ShardIterator | ListToken) -> str:
    """Write a token as the opaque text that clients see."""
    return base64.b64encode(msgspec.msgpack.encode(token)).decode()


def _read(text: str) -> ShardIterator | ListToken | None:
    try:
        found: ShardIterator | ListToken = _DECODER.decode(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return found


def read_iterator(text: str, now: int) -> ShardIterator:
    """Read a shard iterator; raises InvalidArgumentException or ExpiredIteratorException."""
    token = _read(text)
    if not isinstance(token, ShardIterator):
        raise invalid("Invalid ShardIterator.")
    if now - token.issued > LIFE_MS:
        raise _expired("Iterator", "ExpiredIteratorException", token.issued, now)
    return token


def read_list_token(text: str, now: int) -> ListToken:
    """Read a token of ListShards; raises InvalidArgumentException or ExpiredNextTokenException."""
    token = _read(text)
    if not isinstance(token, ListToken):
        raise invalid("Invalid NextToken.")
    if now - token.issued > LIFE_MS:
        raise _expired("NextToken", "ExpiredNextTokenException", token.issued, now)
    return token


def _expired(
    what: str, code: Literal["ExpiredIteratorException", "ExpiredNextTokenException"], issued: int, now: int
) -> Fault:
    return Fault(
        code,
        f"{what} expired. The {what.lower()} was created at time {_utc(issued)} while right now it is "
        f"{_utc(now)} which is further in the future than the tolerated delay of {LIFE_MS} milliseconds.",
    )


def _utc(moment: int) -> str:
    return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(moment / 1000))
