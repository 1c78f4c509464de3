"""The questions answered once more: plain Python over raw source rows, written from the definitions.

This is the independent check of the pipeline. It shares no code with it and reads none of its SQL. Where a
definition leaves an edge open, this is how it is read here: a post is an id of the geo table with a time (only such
ids are ever selected); of several rows with one id the last counts; a row with a value that cannot be read is out of
its table, but the post keeps what the other tables say; NULL countries and NULL categories are in no group; a poster
whose followers are all NULL comes last, but is a poster; a group of users without any follower count has a NULL
median.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any

Row = Sequence[Any]
Window = tuple[datetime, datetime]
Table = list[tuple[Any, ...]]

MARKERS = {
    "title": {"No Title Data Available"},
    "description": {"No description available", "No description available Story format", "Untitled"},
    "poster_name": {"User Info Error"},
    "follower_count": {"User Info Error"},
    "tag_list": {"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"},
    "image_src": {"Image src error."},
}
FOLLOWERS = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
FACTORS = {"": 1, "k": 1_000, "M": 1_000_000}
AGE_GROUPS = (("18-24", 18, 24), ("25-35", 25, 35), ("36-50", 36, 50), ("50+", 51, 10**9))
POST_YEARS = range(2018, 2023)
JOIN_YEARS = range(2015, 2021)
BANDS = (("1M+", 1_000_000), ("100k-999k", 100_000), ("10k-99k", 10_000), ("1k-9k", 1_000), ("0-999", 0))
VIDEOS = ("video", "multi-video(story page format)")
# column of post_wide: field of a post
FIELDS = {
    "category": "category",
    "poster_name": "poster_name",
    "follower_count": "followers",
    "is_image_or_video": "medium",
    "country": "country",
    "post_ts": "post_time",
    "user_name": "user_name",
    "age": "age",
    "date_joined": "joined",
}
TIME_FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y:%m:%d %H:%M:%S")


class UnreadableError(ValueError):
    """A typed value cannot be read: the row belongs in quarantine."""


@dataclass(frozen=True)
class Post:
    """What is known of one post; None where nothing is."""

    category: str | None = None
    poster_name: str | None = None
    followers: int | None = None
    country: str | None = None
    post_time: datetime | None = None
    user_name: str | None = None
    age: int | None = None
    joined: datetime | None = None
    medium: str | None = None

    @property
    def identity(self) -> tuple[str | None, int | None, datetime | None]:
        return self.user_name, self.age, self.joined

    @property
    def age_group(self) -> str | None:
        return next((name for name, low, high in AGE_GROUPS if self.age and low <= self.age <= high), None)


@dataclass(frozen=True)
class Expected:
    """How many rows of a table must be where; acknowledged = silver + quarantined."""

    selected: int
    orphans: int
    silver: int
    quarantined: int
    doubles: int


def text(value: Any, markers: Iterable[str] = ()) -> str | None:
    """Trim; nothing and markers are None."""
    trimmed = None if value is None else str(value).strip(" \t\r\n")
    return None if not trimmed or trimmed in markers else trimmed


def whole(value: Any) -> int | None:
    plain = text(value)
    if plain is not None and not re.fullmatch(r"[+-]?\d+", plain):
        raise UnreadableError(f"{value!r} is no whole number")
    return None if plain is None else int(plain)


def time_of(value: Any) -> datetime | None:
    plain = text(value)
    if isinstance(value, datetime) or plain is None:
        return value if isinstance(value, datetime) else None
    for form in TIME_FORMS:
        try:
            return datetime.strptime(plain, form)
        except ValueError:
            continue
    raise UnreadableError(f"{value!r} is no time")


def follower_number(value: Any) -> int | None:
    plain = text(value, MARKERS["follower_count"])
    if plain is None:
        return None
    found = FOLLOWERS.fullmatch(plain)
    number = Decimal(found[1]) * FACTORS[found[2]] if found else Decimal("0.5")
    if number != int(number) or number >= 2**63:
        raise UnreadableError(f"{value!r} is no number of followers")
    return int(number)


def degrees(value: Any, limit: int) -> float | None:
    plain = text(value)
    if plain is None:
        return None
    try:
        number = float(plain)
    except ValueError as error:
        raise UnreadableError(f"{value!r} is no number") from error
    if not -limit <= number <= limit:
        raise UnreadableError(f"{value!r} lies outside [-{limit}, {limit}]")
    return number


def pin_part(row: Row) -> dict[str, Any]:
    return {
        "poster_name": text(row[4], MARKERS["poster_name"]),
        "followers": follower_number(row[5]),
        "category": text(row[11]),
        "medium": text(row[7]),
    }


def geo_part(row: Row) -> dict[str, Any]:
    degrees(row[2], 90)
    degrees(row[3], 180)
    return {"post_time": time_of(row[1]), "country": text(row[4])}


def user_part(row: Row) -> dict[str, Any]:
    first, last = text(row[1]), text(row[2])
    name = None if first is None or last is None else f"{first} {last}"
    return {"user_name": name, "age": whole(row[3]), "joined": time_of(row[4])}


PARTS: dict[str, Callable[[Row], dict[str, Any]]] = {"pin": pin_part, "geo": geo_part, "user": user_part}


def selected(geos: Iterable[Row], window: Window | None) -> set[int]:
    """Ids of the window's posts."""

    def inside(value: Any) -> bool:
        try:
            at = time_of(value)
        except UnreadableError:
            return False
        return at is not None and (window is None or window[0] <= at < window[1])

    return {row[0] for row in geos if inside(row[1])}


