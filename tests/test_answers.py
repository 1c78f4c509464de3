"""The independent check itself, on cases small enough to be checked by eye."""

from datetime import datetime
from typing import Any

import pytest

from tests.answers import Expected, answers, clean_expectation

JAN = datetime(2019, 1, 5)


def pin(
    ind: int, category: str | None, poster: str | None = "P", followers: str | None = "1k"
) -> tuple[Any, ...]:
    return (
        ind,
        "u",
        "t",
        "d",
        poster,
        followers,
        "tags",
        "image",
        "src",
        1,
        "Local save in /data/x",
        category,
    )


def geo(
    ind: int, country: str | None = "Chad", at: datetime | None = JAN, latitude: Any = 1.5
) -> tuple[Any, ...]:
    return (ind, at, latitude, 2.5, country)


def user(ind: int, first: str = "Ann", age: Any = 20, joined: datetime | None = JAN) -> tuple[Any, ...]:
    return (ind, first, "Lee", age, joined)


def test_nothing_gives_nothing() -> None:
    assert set(map(len, answers([], [], []).values())) == {0}
    assert len(answers([], [], [])) == 19


def test_ties_go_to_the_first_name_and_ranked_keeps_all() -> None:
    result = answers(
        [pin(0, "travel"), pin(1, "art"), pin(2, "art"), pin(3, "travel"), pin(4, "beauty")],
        [geo(n) for n in range(5)],
        [user(n) for n in range(5)],
    )
    assert result["top_category_by_country"] == [("Chad", "art", 2)]
    assert result["top_category_by_country_ranked"] == [("Chad", "art", 2), ("Chad", "travel", 2)]
    assert result["categories_by_year"] == [(2019, "art", 2), (2019, "beauty", 1), (2019, "travel", 2)]
    assert result["top_category_by_year_ranked"] == [(2019, "art", 2), (2019, "travel", 2)]
    assert result["top_category_by_age_group"] == [("18-24", "art", 2)]


def test_only_the_years_asked_for_are_answered() -> None:
    times = [
        datetime(2017, 12, 31, 23, 59, 59),
        datetime(2018, 1, 1),
        datetime(2022, 12, 31),
        datetime(2023, 1, 1),
    ]
    result = answers(
        [pin(n, "art") for n in range(4)],
        [geo(n, at=at) for n, at in enumerate(times)],
        [user(n, joined=datetime(2014 + 6 * (n > 0) + (n > 1), 6, 1)) for n in range(4)],
    )
    assert result["top_category_by_year"] == [(2018, "art", 1), (2022, "art", 1)]
    assert result["users_joined_by_year"] == [(2020, 1)]


@pytest.mark.parametrize(
    ("age", "group"),
    [(17, None), (18, "18-24"), (25, "25-35"), (36, "36-50"), (50, "36-50"), (51, "50+"), (None, None)],
)
def test_age_groups_leave_out_the_young_and_the_unknown(age: int | None, group: str | None) -> None:
    result = answers([pin(0, "art")], [geo(0)], [user(0, age=age)])
    assert result["top_category_by_age_group"] == ([(group, "art", 1)] if group else [])


def test_a_user_counts_once_with_the_most_followers() -> None:
    result = answers(
        [pin(0, "art", followers="10"), pin(1, "art", followers="1.2k"), pin(2, "art", followers="3M")],
        [geo(n) for n in range(3)],
        [user(0), user(1), user(2, first="Bob")],
    )
    assert result["median_followers_by_age_group"] == [("18-24", 1_500_600.0)]
    assert result["median_followers_by_join_year"] == [(2019, 1_500_600.0)]
    assert result["median_followers_by_join_year_and_age_group"] == [("18-24", 2019, 1_500_600.0)]
    assert result["users_joined_by_year"] == [(2019, 2)]


def test_unknown_followers_are_no_zero() -> None:
    pins = [
        pin(0, "art", followers="User Info Error"),
        pin(1, "art", followers="7"),
        pin(2, "art", followers=None),
    ]
    result = answers(pins, [geo(n) for n in range(3)], [user(0), user(1, first="Bob"), user(2, age=40)])
    assert result["median_followers_by_age_group"] == [("18-24", 7.0), ("36-50", None)]


def test_users_of_one_name_are_told_apart_by_age_and_join_time() -> None:
    result = answers(
        [pin(n, "art") for n in range(3)],
        [geo(n) for n in range(3)],
        [user(0), user(1, age=21), user(2, joined=datetime(2019, 1, 6))],
    )
    assert result["users_joined_by_year"] == [(2019, 3)]


def test_top_users_are_posters_and_null_posters_are_out() -> None:
    result = answers(
        [
            pin(0, "art", "Zoe", "5k"),
            pin(1, "art", "Amy", "5k"),
            pin(2, "art", "User Info Error", "9M"),
            pin(3, "art", "Kim", None),
            pin(4, "art", "Lou", "5k"),
        ],
        [geo(0), geo(1), geo(2), geo(3, "Peru"), geo(4, "Benin")],
        [user(n) for n in range(5)],
    )
    assert result["top_user_by_country"] == [
        ("Benin", "Lou", 5000),
        ("Chad", "Amy", 5000),
        ("Peru", "Kim", None),
    ]
    assert ("Chad", "Zoe", 5000) in result["top_user_by_country_ranked"]
    assert result["top_country_by_followers"] == [("Benin", 5000)]


def test_where_no_count_is_known_the_first_country_is_the_top_one() -> None:
    pins = [pin(0, "art", "Kim", None), pin(1, "art", "Lou", None)]
    result = answers(pins, [geo(0, "Peru"), geo(1, "Benin")], [user(0), user(1)])
    assert result["top_user_by_country"] == [("Benin", "Lou", None), ("Peru", "Kim", None)]
    assert result["top_country_by_followers"] == [("Benin", None)]


def test_unreadable_rows_are_counted_as_quarantined_and_leave_the_rest_of_the_post() -> None:
    pins = [pin(0, "art", followers="many"), pin(1, "art"), pin(2, " ")]
    geos = [geo(0), geo(1, latitude=95.0), geo(2), geo(3, at=None)]
    users = [user(0), user(1, age="old"), user(1), user(3)]
    assert clean_expectation(pins, geos, users) == {
        "pin": Expected(selected=3, orphans=0, silver=2, quarantined=1, doubles=0),
        "geo": Expected(selected=3, orphans=0, silver=2, quarantined=1, doubles=0),
        "user": Expected(selected=3, orphans=1, silver=2, quarantined=0, doubles=1),
    }
    result = answers(pins, geos, users)
    assert result["top_category_by_country"] == []
    assert result["top_category_by_age_group"] == [("18-24", "art", 1)]


def test_a_window_is_half_open() -> None:
    window = (datetime(2019, 1, 5), datetime(2019, 1, 6))
    geos = [geo(0), geo(1, at=datetime(2019, 1, 6)), geo(2, at=datetime(2019, 1, 5, 23, 59, 59))]
    result = answers([pin(n, "art") for n in range(3)], geos, [user(n) for n in range(3)], window)
    assert result["top_category_by_country"] == [("Chad", "art", 2)]
