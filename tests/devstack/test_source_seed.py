"""Seeding: what is asked for is checked, and what is written is read back unchanged."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from devstack import source
from devstack.config import Settings
from devstack.errors import StackError
from devstack.source.generate import Chunk, Generator, Plan, Row, digest
from devstack.source.load import SQL, TABLES, connected, replace
from tests.devstack.sources import contents, database


def test_nothing_asked_for_gives_the_default_plan() -> None:
    assert source.plan() == source.plan("", "", "") == Plan()


def test_a_plan_reads_words_from_a_command_line() -> None:
    asked = source.plan("1_000", "2022-10-01..2022-10-30", "7")
    assert asked == Plan(1_000, date(2022, 10, 1), date(2022, 10, 30), 7)


@pytest.mark.parametrize(
    ("posts", "span", "random_seed", "said"),
    [
        ("many", None, None, "POSTS=many is not a whole number"),
        ("0", None, None, "POSTS=0 must lie between"),
        (None, "2022-10-01", None, "SPAN=2022-10-01 is not two days"),
        (None, "2022-10-02..2022-10-01", None, "in order"),
        (None, "2022-13-01..2022-13-02", None, "is not two days"),
        (None, None, "-1", "RANDOM_SEED=-1 is not a whole number"),
    ],
)
def test_a_wrong_wish_is_told_with_its_repair(
    posts: str | None, span: str | None, random_seed: str | None, said: str
) -> None:
    with pytest.raises(StackError, match=r"Repair: ") as raised:
        source.plan(posts, span, random_seed)
    assert said in str(raised.value)


def test_a_source_that_is_down_is_told_with_its_repair() -> None:
    with pytest.raises(StackError, match=r"does not answer.*Repair: .*up mysql"):
        source.seed(Settings(mysql_port=9), posts=1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with database(tmp_path_factory.mktemp("source"), 2200) as made:
        yield made


def rows(settings: Settings, name: str, given: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connected(settings) as cursor:
        cursor.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"), given or {})
        return list(cursor.fetchall())


def generated(plan: Plan) -> list[list[tuple[Any, ...]]]:
    chunks = list(Generator(plan).chunks())
    return [
        [row for chunk in chunks for row in chunk.pins],
        [row for chunk in chunks for row in chunk.geos],
        [row for chunk in chunks for row in chunk.users],
    ]


@pytest.mark.stack
def test_rows_are_read_back_as_they_were_generated(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    told = source.seed(settings, posts=6_000, random_seed=3)
    plan = Plan(posts=6_000, random_seed=3)
    assert contents(settings) == generated(plan)
    assert told == digest(plan)
    printed = capsys.readouterr().out
    newest = rows(settings, "newest_post")[0][0]
    for text in ("6,000 posts", "2017-10-20 to 2022-10-18", f"Newest post: {newest} UTC", told):
        assert text in printed
    titles = "".join(pin[2] for pin in contents(settings)[0])
    assert {"🎄", "\n", '"', "\u0301"} <= set(titles)


@pytest.mark.stack
def test_floats_arrive_with_six_digits(settings: Settings) -> None:
    places: list[Row] = [
        (0, datetime(2022, 1, 1), -67.2157, 123.457, "Cote d'Ivoire"),
        (1, None, 0.1, -179.999, None),
    ]
    replace(settings, iter([Chunk([], places, [])]))
    assert contents(settings) == [[], places, []]
    assert json.dumps(contents(settings)[1][0][2:4]) == "[-67.2157, 123.457]"


@pytest.mark.stack
def test_hostile_text_is_kept(settings: Settings) -> None:
    texts = ["a\tb\\n\nc\r", "\\N", "'; DROP TABLE x; --", "😀\u202eרtl\u0301", "%(x)s", "\u2028", "end\\"]
    pins = [(n, "u", text, text, text, "1", "t", "image", "s", 1, "f", "art") for n, text in enumerate(texts)]
    replace(settings, iter([Chunk(pins, [], [])]))
    assert contents(settings)[0] == pins


@pytest.mark.stack
def test_a_second_seed_replaces_the_first_as_a_whole(settings: Settings) -> None:
    source.seed(settings, posts=50)
    with connected(settings) as cursor:
        cursor.execute("ALTER TABLE user_data ADD COLUMN extra INT")
    source.seed(settings, posts=40, span="2022-10-01..2022-10-02")
    assert contents(settings) == generated(Plan(40, date(2022, 10, 1), date(2022, 10, 2)))
    with connected(settings) as cursor:
        cursor.execute("SHOW TABLES")
        assert sorted(cursor.fetchall()) == sorted((table,) for table in TABLES)


@pytest.mark.stack
def test_a_seed_that_fails_leaves_the_source_as_it_was(settings: Settings) -> None:
    source.seed(settings, posts=30)
    before = contents(settings)
    good = next(Generator(Plan(posts=10)).chunks())

    def broken() -> Iterator[Chunk]:
        yield good
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        replace(settings, broken())
    with pytest.raises(StackError, match=r"did not take its rows.*Repair: "):
        replace(settings, iter([Chunk([], [(1, "no time", 1.0, 1.0, "x")], [])]))
    assert contents(settings) == before
    source.seed(settings, posts=20)
    assert len(contents(settings)[0]) == 20


@pytest.mark.stack
def test_two_seeds_at_once_are_refused(settings: Settings) -> None:
    with connected(settings) as cursor:
        cursor.execute("SELECT GET_LOCK('pinflow_seed', 0)")
        cursor.fetchall()
        with pytest.raises(StackError, match=r"another seed .* Repair: "):
            source.seed(settings, posts=1)


@pytest.mark.stack
def test_the_posts_of_a_window_are_ordered_and_its_end_is_excluded(settings: Settings) -> None:
    day = datetime(2022, 10, 2)
    times = [
        day,
        datetime(2022, 10, 1, 23, 59, 59),
        datetime(2022, 10, 2, 23, 59, 59),
        datetime(2022, 10, 3),
        day,
    ]
    places = [(9 - n, at, 1.0, 1.0, "Chad") for n, at in enumerate(times)]
    replace(settings, iter([Chunk([], places, [])]))
    window = {"window_start": day, "window_end": datetime(2022, 10, 3)}
    assert rows(settings, "select_posts", window) == [(5, day), (9, day), (7, times[2])]
    assert rows(settings, "newest_post") == [(datetime(2022, 10, 3),)]


@pytest.mark.stack
def test_an_id_held_twice_is_selected_once_with_its_latest_time(settings: Settings) -> None:
    replace(settings, iter([Chunk([], [], [])]))
    with connected(settings) as cursor:
        cursor.execute("ALTER TABLE geolocation_data DROP PRIMARY KEY")
        cursor.execute(
            "INSERT INTO geolocation_data (ind, timestamp) VALUES (1, '2022-10-02'), (1, '2022-10-02 05:00')"
        )
    window = {"window_start": datetime(2022, 10, 2), "window_end": datetime(2022, 10, 3)}
    assert rows(settings, "select_posts", window) == [(1, datetime(2022, 10, 2, 5))]
    assert len(contents(settings)[1]) == 2


@pytest.mark.stack
def test_an_empty_source_has_no_newest_post(settings: Settings) -> None:
    replace(settings, iter([]))
    assert rows(settings, "newest_post") == [(None,)]