def read(
    tables: dict[str, Iterable[Row]], window: Window | None
) -> tuple[dict[int, dict[str, Any]], dict[str, Expected]]:
    """Clean the rows of the selected ids and count where each must be."""
    geos = list(tables["geo"])
    ids = selected(geos, window)
    posts: dict[int, dict[str, Any]] = defaultdict(dict)
    counts = {}
    for name, rows in (tables | {"geo": geos}).items():
        mine = [row for row in rows if row[0] in ids]
        last = {row[0]: row for row in mine}
        bad = 0
        for ind, row in last.items():
            try:
                posts[ind].update(PARTS[name](row))
            except UnreadableError:
                bad += 1
        counts[name] = Expected(
            selected=len(ids),
            orphans=len(ids) - len(last),
            silver=len(last) - bad,
            quarantined=bad,
            doubles=len(mine) - len(last),
        )
    return posts, counts


def clean_expectation(
    pins: Iterable[Row], geos: Iterable[Row], users: Iterable[Row], window: Window | None = None
) -> dict[str, Expected]:
    """Return for pin, geo and user how many rows must be in silver and in quarantine."""
    return read({"pin": pins, "geo": geos, "user": users}, window)[1]


def answers(
    pins: Iterable[Row], geos: Iterable[Row], users: Iterable[Row], window: Window | None = None
) -> dict[str, Table]:
    """Answer every question over source rows in the column order of the source; rows come out sorted."""
    return answers_of(cleaned_posts(pins, geos, users, window))


def cleaned_posts(
    pins: Iterable[Row], geos: Iterable[Row], users: Iterable[Row], window: Window | None = None
) -> list[Post]:
    """Return the posts of source rows."""
    cleaned, _ = read({"pin": pins, "geo": geos, "user": users}, window)
    return [Post(**parts) for parts in cleaned.values()]


def answers_of(posts: Sequence[Post]) -> dict[str, Table]:
    """Answer every question over posts; rows come out sorted."""
    by_country = counted((post.country, post.category) for post in posts)
    by_year = counted(
        (post.post_time.year, post.category)
        for post in posts
        if post.post_time and post.post_time.year in POST_YEARS
    )
    by_age = counted((post.age_group, post.category) for post in posts)
    top_users = poster_followers(posts)
    people = user_followers(posts)
    result = {
        "top_category_by_country": first_of(by_country),
        "top_category_by_country_ranked": ties_of(by_country),
        "top_category_by_year": first_of(by_year),
        "top_category_by_year_ranked": ties_of(by_year),
        "categories_by_year": by_year,
        "top_category_by_age_group": first_of(by_age),
        "top_category_by_age_group_ranked": ties_of(by_age),
        "top_user_by_country": first_of(top_users),
        "top_user_by_country_ranked": ties_of(top_users),
        "top_country_by_followers": top_country(top_users),
        "median_followers_by_age_group": medians(people, lambda post: keys(post.age_group)),
        "median_followers_by_join_year": medians(people, lambda post: keys(join_year(post))),
        "median_followers_by_join_year_and_age_group": medians(
            people, lambda post: keys(post.age_group, join_year(post))
        ),
        "users_joined_by_year": sorted(Counter(year for post in people if (year := join_year(post))).items()),
        "posts_by_day_and_category": counted(
            (post.post_time.date(), post.category) for post in posts if post.post_time
        ),
        "users_joined_by_month": growth(post.joined for post in people),
        "followers_by_category": bands(posts),
        "video_share_by_year": video_shares(posts),
        "known_values": known(posts),
    }
    return {name: sorted(rows, key=sort_key) for name, rows in result.items()}


