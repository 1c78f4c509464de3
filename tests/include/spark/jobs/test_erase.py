"""One user leaves every table: people of the same name stay, the ledger holds, and it can die anywhere."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinspark import erase
from pinspark.contracts import TABLES
from pinspark.stage import LandingIncompleteError
from pinspark.users import AmbiguousUserError, Found, Wanted, identify
from tests.include.conftest import Lake, make_lake
from tests.include.landed import Landing, Row, geo_row, pin_row, user_row, wire, write_snapshot
from tests.include.spark.jobs.conftest import Run, landings, load

NAME = "Zoë Abbott"
ZOE = {"first_name": "Zoë", "last_name": "Abbott", "age": 20, "date_joined": "2015-10-21T03:04:05"}
NAMESAKE = {"first_name": "Zoë", "last_name": "Abbott", "age": 35, "date_joined": "2016-01-02T00:00:00"}
ALONE = {"first_name": "Only", "last_name": "One's", "age": None, "date_joined": None}
FIRST, SECOND, THIRD, END = (f"2022-10-{day}" for day in (15, 16, 17, 18))
EVERYWHERE = [
    *(("stage", f"{table}{kind}") for table in TABLES for kind in ("", "_rejects")),
    *(("silver", table) for table in (*TABLES, "quarantine")),
]
State = dict[str, list[Any]]


def digest(name: str = NAME) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@pytest.fixture(scope="module")
def lake(spark: SparkSession) -> Lake:
    """Schemas of our own: a user is looked for everywhere."""
    return make_lake(spark, Lake(*(f"`12e8_erase_{name}`" for name in ("stage", "silver", "gold", "ops"))))


def sent(folder: Path, day: str, end: str, run: str, users: dict[int, Row]) -> list[Row]:
    """Send a day: post 2's pin row is refused, post 3's user row tells no age."""
    made = landings(folder, day, end, run)
    for ind, who in users.items():
        made["pin"].own(ind, wire(pin_row(ind, **({"title": 7} if ind == 2 else {}))))
        made["geo"].own(ind, wire(geo_row(ind, timestamp=f"{day}T01:02:03")))
        made["user"].own(ind, wire(user_row(ind, **who)))
    made["user"].foreign(b'{"ind":1,"first_name":"Zo')
    made["user"].foreign('{"first_name":"Zoë","last_name":"Abbott","age":'.encode())
    made["pin"].foreign(b"junk of nobody")
    return [landing.manifest() for landing in made.values()]


@pytest.fixture(scope="module")
def folder(run_job: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Load three days; post 9 was hers in an earlier run, and is another's by now."""
    made = tmp_path_factory.mktemp("erase")
    unclear = ZOE | {"age": "old"}
    first = {1: ZOE, 2: ZOE, 3: unclear, 4: NAMESAKE, 5: NAMESAKE, 6: {}, 7: ALONE}
    load(run_job, sent(made, FIRST, SECOND, "aaaa00000001", first))
    load(run_job, sent(made, SECOND, THIRD, "aaaa00000002", {8: ZOE, 10: {}}))
    load(run_job, sent(made, THIRD, END, "aaaa00000003", {9: ZOE, 11: {}}))
    load(run_job, sent(made, THIRD, END, "aaaa00000004", {9: NAMESAKE, 11: {}}))
    return made


@pytest.fixture(scope="module")
def loaded(spark: SparkSession, lake: Lake, folder: Path) -> dict[str, int]:
    """The version of each table as it was loaded."""
    return versions(spark, lake)


@pytest.fixture(autouse=True)
def restored(spark: SparkSession, lake: Lake, loaded: dict[str, int]) -> None:
    for table, version in versions(spark, lake).items():
        if version != loaded[table]:
            spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF {loaded[table]}")
            loaded[table] = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()[0].version


def versions(spark: SparkSession, lake: Lake) -> dict[str, int]:
    names = [f"{getattr(lake, schema)}.`{table}`" for schema, table in (*EVERYWHERE, ("ops", "ledger"))]
    return {name: spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0].version for name in names}


def objects(folder: Path) -> str:
    return json.dumps(
        [
            f"file://{folder}/*/topics/12e834567890.user/partition=*/*.json",
            f"file://{folder}/reconcile/*/*/*/user/partition=0/*",
        ]
    )


def find(run_job: Run, folder: Path, name: str = NAME, **given: Any) -> dict[str, Any]:
    wanted = json.dumps({"name_sha256": digest(name), **given})
    return run_job("find_user", wanted=wanted, objects=objects(folder))


