"""The generated posts have the measured distributions (every share within a tolerance)."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.source.generate import NO_TAGS, Generator, Plan, Row, digest
from devstack.source.words import CATEGORIES, COUNTRIES

(INDEX, UUID, TITLE, DESCRIPTION, POSTER, FOLLOWERS, TAGS, MEDIUM, IMAGE, DOWNLOADED, FOLDER, CATEGORY) = (
    range(12)
)
USER_ERROR = "User Info Error"


@dataclass(frozen=True)
class Source:
    pins: list[Row]
    geos: list[Row]
    users: list[Row]

    def share(self, holds: Callable[[Row], bool]) -> float:
        """Per cent of the posts whose pin row fulfils a condition."""
        return 100 * sum(map(holds, self.pins)) / len(self.pins)

    @property
    def accounts(self) -> Counter[str]:
        return Counter(pin[POSTER] for pin in self.pins if pin[POSTER] != USER_ERROR)


def rows(plan: Plan) -> Source:
    source = Source([], [], [])
    for chunk in Generator(plan).chunks():
        source.pins.extend(chunk.pins)
        source.geos.extend(chunk.geos)
        source.users.extend(chunk.users)
    return source


@pytest.fixture(scope="module", params=[1, 77])
def source(request: pytest.FixtureRequest) -> Source:
    return rows(Plan(random_seed=request.param))


def follower_number(text: str) -> int:
    factor = {"k": 1_000, "M": 1_000_000}.get(text[-1], 1)
    return int(text.rstrip("kM")) * factor


def test_ids_are_dense_from_zero_in_all_three_tables(source: Source) -> None:
    for table in (source.pins, source.geos, source.users):
        assert [row[0] for row in table] == list(range(11_154))


def test_categories_follow_the_ids_with_their_shares(source: Source) -> None:
    order = [pin[CATEGORY] for pin in source.pins]
    assert list(dict.fromkeys(order)) == list(CATEGORIES)
    assert sum(left != right for left, right in pairwise(order)) == 12
    shares = {name: 100 * count / len(order) for name, count in Counter(order).items()}
    assert all(6.4 <= share <= 9.7 for share in shares.values())
    assert max(shares, key=lambda name: shares[name]) == "christmas"
    assert set(sorted(shares, key=lambda name: shares[name])[:2]) == {"beauty", "vehicles"}


def test_accounts_have_the_measured_sizes(source: Source) -> None:
    sizes = Counter(source.accounts.values())
    total = sum(sizes.values())
    assert total == pytest.approx(5_200, rel=0.03)
    for size, share in ((1, 78), (2, 11), (3, 5)):
        assert 100 * sizes[size] / total == pytest.approx(share, abs=0.5)
    assert 100 * sum(n for size, n in sizes.items() if size >= 5) / total == pytest.approx(4, abs=0.3)
    assert 100 <= max(sizes) <= 120


def test_a_poster_is_one_user_in_one_place_but_for_one_name_in_a_thousand(source: Source) -> None:
    seen = defaultdict(set)
    for pin, geo, user in zip(source.pins, source.geos, source.users, strict=True):
        seen[pin[POSTER]].add((user[1:], geo[2:]))
    doubled = [name for name, accounts in seen.items() if len(accounts) > 1]
    assert 3 <= len(doubled) <= 8
    assert all(len(seen[name]) == 2 for name in doubled)
    assert USER_ERROR not in doubled


def test_heavy_posters_look_like_the_least_of_many_draws(source: Source) -> None:
    heavy = {name for name, posts in source.accounts.items() if posts >= 40}
    accounts = {
        pin[POSTER]: (user, geo)
        for pin, geo, user in zip(source.pins, source.geos, source.users, strict=True)
        if pin[POSTER] in heavy
    }
    assert len(accounts) >= 20
    early = [
        user[1][0] == "A" and user[2][0] <= "B" and user[3] <= 25 and user[4].year == 2015 and geo[2] < -75
        for user, geo in accounts.values()
    ]
    assert sum(early) > 0.5 * len(early)
    assert median(user[3] for user, _ in accounts.values()) == 20
    assert median(geo[2] for _, geo in accounts.values()) < -85
    assert sorted(geo[4] for _, geo in accounts.values())[len(accounts) // 2] in COUNTRIES[:6]


def test_user_names_collide_but_identities_do_not(source: Source) -> None:
    identities = {(f"{first} {last}", age, joined) for _, first, last, age, joined in source.users}
    names = {name for name, _, _ in identities}
    assert 0.96 < len(names) / len(identities) < 0.998


@pytest.mark.parametrize(
    ("form", "share"),
    [("k", 75.6), ("plain", 16.1), ("M", 7.6), ("error", 0.66)],
    ids=lambda value: str(value),
)
def test_follower_counts_have_the_measured_forms(source: Source, form: str, share: float) -> None:
    def form_of(text: str) -> str:
        return "error" if text == USER_ERROR else text[-1] if text[-1] in "kM" else "plain"

    assert source.share(lambda pin: form_of(pin[FOLLOWERS]) == form) == pytest.approx(share, abs=0.4)


def test_follower_counts_have_the_measured_quantiles(source: Source) -> None:
    numbers = sorted(follower_number(pin[FOLLOWERS]) for pin in source.pins if pin[FOLLOWERS] != USER_ERROR)
    measured = {0.1: 35, 0.5: 20_000, 0.75: 154_000, 0.9: 800_000, 0.95: 2_000_000, 0.99: 5_000_000}
    for quantile, value in measured.items():
        assert numbers[int(len(numbers) * quantile)] == pytest.approx(value, rel=0.21)
    assert max(numbers) == 15_000_000


def test_follower_counts_drift_by_one_unit_only(source: Source) -> None:
    counts = defaultdict(set)
    for pin, user in zip(source.pins, source.users, strict=True):
        counts[pin[POSTER], user[1:]].add(pin[FOLLOWERS])
    drifting = [forms for forms in counts.values() if len(forms) > 1]
    assert drifting
    for forms in drifting:
        units = sorted(int(form.rstrip("kM")) for form in forms)
        assert len({form[-1] for form in forms if form[-1] in "kM"}) <= 1
        assert units == [units[0], units[0] + 1]


@pytest.mark.parametrize(
    ("column", "value", "share"),
    [
        (TITLE, "No Title Data Available", 0.66),
        (TITLE, "", 0.1),
        (DESCRIPTION, "No description available Story format", 6.95),
        (DESCRIPTION, "No description available", 1.6),
        (DESCRIPTION, "Untitled", 0.05),
        (POSTER, USER_ERROR, 0.66),
        (FOLLOWERS, USER_ERROR, 0.66),
        (TAGS, NO_TAGS, 1.1),
        (MEDIUM, "image", 90),
        (MEDIUM, "multi-video(story page format)", 7),
        (MEDIUM, "video", 3),
        (IMAGE, "Image src error.", 1.84),
        (DOWNLOADED, 0, 1.84),
    ],
)
def test_markers_have_the_measured_shares(source: Source, column: int, value: object, share: float) -> None:
    assert source.share(lambda pin: pin[column] == value) == pytest.approx(share, abs=max(0.02, share * 0.01))


def test_markers_come_together_as_measured(source: Source) -> None:
    def everything(pin: Row) -> bool:
        user = pin[POSTER] == pin[FOLLOWERS] == USER_ERROR
        return (
            user and pin[TITLE] == "No Title Data Available" and pin[TAGS] == NO_TAGS and not pin[DOWNLOADED]
        )

    assert source.share(everything) == pytest.approx(0.6, abs=0.01)
    for pin in source.pins:
        story = pin[MEDIUM] == "multi-video(story page format)"
        assert (pin[DESCRIPTION] == "No description available Story format") == story
        assert (pin[IMAGE] == "Image src error.") == (pin[DOWNLOADED] == 0)
        assert story or pin[DOWNLOADED] == 1
        assert pin[FOLDER] == f"Local save in /data/{pin[CATEGORY]}"


def test_titles_have_the_measured_lengths_and_letters(source: Source) -> None:
    lengths = [len(pin[TITLE]) for pin in source.pins]
    assert median(lengths) == pytest.approx(50, abs=3)
    assert 180 <= max(lengths) <= 199
    assert source.share(lambda pin: not pin[TITLE].isascii()) == pytest.approx(10, abs=1)
    for letter in ("\n", '"', "'", "🎄", "\u05e9", "\u0301"):
        assert any(letter in pin[TITLE] or letter in pin[DESCRIPTION] for pin in source.pins)


def test_descriptions_have_the_measured_lengths_and_letters(source: Source) -> None:
    lengths = [len(pin[DESCRIPTION]) for pin in source.pins]
    assert median(lengths) == pytest.approx(148, abs=5)
    assert max(lengths) == 180
    assert source.share(lambda pin: not pin[DESCRIPTION].isascii()) == pytest.approx(43, abs=1.5)
    assert source.share(lambda pin: pin[DESCRIPTION].endswith("\u00a0…")) > 30


def test_tags_are_nine_different_ones(source: Source) -> None:
    lists = [pin[TAGS].split(",") for pin in source.pins if pin[TAGS] != NO_TAGS]
    assert {(len(tags), len(set(tags))) for tags in lists} == {(9, 9)}
    assert not any(tag != tag.strip() for tags in lists for tag in tags)


def test_unique_ids_are_uuids_of_version_four(source: Source) -> None:
    ids = [pin[UUID] for pin in source.pins]
    assert len(set(ids)) == len(ids)
    assert all(len(text) == 36 and text[14] == "4" and text[19] in "89ab" for text in ids)


@pytest.mark.parametrize(
    ("ages", "share"), [((18, 24), 45), ((25, 35), 27), ((36, 50), 19), ((51, 60), 9), ((50, 50), 1.2)]
)
def test_ages_of_the_rows_have_the_measured_shares(
    source: Source, ages: tuple[int, int], share: float
) -> None:
    rows = [user[3] for user in source.users]
    assert min(rows) == 20
    assert max(rows) == 60
    within = sum(ages[0] <= age <= ages[1] for age in rows)
    assert 100 * within / len(rows) == pytest.approx(share, abs=2 if share > 5 else 0.5)


def test_users_joined_in_the_two_years_before_the_first_post(source: Source) -> None:
    joined = [user[4] for user in source.users]
    assert min(joined).date() >= date(2015, 10, 21)
    assert max(joined).date() < date(2017, 10, 20)
    assert all(user[4] < geo[1] for user, geo in zip(source.users, source.geos, strict=True))


def test_posts_lie_evenly_in_the_span_and_on_its_last_three_days(source: Source) -> None:
    days = Counter(geo[1].date() for geo in source.geos)
    assert min(days) == date(2017, 10, 20)
    assert max(days) == date(2022, 10, 18)
    assert all(days[date(2022, 10, day)] >= 1 for day in (16, 17, 18))
    for year in (2018, 2019, 2020, 2021):
        assert sum(n for day, n in days.items() if day.year == year) == pytest.approx(2_231, rel=0.06)


def test_places_are_fakers_countries_and_six_digit_coordinates(source: Source) -> None:
    assert len({geo[4] for geo in source.geos}) > 230
    assert {"Cote d'Ivoire", "Antarctica (the territory South of 60 deg S)"} <= set(COUNTRIES)
    for _, _, latitude, longitude, _ in source.geos:
        assert -90 <= latitude <= 90
        assert -180 <= longitude <= 180
        assert float(f"{latitude:.6g}") == latitude
        assert float(f"{longitude:.6g}") == longitude


def test_the_same_seed_gives_the_same_bytes() -> None:
    plan = Plan(posts=2_000, random_seed=5)
    assert digest(plan) == digest(plan)
    assert digest(plan) != digest(Plan(posts=2_000, random_seed=6))


def test_the_default_source_keeps_its_digest() -> None:
    assert digest(Plan()) == "95a797ce935cc7de21299d088fe940879a4ce10325d85c1cf181107a79f65fd4"


@given(
    posts=st.integers(1, 400),
    first=st.dates(date(2014, 1, 1), date(2024, 1, 1)),
    days=st.integers(0, 40),
    random_seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_any_number_of_posts_fits_any_span(posts: int, first: date, days: int, random_seed: int) -> None:
    last = date.fromordinal(first.toordinal() + days)
    source = rows(Plan(posts, first, last, random_seed))
    assert len(source.pins) == len(source.geos) == len(source.users) == posts
    times = [geo[1].date() for geo in source.geos]
    assert first <= min(times) <= max(times) <= last
    if posts >= 3:
        assert max(times) == last
    assert all(user[4] < geo[1] for user, geo in zip(source.users, source.geos, strict=True))