def sort_key(row: Row) -> list[tuple[bool, Any]]:
    """Sort None before everything."""
    return [(value is not None, value if value is not None else 0) for value in row]


def counted(pairs: Iterable[tuple[Any, str | None]]) -> Table:
    """Count posts by group and category."""
    counts = Counter((group, name) for group, name in pairs if group is not None and name is not None)
    return [(group, name, count) for (group, name), count in counts.items()]


def grouped(rows: Table) -> Iterator[Table]:
    """Yield the rows of each group, the highest value first, then by name."""
    groups: dict[Any, Table] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    for group in groups.values():
        yield sorted(group, key=lambda row: (row[2] is None, -(row[2] or 0), row[1]))


def first_of(rows: Table) -> Table:
    return [group[0] for group in grouped(rows)]


def ties_of(rows: Table) -> Table:
    return [row for group in grouped(rows) for row in group if row[2] == group[0][2]]


def poster_followers(posts: Iterable[Post]) -> Table:
    """Return the most followers of each poster in each country."""
    most: dict[tuple[str, str], int | None] = {}
    for post in posts:
        if post.country is not None and post.poster_name is not None:
            key = post.country, post.poster_name
            most[key] = larger(most.get(key), post.followers)
    return [(country, name, followers) for (country, name), followers in most.items()]


def larger(left: int | None, right: int | None) -> int | None:
    return max((value for value in (left, right) if value is not None), default=None)


def top_country(top_users: Table) -> Table:
    ordered = sorted(top_users, key=lambda row: (row[2] is None, -(row[2] or 0), row[0]))
    return [(country, followers) for country, _, followers in ordered[:1]]


def user_followers(posts: Iterable[Post]) -> dict[Post, int | None]:
    """Return one post of each user with the most followers the user ever had."""
    first: dict[Any, Post] = {}
    most: dict[Any, int | None] = {}
    for post in posts:
        first.setdefault(post.identity, post)
        most[post.identity] = larger(most.get(post.identity), post.followers)
    return {post: most[identity] for identity, post in first.items()}


def join_year(post: Post) -> int | None:
    return post.joined.year if post.joined and post.joined.year in JOIN_YEARS else None


def growth(joined: Iterable[datetime | None]) -> Table:
    """Count the users of each month, and those up to its end."""
    months = Counter(at.date().replace(day=1) for at in joined if at)
    return [
        (month, months[month], sum(count for other, count in months.items() if other <= month))
        for month in months
    ]


def bands(posts: Iterable[Post]) -> Table:
    """Count the users of each category by the most followers they show in it."""
    most: dict[Any, int] = {}
    for post in posts:
        if post.category is not None and post.followers is not None:
            key = post.category, post.identity
            most[key] = max(most.get(key, 0), post.followers)
    counts = Counter(
        (category, next(name for name, low in BANDS if followers >= low))
        for (category, _), followers in most.items()
    )
    return [(*key, count) for key, count in counts.items()]


def video_shares(posts: Iterable[Post]) -> Table:
    known_ones = [post for post in posts if post.medium is not None]
    dated = [(post.post_time.year, post.medium in VIDEOS) for post in known_ones if post.post_time]
    years = Counter(year for year, _ in dated)
    videos = Counter(year for year, is_video in dated if is_video)
    return [(year, count, videos[year], videos[year] / count) for year, count in years.items()]


def known(posts: Sequence[Post]) -> Table:
    """Count the posts in which each field is known, with the newest day of them."""
    rows: Table = []
    for column, field in FIELDS.items() if posts else ():
        having = [post for post in posts if getattr(post, field) is not None]
        newest = max((post.post_time.date() for post in having if post.post_time), default=None)
        rows.append((column, len(posts), len(having), len(having) / len(posts), newest))
    return rows


def keys(*parts: Any) -> tuple[Any, ...] | None:
    return None if None in parts else parts


def medians(people: dict[Post, int | None], group_of: Callable[[Post], tuple[Any, ...] | None]) -> Table:
    """Return the exact median of each group's known follower counts."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for post, followers in people.items():
        group = group_of(post)
        if group is not None:
            groups[group] += [] if followers is None else [followers]
    return [(*group, float(median(values)) if values else None) for group, values in groups.items()]
