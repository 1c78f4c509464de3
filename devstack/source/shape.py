"""Numbers of the generated posts: who posts how often, from where, when, and which fields are missing.

Every draw is a uniform double of one seeded generator in a fixed order, mapped by a quantile function; so the
same seed gives the same posts, and the shares hold for any number of posts.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from devstack.source.words import COUNTRIES, FIRST_NAMES, LAST_NAMES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CATEGORY_SHARES = (7.9, 6.5, 9.6, 8.2, 7.6, 7.2, 7.4, 7.8, 7.7, 8.1, 7.9, 7.6, 6.5)  # per cent, by id
ACCOUNT_SIZES = (
    (0.78, 1),
    (0.89, 2),
    (0.94, 3),
    (0.96, 4),
)  # share of accounts up to here: posts; then a tail
LARGEST_ACCOUNT = 115
POSTS_PER_ACCOUNT = 2.17
SHARED_NAMES = 0.001
# An age is the least of as many draws as its account has posts; so the rows come to 45, 27, 19 and 9 %.
AGE_QUANTILES = ((0.0, 20), (0.0819, 25), (0.389, 36), (0.7673, 51), (1.0, 61))
JOINED = (datetime(2015, 10, 21, tzinfo=UTC), datetime(2017, 10, 20, tzinfo=UTC))
FOLLOWERS = (
    (0.0, 1), (0.10, 35), (0.162, 1_000), (0.50, 20_500), (0.75, 154_500), (0.90, 800_500),
    (0.9235, 1_000_000), (0.95, 2_400_000), (0.99, 5_050_000), (1.0, 15_900_000),
)  # fmt: skip
DRIFTING = 0.12

# Shares of all posts.
JOINT = 0.0060
USER_ERROR = 0.0066
NO_TITLE = 0.0066
EMPTY_TITLE = 0.0010
NO_TAGS = 0.0110
STORIES = 0.0695
IMAGE_ERROR = 0.0184
VIDEOS = 0.0300
NO_DESCRIPTION = 0.0160
UNTITLED = 0.0005

IMAGE, VIDEO, STORY = 0, 1, 2


class Draws:
    """One stream of uniform doubles; `random` and `random_raw` keep their values across numpy versions."""

    def __init__(self, random_seed: int) -> None:
        self._bits = np.random.PCG64(random_seed)
        self._random = np.random.Generator(self._bits)

    def uniform(self, count: int) -> Floats:
        """Return doubles in [0, 1)."""
        return self._random.random(count)

    def index(self, count: int, size: int) -> Ints:
        """Return whole numbers in [0, size)."""
        return (self.uniform(count) * size).astype(np.int64)

    def order(self, count: int) -> Ints:
        """Return a permutation."""
        return np.argsort(self.uniform(count), kind="stable").astype(np.int64)

    def raw(self, count: int) -> npt.NDArray[np.uint64]:
        """Return whole 64-bit words."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)


@dataclass(frozen=True)
class Accounts:
    """Attributes of each account; the last one is the account whose name and followers could not be read."""

    owner: Ints
    name: Ints
    first: Ints
    last: Ints
    age: Ints
    joined: Ints
    latitude: Floats
    longitude: Floats
    country: Ints
    unit: Ints
    suffix: Ints
    drift_at: Floats


@dataclass(frozen=True)
class Marks:
    """Which posts lack which field, and their medium."""

    user_error: Bools
    no_title: Bools
    empty_title: Bools
    no_tags: Bools
    medium: Ints
    image_error: Bools
    no_description: Bools
    untitled: Bools


def category_of(posts: int) -> Ints:
    """Return each post's category; ids run through the categories one after the other."""
    edges = np.cumsum(CATEGORY_SHARES) / sum(CATEGORY_SHARES)
    return np.searchsorted(edges, (np.arange(posts) + 0.5) / posts).astype(np.int64)


def timestamps(draws: Draws, posts: int, first: date, last: date) -> Ints:
    """Return post times as Unix seconds, uniform over the days; each of the last three days gets a post."""
    start = int(datetime.combine(first, datetime.min.time(), UTC).timestamp())
    days = (last - first).days + 1
    seconds = start + (draws.uniform(posts) * days * 86_400).astype(np.int64)
    for back in range(min(3, days, posts)):
        day = start + (days - 1 - back) * 86_400
        if not np.any((seconds >= day) & (seconds < day + 86_400)):
            seconds[back] = day + int(seconds[back] % 86_400)
    return seconds


