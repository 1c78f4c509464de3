"""The host's time zone, as a test sets it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia")
# days on which clocks change somewhere, Apia's that never was, leap days and the ends of years
STRANGE_DAYS = (
    "2022-03-13", "2022-11-06", "2022-03-27", "2022-10-30", "2021-09-26", "2021-04-04", "2011-12-30",
    "2020-02-28", "2020-02-29", "2020-03-01", "2021-02-28", "2021-03-01", "2021-12-31", "2022-01-01",
)  # fmt: skip


@contextmanager
def host_zone(name: str) -> Iterator[None]:
    """Let this process run in another zone; skips where the machine does not know it."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        summer = datetime(2022, 7, 1, tzinfo=ZoneInfo(name))
        if summer.astimezone().utcoffset() != summer.utcoffset():
            pytest.skip(f"this machine has no time zone {name}: `apt-get install tzdata`")
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()
