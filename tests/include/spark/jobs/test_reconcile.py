"""A published span against later snapshots of its source: each test changes the source and reconciles."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinspark.contracts import TABLES
from pinspark.landing import LakeGoneError
from pinspark.reconcile import StillStaleError, described, windows
from tests.include.conftest import Lake, make_lake
from tests.include.landed import Row, geo_row, pin_row, user_row, wire, write_snapshot
from tests.include.spark.jobs.conftest import Run, landings, load

FIRST, SECOND, THIRD, END, NEVER = "2022-10-01", "2022-10-02", "2022-10-03", "2022-10-04", "2022-10-05"
SECRET = 'first\nline \u2028 \r 😀 \\ " \u0000 ‏שלום'
Differences = dict[tuple[str, str], tuple[int, int, int, int]]
Found = tuple[Differences, dict[str, Any]]


@dataclass
class Source:
    """The source database: every post's day, and the rows of the tables in scan order."""

    posts: dict[int, str] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})

    def add(self, ind: int, day: str, *orphan_in: str) -> None:
        """Insert a post with its rows."""
        self.posts[ind] = day
        made = {"pin": pin_row(ind), "geo": geo_row(ind, timestamp=f"{day}T01:02:03"), "user": user_row(ind)}
        for table in TABLES:
            if table not in orphan_in:
                self.rows[table].append(made[table])

    def of(self, table: str, ind: int) -> list[Row]:
        """Rows of one post."""
        return [row for row in self.rows[table] if row.get("index", row.get("ind")) == ind]

    def change(self, table: str, ind: int, **fields: Any) -> None:
        """Update the last row of a post."""
        self.of(table, ind)[-1].update(fields)

    def move(self, ind: int, day: str) -> None:
        """Give a post another time."""
        self.posts[ind] = day
        self.change("geo", ind, timestamp=f"{day}T01:02:03")

    def delete(self, ind: int, *tables: str) -> None:
        """Delete the rows of a post, and with its time the post."""
        for table in tables or TABLES:
            gone = self.of(table, ind)
            self.rows[table] = [row for row in self.rows[table] if row not in gone]
        if not tables:
            del self.posts[ind]

    def publish(self, run_job: Run, folder: Path, start: str, end: str, run: str) -> None:
        """Send the posts of a window through clean, audit and publish."""
        made = landings(folder, start, end, run)
        for table, landing in made.items():
            for ind, day in self.posts.items():
                if start <= day < end:
                    rows = self.of(table, ind)
                    for row in rows:
                        landing.own(ind, wire(row), day)
                    if not rows:
                        landing.orphan(ind, day)
        manifests = [landing.manifest() for landing in made.values()]
        for manifest in manifests:  # a doubled id is one post
            inds = {row["ind"] for row in made[manifest["table"]].ids}
            manifest |= {"count": len(inds)}
        load(run_job, manifests)


def original() -> Source:
    source = Source()
    for ind in range(1, 6):
        source.add(ind, FIRST, *(["pin"] if ind == 5 else []))
    for ind in range(6, 9):
        source.add(ind, SECOND)
    source.add(9, THIRD)
    source.add(20, NEVER)
    source.change("pin", 2, title=SECRET, description=None)
    source.change("pin", 3, follower_count="many", title=7)
    source.change("geo", 7, latitude=999.5, country="Cote d'Ivoire")
    source.change("pin", 8, title=None, description="only one of the two")
    source.rows["user"].insert(0, user_row(4, first_name="Earlier"))
    source.rows["pin"].append(pin_row(1) | {"index": None})
    return source


@pytest.fixture(scope="module")
def lake(spark: SparkSession) -> Lake:
    """Schemas of our own: reconcile looks at every published day."""
    return make_lake(spark, Lake(*(f"`12e8_source_{name}`" for name in ("stage", "silver", "gold", "ops"))))


@pytest.fixture(scope="module")
def published(run_job: Run, tmp_path_factory: pytest.TempPathFactory) -> Source:
    source = original()
    source.publish(run_job, tmp_path_factory.mktemp("published"), FIRST, END, "aaaa00000001")
    return source


@pytest.fixture
def source(published: Source) -> Source:
    """The source as it was published, to be changed."""
    return deepcopy(published)