def erased(run_job: Run, folder: Path, found: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    posts = folder / "posts.jsonl"
    posts.write_text("".join(f'{{"ind":{ind}}}\n' for ind in found["posts"]))
    rest = {key: value for key, value in found.items() if key not in ("posts", "log")}
    return run_job("erase", posts=f"file://{posts}", found=json.dumps(rest), name_sha256=digest(name))


def state(spark: SparkSession, lake: Lake) -> State:
    return {
        f"{schema}.{table}": sorted(
            map(tuple, spark.table(f"{getattr(lake, schema)}.`{table}`").collect()), key=repr
        )
        for schema, table in (*EVERYWHERE, ("ops", "ledger"))
    }


def assert_exact(spark: SparkSession, lake: Lake) -> None:
    """The ledger says of every day what the tables hold."""
    quarantine = spark.table(f"{lake.silver}.quarantine").collect()
    for row in spark.table(f"{lake.ops}.ledger").collect():
        day = spark.table(f"{lake.silver}.`{row.source_table}`").where(f"post_date = DATE'{row.post_date}'")
        refused = [
            q for q in quarantine if (q.post_date, q.source_table) == (row.post_date, row.source_table)
        ]
        own = sum(q.kind == "own" for q in refused)
        assert (row.silver, row.quarantined, row.foreign) == (day.count(), own, len(refused) - own)
        assert row.selected - row.orphans == row.acknowledged == row.silver + row.quarantined


def theirs(values: tuple[Any, ...], table: str, posts: set[int]) -> bool:
    """Rows of these posts; in rejects and quarantine the id is the second column, and junk tells it in its text."""
    if table.endswith(("_rejects", "quarantine")):
        return values[1] in posts or (values[2] == "foreign" and '"ind":1,' in values[5])
    return values[0] in posts


def test_a_name_of_several_users_is_refused_and_says_what_to_add_without_the_name(
    run_job: Run, folder: Path
) -> None:
    with pytest.raises(AmbiguousUserError) as error:
        find(run_job, folder)
    assert str(error.value) == (
        "2 users have this name: age 20 to 29, joined in 2015; age 30 to 39, joined in 2016. Nothing was erased. "
        "Repair: trigger again with age in the param `erase`."
    )


def test_a_user_is_found_by_age_or_day_and_an_unclear_row_of_the_name_is_nobodys(
    run_job: Run, folder: Path
) -> None:
    found = find(run_job, folder, age=20)
    assert (found["posts"], found["age"], found["date_joined"]) == ([1, 2, 8], 20, "2015-10-21 03:04:05")
    assert (found["sole"], found["unclear"]) == (False, 2)
    assert find(run_job, folder, date_joined="2015-10-21")["posts"] == [1, 2, 8]
    assert find(run_job, folder, date_joined="2016-01-02 00:00:00")["posts"] == [4, 5, 9]
    assert find(run_job, folder, age=None)["posts"] == []
    assert find(run_job, folder, "Only One's", age=None, date_joined=None)["posts"] == [7]
    assert find(run_job, folder, "Nobody Such")["posts"] == []
    assert not any("Abbott" in line for line in found["log"])


def test_a_user_who_is_published_no_more_is_found_in_stage_objects_and_snapshots(
    run_job: Run, spark: SparkSession, lake: Lake, folder: Path, tmp_path: Path
) -> None:
    spark.sql(f"DELETE FROM {lake.silver}.user WHERE ind IN (1, 2, 8)")
    assert find(run_job, folder, age=20)["posts"] == [1, 2, 8]
    spark.sql(f"DELETE FROM {lake.stage}.user WHERE age = 20")
    assert find(run_job, folder, age=20)["posts"] == [1, 2, 8]
    elsewhere = tmp_path / "elsewhere"
    assert find(run_job, elsewhere, age=20)["posts"] == []
    write_snapshot(
        elsewhere / "reconcile" / "bbbb" / "snapshot_source" / "1",
        {},
        {"user": [wire(user_row(21, **ZOE)), wire(user_row(22)), wire(user_row(9, **ZOE))]},
    )
    assert find(run_job, elsewhere, age=20)["posts"] == [21]


def test_every_row_of_the_user_goes_and_nothing_else(
    run_job: Run, spark: SparkSession, lake: Lake, folder: Path, tmp_path: Path
) -> None:
    before = state(spark, lake)
    result = erased(run_job, tmp_path, find(run_job, folder, age=20))
    after = state(spark, lake)
    for schema, table in EVERYWHERE:
        name = f"{schema}.{table}"
        stays = [row for row in before[name] if not theirs(row, table, {1, 2, 8})]
        if name == "stage.user":  # her old copy of a post that is another's by now
            stays = [row for row in stays if (row[0], row[-3]) != (9, "aaaa00000003")]
        assert after[name] == stays, name
        assert result["rows"][name] == len(before[name]) - len(stays)
        assert result["rows"][name] > 0 or name in ("stage.geo_rejects",), name
    assert_exact(spark, lake)
    days = {(row[0].isoformat(), row[1]): row for row in after["ops.ledger"]}
    assert days[FIRST, "pin"][2:7] == (5, 5, 0, 5, 0)
    assert days[FIRST, "user"][2:7] == (5, 5, 0, 4, 1)
    assert [row for row in before["ops.ledger"] if row[0].isoformat() == THIRD and row[1] != "user"] == [
        row for row in after["ops.ledger"] if row[0].isoformat() == THIRD and row[1] != "user"
    ]
    assert not any("Abbott" in line or "Zo" in line for line in result["log"])
    assert any("VACUUM" in line for line in result["log"])
    written = versions(spark, lake)
    again = erased(run_job, tmp_path, {**find(run_job, tmp_path / "nothing", age=20), "posts": [1, 2, 8]})
    assert set(again["rows"].values()) == {0}
    assert versions(spark, lake) == written


def test_a_user_whom_nobody_shares_the_name_with_loses_junk_that_names_them_too(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing"  # the objects of the namesake would be rewritten by then
    erased(run_job, tmp_path, find(run_job, nothing, age=35))
    found = find(run_job, nothing)
    assert (found["posts"], found["sole"], found["unclear"]) == ([1, 2, 3, 8], True, 0)
    erased(run_job, tmp_path, found)
    for schema in ("stage.`user_rejects`", "silver.quarantine"):
        part, _, table = schema.partition(".")
        left = spark.table(f"{getattr(lake, part)}.{table}").where("source_table = 'user'").collect()
        assert not any("Zo" in row.raw for row in left)
    assert spark.table(f"{lake.silver}.quarantine").where("kind = 'foreign'").count() == 4
    assert sorted(row.ind for row in spark.table(f"{lake.silver}.user").collect()) == [6, 7, 10, 11]
    assert_exact(spark, lake)


@pytest.mark.parametrize(
    "cut", ["stage.`user`", "ops.ledger", "silver.quarantine", "silver.`geo`", "silver.`user`"]
)
def test_an_erasure_that_dies_before_any_write_is_healed_by_a_whole_new_one(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path, cut: str
) -> None:
    schema, _, table = cut.partition(".")
    merge, due = erase.merge, f"{getattr(lake, schema)}.{table}"

    def die(session: SparkSession, rows: Any, target: str, *given: Any) -> None:
        if target == due:
            raise ZeroDivisionError
        merge(session, rows, target, *given)

    objects_gone = tmp_path / "nothing"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erase, "merge", die)
        with pytest.raises(ZeroDivisionError):
            erased(run_job, tmp_path, find(run_job, objects_gone, age=20))
    erased(run_job, tmp_path, find(run_job, objects_gone, age=20))
    assert_exact(spark, lake)
    for name, rows in state(spark, lake).items():
        if name != "ops.ledger":
            assert not [row for row in rows if theirs(row, name, {1, 2, 8})], name


def test_a_window_that_lost_posts_names_its_repair_and_its_neighbour_in_the_object_is_untouched(
    run_job: Run, tmp_path: Path
) -> None:
    landing = Landing(tmp_path, "user", "2022-10-20", "2022-10-21", "cccc00000001")
    for ind in (31, 32, 33):
        landing.own(ind)
    manifest = landing.manifest()
    key = Path(Path(manifest["keys"].removeprefix("file://")).read_text().split()[0].removeprefix("file://"))
    lines = key.read_bytes().split(b"\n")
    key.write_bytes(b"\n".join([b'{"ind":-2147483648}', *lines[1:]]))
    ids = Path(manifest["ids"].removeprefix("file://"))
    kept = gzip.decompress(ids.read_bytes()).splitlines(keepends=True)[1:]
    ids.write_bytes(gzip.compress(b"".join(kept)))
    with pytest.raises(
        LandingIncompleteError, match=r"user: 1 of the 3 posts.*erased.*Repair: clear select_posts"
    ):
        run_job("clean", manifest)
    result = run_job("clean", manifest | {"count": 2, "run": "cccc00000002"})
    assert (result["staged"], result["rejected"], result["foreign"]) == (2, 0, 0)


def test_of_a_name_with_one_user_rows_that_cannot_be_read_are_theirs() -> None:
    from types import SimpleNamespace

    def row(ind: int | None, age: int | None, joined: str | None, known: bool = True) -> Any:
        return SimpleNamespace(ind=ind, age=age, joined=joined, known=known)

    rows = [row(1, 20, "2015-10-21 00:00:00"), row(2, None, None, False), row(None, None, None, False)]
    assert identify(rows, Wanted("d", {})) == Found([1, 2], True, 20, "2015-10-21 00:00:00")
    assert identify(rows[1:], Wanted("d", {})) == Found([2])
    assert identify(rows, Wanted("d", {"age": 21})) == Found([], sole=False, unclear=2)
    assert identify([], Wanted("d", {})) == Found([])
    twins = [row(1, 20, "2015-10-21 00:00:00"), row(2, 20, "2015-12-01 00:00:00")]
    with pytest.raises(AmbiguousUserError, match=r"with date_joined in"):
        identify(twins, Wanted("d", {"age": 20}))
    with pytest.raises(
        AmbiguousUserError, match=r"age none, joined at no known date.*with age and date_joined"
    ):
        identify([*twins, row(3, None, None), row(4, None, "2015-10-21 00:00:00")], Wanted("d", {}))
