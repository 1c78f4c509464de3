"""Sequence numbers: 56 digits that hold the shard's epoch, the record's place in the shard, and the shard."""

import re
from typing import NamedTuple

# bit 185 is set, as in AWS's second version: every number has 56 digits
_VERSION_BITS, _VERSION = 4, 2
_SHARD_BITS = 32
_INDEX_BITS = 64
_EPOCH_SHIFT, _EPOCH_BITS = 148, 36
_TOP = 1 << 185
_SHARD_SHIFT = _VERSION_BITS
_INDEX_SHIFT = _SHARD_SHIFT + _SHARD_BITS
_DIGITS = re.compile(r"[1-9][0-9]{55}")
# the index of EndingSequenceNumber: no record gets it
LAST = 2**63 - 1


class Sequence(NamedTuple):
    """A sequence number taken apart; epochs are seconds and differ between any two reshardings."""

    epoch: int
    place: int
    shard: int

    def __str__(self) -> str:
        return str(
            _TOP
            | self.epoch << _EPOCH_SHIFT
            | self.place << _INDEX_SHIFT
            | self.shard << _SHARD_SHIFT
            | _VERSION
        )


def parse(text: str) -> Sequence | None:
    """Take a sequence number apart; None when it is none of ours."""
    if not _DIGITS.fullmatch(text):
        return None
    value = int(text)
    found = Sequence(
        (value >> _EPOCH_SHIFT) & ((1 << _EPOCH_BITS) - 1),
        (value >> _INDEX_SHIFT) & ((1 << _INDEX_BITS) - 1),
        (value >> _SHARD_SHIFT) & ((1 << _SHARD_BITS) - 1),
    )
    return found if str(found) == text else None