@pytest.fixture
def reconcile(spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path) -> Callable[..., Found]:
    """Take a snapshot and reconcile: the differences as they are stored, and the job's result."""
    tries = iter(range(100))

    def run(source: Source, printed: Callable[[Row], bytes] = wire, **given: str) -> Found:
        lines = {table: [printed(row) for row in source.rows[table]] for table in TABLES}
        snapshot = write_snapshot(tmp_path / str(next(tries)), source.posts, lines)
        result = run_job("reconcile", snapshot=snapshot, **given)
        return stored(spark, lake), result

    return run


def stored(spark: SparkSession, lake: Lake) -> Differences:
    return {
        (str(row.post_date), row.source_table): (row.inserted, row.changed, row.moved, row.deleted)
        for row in spark.table(f"{lake.ops}.stale_days").collect()
    }


INSERTED, CHANGED, MOVED, DELETED = (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)


def test_an_unchanged_source_leaves_no_day_stale_and_clears_the_table(
    spark: SparkSession, lake: Lake, source: Source, reconcile: Callable[..., Found]
) -> None:
    spark.sql(f"INSERT INTO {lake.ops}.stale_days SELECT DATE'2022-10-01', 'pin', 1, 0, 0, 0, 1, 0, 1, 0")
    differences, result = reconcile(source)
    assert differences == {}
    assert (result["stale"], result["windows"]) == ([], [])
    assert result["log"] == ["Every published day is as the source has it"]


def test_what_changes_nothing_that_is_published_is_no_difference(
    source: Source, reconcile: Callable[..., Found]
) -> None:
    source.change("pin", 1, downloaded=0, added_column="x")  # no column of the contract
    source.of("user", 4)[0]["age"] = 59  # of a doubled id the last copy counts
    source.delete(5, "user")
    source.rows["user"].append(user_row(5))  # the same row elsewhere in the scan
    source.add(30, NEVER)  # a day that was never loaded
    source.change("pin", 20, title="also there")

    def printed_anew(row: Row) -> bytes:  # as a REST proxy may do
        return json.dumps(row, indent=None, separators=(" , ", " : ")).encode()

    assert reconcile(source, printed_anew)[0] == {}


def test_inserted_posts_and_healed_orphans_make_their_day_stale(
    source: Source, reconcile: Callable[..., Found]
) -> None:
    source.add(31, SECOND, "user")
    source.rows["pin"].append(pin_row(5))
    assert reconcile(source)[0] == {
        (SECOND, "pin"): INSERTED,
        (SECOND, "geo"): INSERTED,
        (FIRST, "pin"): INSERTED,
    }


def test_changed_rows_make_their_day_stale_also_when_a_value_only_changes_its_column(
    source: Source, reconcile: Callable[..., Found]
) -> None:
    source.change("pin", 2, title=SECRET + " ")
    source.change("pin", 8, title="only one of the two", description=None)
    source.change("geo", 6, longitude=0.25)
    source.change("user", 4, age=21)
    assert reconcile(source)[0] == {
        (FIRST, "pin"): CHANGED,
        (SECOND, "pin"): CHANGED,
        (SECOND, "geo"): CHANGED,
        (FIRST, "user"): CHANGED,
    }


def test_a_refused_row_is_compared_too_and_one_repaired_or_newly_broken_is_a_change(
    source: Source, reconcile: Callable[..., Found]
) -> None:
    source.change("pin", 3, title=8)
    source.change("geo", 7, latitude=9.5)
    source.change("user", 9, age="old")
    assert reconcile(source)[0] == {
        (FIRST, "pin"): CHANGED,
        (SECOND, "geo"): CHANGED,
        (THIRD, "user"): CHANGED,
    }


def test_a_moved_post_marks_the_day_it_left_and_the_day_it_came_to_if_that_was_loaded(
    source: Source, reconcile: Callable[..., Found]
) -> None:
    source.move(1, THIRD)
    source.move(6, NEVER)
    differences, result = reconcile(source)
    assert differences == {(day, table): MOVED for day in (FIRST, SECOND, THIRD) for table in TABLES}
    assert result["windows"] == [{"window_start": FIRST, "window_end": END}]


