"""Posts that the questions are asked of: as `make seed` makes them, hostile ones, unknown ones, a million."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

from pyspark.sql import DataFrame, SparkSession

from devstack.source.generate import Generator, Plan
from tests.answers import Post, cleaned_posts

MILLION = 1_000_000
NAMES = (
    None, "", " ", "ann", "Ann", "O'Neil", '"Q"\\', "Ann\nLee", "{{ gold }}", "'; DROP VIEW post_wide_case; --",
    "\u00e9", "e\u0301", "\u202eabc", "\u05e9\u05dc\u05d5\u05dd", "\U0001f600", "\U0001f469\u200d\U0001f467",
)  # fmt: skip
TWINS = {name: NAMES[n ^ 1] for n, name in enumerate(NAMES[:8])} | {NAMES[8]: NAMES[8]}
AGES = (None, -1, 0, 17, 18, 24, 25, 35, 36, 50, 51, 120)
POSTED = [datetime(*day, tzinfo=UTC) for day in ((2018, 1, 1), (2020, 2, 29), (2023, 1, 1))]
JOINED = [datetime(*day, tzinfo=UTC) for day in ((2015, 1, 1), (2017, 6, 1), (2021, 1, 1))]
MEDIA = (None, "", "image", "Image", "video", "multi-video(story page format)", "video ")
FOLLOWERS = (None, 0, 1, 2, 999, 1_500, 15_000_000)
UNKNOWN = [
    Post(country="No count", poster_name="Bob", category="art"),
    Post(country="No count", poster_name="Ann", category="art"),
    Post(country="Also none", poster_name="Ann", category="beauty"),
    Post(country="No category", poster_name="Ann"),
    Post(country="No poster", followers=9, category="art"),
    Post(user_name="Ann Lee", age=30, joined=datetime(2016, 5, 1, tzinfo=UTC)),
    Post(user_name="Ann Lee", age=31, joined=datetime(2016, 5, 1, tzinfo=UTC)),
    Post(),
]
STEPS = (
    {
        "ind": "int(id)",
        "poster": "id % 400000",
        "person": "id % 400000 div 2",
        "nation": "nullif(id % 400000 % 241, 0)",
    },
    {
        "age": "if(person % 17 = 0, NULL, int(person % 64))",
        "date_joined": "if(person % 29 = 0, NULL, timestampadd(SECOND, int(person % 2250) * 86400 - 1, timestamp'2014-12-31'))",
    },
    {
        "post_ts": "if(id % 101 = 0, NULL, timestampadd(SECOND, int(id * 31), make_timestamp(int(2017 + id % 7), 1, 1, 0, 0, 0)))",
        "is_image_or_video": "element_at(array('image', 'video', 'multi-video(story page format)', NULL), int(id % 4) + 1)",
        "category": "if(id % 11 = 0 OR nation = 8, NULL, concat('category ', id % 13))",
        "country": "concat('country ', nation)",
        "poster_name": "if(poster % 150 = 0 OR nation = 9, NULL, concat('poster ', poster % 390000))",
        "user_name": "if(person % 23 = 0, NULL, concat('first ', person % 40, ' last ', person % 1000))",
        "follower_count": (
            "if(poster % 15 = 0 OR nation = 7 OR year(date_joined) = 2019 OR age > 50 AND year(date_joined) = 2016, NULL, "
            "(poster % 50) * 1000 + id div 400000)"
        ),
    },
)


def generated() -> list[Post]:
    """Return the posts of `make seed`, cleaned by the independent check."""
    chunks = list(Generator(Plan()).chunks())
    frames = (
        [chunk.pins for chunk in chunks],
        [chunk.geos for chunk in chunks],
        [chunk.users for chunk in chunks],
    )
    return cleaned_posts(*map(chain.from_iterable, frames))


def hostile() -> list[Post]:
    """Draw from few values, edges and odd names among them; a second copy in a twin category makes them tie."""
    draw = random.Random(6)  # noqa: S311 - test rows

    def edge(edges: list[datetime]) -> datetime | None:
        return draw.choice([None, *edges, *(at - timedelta(seconds=1) for at in edges)])

    drawn = [
        Post(
            category=draw.choice(NAMES[:9]),
            poster_name=draw.choice(NAMES),
            followers=draw.choice(FOLLOWERS),
            country=draw.choice(NAMES),
            post_time=edge(POSTED),
            user_name=draw.choice(NAMES),
            age=draw.choice(AGES),
            joined=edge(JOINED),
            medium=draw.choice(MEDIA),
        )
        for _ in range(400)
    ]
    return [*UNKNOWN, *drawn, *(replace(post, category=TWINS[post.category]) for post in drawn)]


def million(spark: SparkSession) -> DataFrame:
    """Make the rows inside Spark, without chance: the columns the questions read, with every trap in them.

    Of 400,000 posters two at a time are one person; names of people repeat. Countries 7, 8 and 9 have no follower
    count, no category and no poster; nobody over 50 who joined in 2016, and nobody who joined in 2019, has a count.
    """
    rows = spark.range(MILLION)
    for step in STEPS:
        rows = rows.selectExpr("*", *(f"{text} AS {name}" for name, text in step.items()))
    return rows.drop("id", "poster", "person", "nation")
