"""The source database's content: generated from a seed, a person's own dump, or posts that keep coming."""

import re
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from devstack.errors import StackError
from devstack.source.generate import Plan

if TYPE_CHECKING:
    from devstack.config import Settings  # the Spark environment, which also generates, lacks its library


def plan(
    posts: int | str | None = None, span: str | None = None, random_seed: int | str | None = None
) -> Plan:
    """Check what was asked for; what is None keeps its default."""
    default = Plan()
    first, last = (default.first, default.last) if not span else _days(span)
    count = _whole("POSTS", posts, default.posts)
    if not 1 <= count <= 20_000_000:
        raise StackError(f"POSTS={count} must lie between 1 and 20000000. Repair: give such a number.")
    return Plan(count, first, last, _whole("RANDOM_SEED", random_seed, default.random_seed))


def refuse_together(**wishes: str | float | None) -> str | None:
    """Return which of `source` and `live` is wished for; raises when a wish beside it has no meaning."""
    asked = [name for name, value in wishes.items() if value not in (None, "")]
    way = next((name for name in ("source", "live") if name in asked), None)
    allowed = {"source": ["source"], "live": ["live", "for"]}.get(way or "", ["posts", "span", "random_seed"])
    if beside := [name for name in asked if name not in allowed]:
        words = {
            "source": "SOURCE replaces the content by a dump",
            "live": "LIVE adds posts to what is there",
        }
        said = words.get(way or "", "generated posts replace the content at once")
        raise StackError(
            f"{said}, so {', '.join(name.upper() for name in beside)} beside it has no meaning. "
            f"Repair: leave {'it' if len(beside) == 1 else 'them'} out, or seed in two steps."
        )
    return way


def rate(live: str) -> int:
    """Check the posts per minute."""
    wanted = _whole("LIVE", live, 10)
    if not 1 <= wanted <= 60_000:
        raise StackError(f"LIVE={live} must lie between 1 and 60000 posts a minute. Repair: write LIVE=10.")
    return wanted


def _whole(name: str, value: int | str | None, default: int) -> int:
    try:
        number = default if value in (None, "") else int(str(value).replace("_", ""))
    except ValueError:
        number = -1
    if number < 0:
        raise StackError(
            f"{name}={value} is not a whole number of at least 0. Repair: write {name}={default}."
        )
    return number


def _days(span: str) -> tuple[date, date]:
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)", span.strip())
    try:
        first, last = (date.fromisoformat(day) for day in found.groups()) if found else (date.max, date.min)
    except ValueError:
        first, last = date.max, date.min
    if first > last or first.year < 1970:
        raise StackError(
            f"SPAN={span} is not two days FROM..TO in order, from 1970 on. "
            "Repair: write both days, both included, as in SPAN=2022-10-01..2022-10-30."
        )
    return first, last


def seed(
    settings: "Settings",
    *,
    posts: int | str | None = None,
    span: str | None = None,
    random_seed: int | str | None = None,
) -> str:
    """Replace the source's content by generated posts; print and return the digest of the rows."""
    from devstack.source.generate import Generator, Hashed
    from devstack.source.load import replace

    begun = time.monotonic()
    asked = plan(posts, span, random_seed)
    generator = Generator(asked)
    hashed = Hashed(generator.chunks())
    replace(settings, hashed.chunks())
    newest = datetime.fromtimestamp(int(generator.seconds.max()), UTC)
    print(
        f"Seeded {asked.posts:,} posts from {asked.first} to {asked.last} (UTC days, both included) "
        f"in {time.monotonic() - begun:.1f} s.\n"
        f"Newest post: {newest:%Y-%m-%d %H:%M:%S} UTC. Random seed: {asked.random_seed}.\n"
        f"SHA-256 of the rows: {hashed.digest}"
    )
    return hashed.digest
