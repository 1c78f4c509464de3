"""The envelope of records: where each key and value begins and ends in the request's own bytes."""

import json
from typing import Annotated, NamedTuple

import msgspec

from devstack.asgi import is_utf8
from devstack.kafka_rest.faults import Fault, unprocessable

ANY_PARTITION = -1
_NULL = msgspec.Raw(b"null")
_Partition = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Record(NamedTuple):
    """One record as Kafka gets it; JSON's null is no key, or a tombstone."""

    key: bytes | None
    value: bytes | None
    partition: int


class _Sliced(msgspec.Struct, forbid_unknown_fields=True):
    """A record whose key and value stay text: what is parsed and printed again loses zeros and digits."""

    key: msgspec.Raw = _NULL
    value: msgspec.Raw = _NULL
    partition: _Partition | None = None


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    records: Annotated[list[_Sliced], msgspec.Meta(min_length=1)]


_DECODER = msgspec.json.Decoder(_Envelope)


def read(body: bytes) -> list[Record]:
    """Slice the records out of a body; raises Fault 422.

    Line feeds can only lie between tokens, since JSON strings hold none; without them a value is one line,
    as the sink needs it. Of repeated names the last counts, as in Jackson.
    """
    if not is_utf8(body):
        raise unprocessable("The body is not UTF-8")
    try:
        sliced = _DECODER.decode(body).records
    except msgspec.ValidationError as error:
        raise unprocessable(str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _malformed(body, error) from error
    text = _one_line if b"\n" in body or b"\r" in body else bytes
    return [
        Record(
            None if record.key == _NULL else text(record.key),
            None if record.value == _NULL else text(record.value),
            ANY_PARTITION if record.partition is None else record.partition,
        )
        for record in sliced
    ]


def _one_line(raw: msgspec.Raw) -> bytes:
    return bytes(raw).translate(None, b"\r\n")


def _malformed(body: bytes, error: Exception) -> Fault:
    if isinstance(error, RecursionError):
        return unprocessable("JSON is nested too deep")
    if _is_grammatical(body):
        return unprocessable("A JSON string holds half of a surrogate pair, which is no character")
    return unprocessable(str(error))


def _is_grammatical(body: bytes) -> bool:
    """Tell whether the text follows JSON's grammar, surrogates aside."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(body.decode(), parse_constant=refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True
