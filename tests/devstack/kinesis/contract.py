"""What the contract's cases share: each runs against the endpoint and against moto."""

import hashlib
from typing import Any

import pytest

ALL_KEYS = 2**128
MIB = 1024 * 1024


def against(moto_differs: str = "") -> pytest.MarkDecorator:
    """Run a case against both; one that moto must fail says why, and by which page."""
    marks = [pytest.mark.xfail(strict=True, reason=moto_differs)] if moto_differs else []
    return pytest.mark.parametrize("service", ["endpoint", pytest.param("moto", marks=marks)], indirect=True)


both = against()


def shard_of(key: str, count: int) -> str:
    """Return the shard of a partition key among evenly divided ones."""
    return f"shardId-{int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) * count // ALL_KEYS:012}"


def bounds(shard: dict[str, Any]) -> tuple[int, int]:
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])


def name_of(shard: dict[str, Any]) -> str:
    return str(shard["ShardId"])
