"""One user leaves every table: people of the same name stay, the ledger holds, and it can die anywhere."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import erase
from pinspark.contracts import TABLES
from pinspark.ledger import ledger_splits
from pinspark.stage import LandingIncompleteError
from pinspark.users import AmbiguousUserError, Found, Wanted, identify
from tests.include.conftest import Lake, make_lake
from tests.include.landed import Landing, Row, pin_row, user_row, wire, write_snapshot
from tests.include.spark.jobs.conftest import Run

pytestmark = pytest.mark.long

NAME = "Zoë Abbott"
ZOE = {"first_name": "Zoë", "last_name": "Abbott", "age": 20, "date_joined": "2015-10-21T03:04:05"}
NAMESAKE = {"first_name": "Zoë", "last_name": "Abbott", "age": 35, "date_joined": "2016-01-02T00:00:00"}
ALONE = {"first_name": "Only", "last_name": "One's", "age": None, "date_joined": None}
FIRST, SECOND, THIRD = (f"2022-10-{day}" for day in (15, 16, 17))
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


@dataclass(frozen=True)
class Sent:
    """Posts of one run and day; what a later run sent anew is published no more."""

    run: str
    day: str
    users: dict[int, Row]
    published: bool = True


# post 2's pin row and post 3's user row are refused; post 9 was hers in an earlier run, and is another's by now
RUNS = [
    Sent(
        "aaaa00000001",
        FIRST,
        {1: ZOE, 2: ZOE, 3: ZOE | {"age": "old"}, 4: NAMESAKE, 5: NAMESAKE, 6: {}, 7: ALONE},
    ),
    Sent("aaaa00000002", SECOND, {8: ZOE, 10: {}}),
    Sent("aaaa00000003", THIRD, {9: ZOE, 11: {}}, published=False),
    Sent("aaaa00000004", THIRD, {9: NAMESAKE, 11: {}}),
]
JUNK = ['{"ind":1,"first_name":"Zo', '{"first_name":"Zoë","last_name":"Abbott","age":', "junk of nobody"]
OF_RUN = "CAST('{day}' AS DATE) AS post_date, '{run}' AS run, 0 AS doubles, 0 AS foreign_doubles"
CLEAN = {
    "pin": "ind, title",
    "geo": "ind, CAST('{day} 01:02:03' AS TIMESTAMP) AS timestamp",
    "user": "ind, first_name || ' ' || last_name AS user_name, TRY_CAST(age AS INT) AS age, "
    "CAST(date_joined AS TIMESTAMP) AS date_joined",
}
REFUSED = (
    "source_table, ind, kind, array('x') AS columns, array('x: why') AS reasons, raw, '{run}' AS key, line"
)
SENT_ROW = "ind INT, title STRING, first_name STRING, last_name STRING, age STRING, date_joined STRING"


def append(rows: DataFrame, table: str) -> None:
    rows.write.format("delta").mode("append").saveAsTable(table)


def stage(spark: SparkSession, lake: Lake, sent: Sent) -> None:
    """Write what clean, audit and publish leave of a run: clean rows, refused lines, junk."""
    rows = [{"ind": ind, "title": f"title {ind}", **user_row(ind, **who)} for ind, who in sent.users.items()]
    values = [tuple(row[part.split()[0]] for part in SENT_ROW.split(", ")) for row in rows]
    values = [
        tuple(None if v is None else v if n == 0 else str(v) for n, v in enumerate(row)) for row in values
    ]
    every = spark.createDataFrame(values, SENT_ROW)
    refused = {"pin": [2], "geo": list[int](), "user": [3]}
    lines = [
        (
            table,
            ind,
            "own",
            wire(pin_row(ind, title=7) if table == "pin" else user_row(ind, **sent.users[ind])),
        )
        for table, inds in refused.items()
        for ind in inds
        if ind in sent.users
    ]
    lines += [("pin" if "nobody" in text else "user", None, "foreign", text.encode()) for text in JUNK]
    numbered = [(*line[:3], line[3].decode(), number) for number, line in enumerate(lines)]
    rejects = spark.createDataFrame(
        numbered, "source_table STRING, ind INT, kind STRING, raw STRING, line INT"
    ).selectExpr(*(f"{REFUSED}, {OF_RUN}".format(run=sent.run, day=sent.day).split(", ")))
    for table in TABLES:
        good = every.where(~F.col("ind").isin(refused[table]))
        clean = good.selectExpr(*f"{CLEAN[table]}, {OF_RUN}".format(run=sent.run, day=sent.day).split(", "))
        of_table = rejects.where(f"source_table = '{table}'")
        append(clean, f"{lake.stage}.`{table}`")
        append(of_table, f"{lake.stage}.`{table}_rejects`")
        if sent.published:
            append(clean.drop("run", "doubles", "foreign_doubles"), f"{lake.silver}.`{table}`")
            append(of_table.drop("run"), f"{lake.silver}.quarantine")


@pytest.fixture(scope="module")
def folder(spark: SparkSession, lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days in every table, and the landed objects of user."""
    made = tmp_path_factory.mktemp("erase")
    for sent in RUNS:
        stage(spark, lake, sent)
        landing = Landing(made, "user", sent.day, sent.day, sent.run)
        for ind, who in sent.users.items():
            landing.own(ind, wire(user_row(ind, **who)))
        for text in JUNK[:2]:
            landing.foreign(text.encode())
        landing.manifest()
    counts = ledger_splits(spark, lake.silver, TABLES).withColumns(
        {name: F.lit(0).cast("bigint") for name in ("orphans", "doubles", "foreign_doubles")}
    )
    junk = spark.table(f"{lake.silver}.quarantine").where("kind = 'foreign'")
    foreign = junk.groupBy("post_date", "source_table").agg(F.count(F.lit(1)).alias("foreign"))
    total = (F.col("silver") + F.col("quarantined")).cast("bigint")
    ledger = counts.join(foreign, ["post_date", "source_table"], "left").na.fill(0, ["foreign"])
    append(ledger.withColumns({"selected": total, "acknowledged": total}), f"{lake.ops}.ledger")
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
    assert spark.table(f"{lake.silver}.quarantine").where("kind = 'foreign'").count() == 3
    assert sorted(row.ind for row in spark.table(f"{lake.silver}.user").collect()) == [6, 7, 10, 11]
    assert_exact(spark, lake)


@pytest.mark.parametrize(
    "cut",
    [  # the first, the last, and those between in the long suite
        "stage.`user`",
        *(
            pytest.param(table, marks=pytest.mark.long)
            for table in ("ops.ledger", "silver.quarantine", "silver.`geo`")
        ),
        "silver.`user`",
    ],
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