def account_sizes(posts: int) -> Ints:
    """Return the number of posts of each account, ascending; they add up to `posts`."""
    largest = max(5, min(LARGEST_ACCOUNT, posts // 50))
    accounts = max(1, round(posts / POSTS_PER_ACCOUNT))
    sizes = _sizes(accounts, largest)
    sizes = _sizes(max(1, round(accounts * posts / int(sizes.sum()))), largest)
    missing = posts - int(sizes.sum())
    if missing >= 0:
        return np.concatenate([np.ones(missing, np.int64), sizes])
    kept = sizes[int(np.searchsorted(np.cumsum(sizes), -missing, side="left")) + 1 :]
    return np.concatenate([np.ones(posts - int(kept.sum()), np.int64), kept])


def _sizes(accounts: int, largest: int) -> Ints:
    at = (np.arange(accounts) + 0.5) / accounts
    edges = [edge for edge, _ in ACCOUNT_SIZES]
    sizes = np.array([size for _, size in ACCOUNT_SIZES] + [0])[np.searchsorted(edges, at)]
    tail = sizes == 0
    low, high = 5.0**-0.5, (largest + 1.0) ** -0.5
    share = (at[tail] - edges[-1]) / (1 - edges[-1])
    sizes[tail] = np.floor((low - share * (low - high)) ** -2.0)
    return sizes.astype(np.int64)


def accounts(draws: Draws, user_error: Bools, first: date) -> Accounts:
    """Deal the posts out to accounts; attributes are the least of one draw a post."""
    posts = len(user_error)
    unread = int(user_error.sum())
    sizes = account_sizes(posts - unread) if posts > unread else np.zeros(0, np.int64)
    readable = len(sizes)
    owner = np.full(posts, readable, np.int64)
    dealt = np.repeat(np.arange(readable), sizes)
    owner[~user_error] = dealt[draws.order(len(dealt))]
    counts = np.append(sizes, max(1, unread))

    def least() -> Floats:
        return np.asarray(1 - (1 - draws.uniform(len(counts))) ** (1 / counts))

    def pick(size: int) -> Ints:
        return (least() * size).astype(np.int64)

    until = min(
        int(JOINED[1].timestamp()), int(datetime.combine(first, datetime.min.time(), UTC).timestamp())
    )
    since = min(int(JOINED[0].timestamp()), until - int(timedelta(days=730).total_seconds()))
    unit, suffix = _followers(draws, sizes)
    return Accounts(
        owner=owner,
        name=_names(draws, readable),
        first=pick(len(FIRST_NAMES)),
        last=pick(len(LAST_NAMES)),
        age=np.floor(np.interp(least(), *np.array(AGE_QUANTILES).T)).astype(np.int64),
        joined=since + pick(until - since),
        latitude=significant(-90 + least() * 180),
        longitude=significant(-180 + least() * 360),
        country=pick(len(COUNTRIES)),
        unit=unit,
        suffix=suffix,
        drift_at=np.where(draws.uniform(readable + 1) < DRIFTING, draws.uniform(readable + 1), 2.0),
    )


def significant(values: Floats) -> Floats:
    """Round to at most six significant digits, which a FLOAT column gives back unchanged."""
    return np.where(np.abs(values) >= 100, np.round(values, 3), np.round(values, 4))


def _names(draws: Draws, readable: int) -> Ints:
    """Number the names; one in a thousand is shared by two accounts."""
    name = np.arange(readable + 1)
    shared = round(readable * SHARED_NAMES)
    mixed = draws.order(readable)
    name[mixed[:shared]] = mixed[shared : 2 * shared]
    return name


def _followers(draws: Draws, sizes: Ints) -> tuple[Ints, Ints]:
    """Give each account a follower count such that the quantiles hold over posts, not accounts."""
    mixed = draws.order(len(sizes))
    rank = np.empty(len(sizes))
    rank[mixed] = (np.cumsum(sizes[mixed]) - sizes[mixed] / 2) / max(1, int(sizes.sum()))
    quantiles, values = np.array(FOLLOWERS).T
    count = np.floor(np.exp(np.interp(rank, quantiles, np.log(values)))).astype(np.int64)
    suffix = np.searchsorted([1_000, 1_000_000], count, side="right")
    unit = count // np.array([1, 1_000, 1_000_000])[suffix]
    return np.append(unit, 0), np.append(suffix, 0).astype(np.int64)


def marks(draws: Draws, posts: int) -> Marks:
    """Choose the posts with missing fields, as exact shares; some posts lack everything at once."""
    order = draws.order(posts)
    taken = 0

    def some(share: float) -> Bools:
        nonlocal taken
        chosen = np.zeros(posts, np.bool_)
        until = min(posts, taken + round(posts * share))
        chosen[order[taken:until]] = True
        taken = until
        return chosen

    joint = some(JOINT)
    user, title = some(USER_ERROR - JOINT), some(NO_TITLE - JOINT)
    tags, empty = some(NO_TAGS - JOINT), some(EMPTY_TITLE)
    order, taken = draws.order(posts), 0
    order = order[~joint[order]]
    broken, whole = some(IMAGE_ERROR - JOINT), some(STORIES - IMAGE_ERROR)
    video, bare, untitled = some(VIDEOS), some(NO_DESCRIPTION), some(UNTITLED)
    medium = np.where(joint | broken | whole, STORY, np.where(video, VIDEO, IMAGE))
    return Marks(
        user_error=joint | user,
        no_title=joint | title,
        empty_title=empty,
        no_tags=joint | tags,
        medium=medium.astype(np.int64),
        image_error=joint | broken,
        no_description=bare,
        untitled=untitled,
    )


def as_datetimes(seconds: Ints) -> list[Any]:
    """Turn Unix seconds into datetimes without a zone, as DATETIME columns hold them (UTC)."""
    return seconds.astype("datetime64[s]").tolist()  # type: ignore[no-any-return]