def test_deleted_posts_rows_and_times_make_their_day_stale(
    source: Source, reconcile: Callable[..., Found]
) -> None:
    source.delete(3)
    source.delete(7, "user")
    del source.posts[9]  # its time is NULL now; the rows are still there
    differences, result = reconcile(source)
    assert differences == {
        **{(FIRST, table): DELETED for table in TABLES},
        (SECOND, "user"): DELETED,
        **{(THIRD, table): DELETED for table in TABLES},
    }
    assert result["stale"] == [FIRST, SECOND, THIRD]


def test_a_row_of_the_table_says_how_many_rows_each_side_has_and_that_they_differ(
    spark: SparkSession, lake: Lake, source: Source, reconcile: Callable[..., Found]
) -> None:
    source.add(32, FIRST)
    source.change("pin", 1, title="other")
    source.delete(2, "pin")
    _, result = reconcile(source)
    row = spark.table(f"{lake.ops}.stale_days").where("source_table = 'pin'").collect()[0]
    assert (row.inserted, row.changed, row.moved, row.deleted) == (1, 1, 0, 1)
    assert (row.source_rows, row.silver_rows) == (4, 4)
    assert row.source_digest != row.silver_digest
    assert (
        "2022-10-01 pin: 1 inserted, 1 changed, 0 moved, 1 deleted; 4 rows in the source, 4 published"
        in (result["log"])
    )
    assert result["log"][-1].startswith(
        f"Rebuild: make load FROM={FIRST} TO={FIRST}, or trigger pinterest_batch"
    )


@pytest.mark.long  # e2e rebuilds and confirms too
def test_rebuilding_the_stale_days_makes_them_true_and_a_day_that_is_not_is_named(
    run_job: Run, source: Source, reconcile: Callable[..., Found], tmp_path: Path
) -> None:
    source.move(1, THIRD)
    source.change("pin", 3, follower_count="12k", title="repaired")
    source.delete(4)
    found = reconcile(source)[1]
    assert found["stale"] == [FIRST, THIRD]
    with pytest.raises(StillStaleError, match=rf"1 rebuilt days differ.*: {FIRST}\. Repair: "):
        reconcile(source, rebuilt=json.dumps(found["windows"][:1]))
    for number, window in enumerate(found["windows"]):
        run = f"bbbb0000000{number}"
        source.publish(run_job, tmp_path / run, window["window_start"], window["window_end"], run)
    differences, confirmed = reconcile(source, rebuilt=json.dumps(found["windows"]))
    assert differences == {}
    assert confirmed["stale"] == []


def test_a_snapshot_that_is_gone_says_what_to_clear(run_job: Run, tmp_path: Path) -> None:
    with pytest.raises(LakeGoneError, match=r"snapshot file:.*no longer in the lake.*Repair: clear the task"):
        run_job("reconcile", snapshot=f"file://{tmp_path}/gone")


def days(*numbers: int) -> list[date]:
    return [date(2022, 10, number) for number in numbers]


def test_stale_days_are_laid_out_as_contiguous_windows_with_the_end_excluded() -> None:
    assert windows([]) == []
    assert windows(days(3, 1, 2, 2, 5)) == [
        {"window_start": "2022-10-01", "window_end": "2022-10-04"},
        {"window_start": "2022-10-05", "window_end": "2022-10-06"},
    ]


def test_of_too_many_windows_the_nearest_become_one() -> None:
    assert windows(days(1, 3, 10, 12, 31), most=3) == [
        {"window_start": "2022-10-01", "window_end": "2022-10-04"},
        {"window_start": "2022-10-10", "window_end": "2022-10-13"},
        {"window_start": "2022-10-31", "window_end": "2022-11-01"},
    ]
    assert windows(days(1, 3, 31), most=1) == [{"window_start": "2022-10-01", "window_end": "2022-11-01"}]


def test_a_long_list_is_cut_and_says_where_the_rest_is() -> None:
    from types import SimpleNamespace

    counts = dict.fromkeys(("inserted", "changed", "moved", "deleted", "source_rows", "silver_rows"), 1)
    rows: list[Any] = [
        SimpleNamespace(post_date=day, source_table="pin", **counts) for day in days(*range(1, 31))
    ]
    lines = described(rows)
    assert "... and 10 more lines in ops.stale_days" in lines
    assert lines[-1].startswith("Rebuild: make load FROM=2022-10-01 TO=2022-10-30,")
