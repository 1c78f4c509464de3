"""What questions read of both layers: batch rows win, the newest record of a post counts, FALSE hides all."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from tests.include.conftest import SQL
from tests.include.streams import Streams, insert

SHARD = "shardId-000000000000"
TIME = "timestamp'2022-10-15 01:02:03'"


@pytest.fixture(scope="module")
def own(streams: Callable[[str], Streams]) -> Streams:
    return streams("1e10")  # a name that reads as a number


@pytest.fixture(autouse=True)
def _empty(own: Streams) -> Iterator[None]:
    yield
    for table in (*(own.rows_of(table) for table in ("pin", "geo", "user")), f"{own.lake.gold}.post_batch"):
        own.spark.sql(f"DELETE FROM {table}")


def pins(own: Streams, *rows: tuple[int, str, str]) -> None:
    """Write pin records: id, title and sequence number."""
    lines = [f"{ind}, '{title}', '{SHARD}', '{number}'" for ind, title, number in rows]
    insert(own.spark, own.rows_of("pin"), "ind, title, shard_id, sequence_number", *lines)


def geos(own: Streams, *rows: tuple[int, str, str]) -> None:
    """Write geo records: id, country and sequence number."""
    lines = [f"{ind}, '{country}', ARRAY(1.5D, -2.5D), {TIME}, '{number}'" for ind, country, number in rows]
    columns = "ind, country, coordinates, `timestamp`, sequence_number"
    insert(own.spark, own.rows_of("geo"), columns, *lines)


def known(own: Streams) -> dict[int, dict[str, Any]]:
    """Give of each post what is not NULL."""
    rows = own.posts()
    found = {row.ind: {n: v for n, v in row.asDict().items() if v is not None and n != "ind"} for row in rows}
    assert len(found) == len(rows), "a post is there twice"
    return found


def test_a_batch_row_wins_and_a_post_of_the_speed_layer_alone_is_there(own: Streams) -> None:
    insert(
        own.spark,
        f"{own.lake.gold}.post_batch",
        "ind, post_ts, post_date, title",
        *(f"{ind}, {TIME}, DATE'2022-10-15', 'batch'" for ind in (1, 2)),
    )
    # 2: newer than the batch row, which still wins; 3: late, of a day that was published
    pins(own, (2, "speed", "9" * 56), (3, "speed", "4" * 56))
    geos(own, (3, "Cuba", "4" * 56), (4, "Chad", "4" * 56))
    moment = {"post_ts": datetime(2022, 10, 15, 1, 2, 3), "post_date": date(2022, 10, 15)}
    place = {"latitude": 1.5, "longitude": -2.5}
    assert known(own) == {
        1: {"title": "batch", "layer": "batch", **moment},
        2: {"title": "batch", "layer": "batch", **moment},
        3: {"title": "speed", "layer": "speed", "country": "Cuba", **place, **moment},
        4: {"layer": "speed", "country": "Chad", **place, **moment},
    }
    hidden = replace(own.lake, served="post_batch", layer="'batch'")
    try:
        own.spark.sql(hidden.render(SQL / "serving" / "post_wide.sql"))
        assert [row.ind for row in own.posts()] == [1, 2]
    finally:
        own.spark.sql(own.lake.render(SQL / "serving" / "post_wide.sql"))


def test_each_frame_may_come_alone_and_in_pairs(own: Streams) -> None:
    number = "4" * 56
    pins(own, *((ind, "t", number) for ind in (1, 12, 13, 123)))
    geos(own, *((ind, "Cuba", number) for ind in (2, 12, 23, 123)))
    insert(
        own.spark,
        own.rows_of("user"),
        "ind, user_name, age, sequence_number",
        *(f"{ind}, 'Ann Lee', 30, '{number}'" for ind in (3, 13, 23, 123)),
    )
    frames = {"title": "1", "country": "2", "user_name": "3"}
    found = {ind: {frames[name] for name in post if name in frames} for ind, post in known(own).items()}
    assert found == {ind: set(str(ind)) for ind in (1, 2, 3, 12, 13, 23, 123)}
    assert known(own)[3]["age"] == 30


@pytest.mark.parametrize("seed", [1, 2])
def test_the_newest_record_counts_whatever_the_order_and_the_length_of_numbers(
    own: Streams, seed: int
) -> None:
    draw = random.Random(seed)  # noqa: S311 - an order
    # as text 9 is greater than 10, and 2^185 has the digits of none of them
    numbers = ["9", "10", "99", "100", "9" * 20, "4" + "0" * 55, "4" + "0" * 54 + "1", "1" + "0" * 56]
    records = [(ind, f"title {n}", n) for ind in range(8) for n in numbers[: ind + 1]]
    draw.shuffle(records)
    half = len(records) // 2
    pins(own, *records[:half])
    pins(own, *records[half:], *records[:5])  # a few of them twice
    titles = {ind: post["title"] for ind, post in known(own).items()}
    assert titles == {ind: f"title {numbers[ind]}" for ind in range(8)}


def test_a_newer_record_takes_what_it_does_not_say_away(own: Streams) -> None:
    pins(own, (1, "known", "4" + "0" * 55))
    insert(own.spark, own.rows_of("pin"), "ind, sequence_number", f"1, '4{'0' * 54}1'")
    assert known(own) == {1: {"layer": "speed"}}
