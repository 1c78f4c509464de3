"""A day of 480 posts, one in twenty bad in one of twelve ways, and five kinds of junk between them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import pinspark.checks
from pinspark.audit import AuditFailedError
from pinspark.checks import CheckError, check_texts
from pinspark.contracts import TABLES
from tests.include.conftest import Lake
from tests.include.landed import Row, geo_row, pin_row, user_row, wire
from tests.include.poison import DAY, FIRST, JUNK, WAYS
from tests.include.spark.jobs.conftest import Run, landings, load

END = "2022-10-06"
POSTS = 480
EVERY = 20


def poisoned(folder: Path, run: str) -> tuple[list[Row], dict[tuple[str, int], tuple[bytes, list[str]]]]:
    """Land the day; give the manifests, and raw line and reasons of each bad row."""
    made, ways = landings(folder, DAY, END, run), list(WAYS.values())
    bad: dict[tuple[str, int], tuple[bytes, list[str]]] = {}
    for number in range(POSTS):
        ind = FIRST + number
        lines: dict[str, bytes | None] = dict.fromkeys(TABLES)
        if number % EVERY == 0:
            table, line, reasons = ways[number // EVERY % len(ways)]
            lines[table] = line(ind)
            bad[table, ind] = line(ind), reasons
        for table, landing in made.items():
            landing.own(ind, lines[table], DAY, ind % 3)
    for line in JUNK.values():
        made["pin"].foreign(line, 1)
    return [landing.manifest() for landing in made.values()], bad


@pytest.fixture(scope="module")
def day(
    tmp_path_factory: pytest.TempPathFactory, run_job: Run
) -> tuple[dict[str, Any], dict[tuple[str, int], tuple[bytes, list[str]]]]:
    manifests, bad = poisoned(tmp_path_factory.mktemp("poisoned"), "abad00000001")
    return load(run_job, manifests), bad


def test_one_row_in_twenty_is_bad_in_every_way(day: tuple[Any, dict[Any, tuple[bytes, list[str]]]]) -> None:
    assert len(day[1]) == POSTS // EVERY == 2 * len(WAYS)
    assert len(WAYS) >= 12


def test_quarantine_holds_exactly_the_bad_rows_each_with_its_reasons(
    spark: SparkSession, lake: Lake, day: tuple[Any, dict[tuple[str, int], tuple[bytes, list[str]]]]
) -> None:
    rows = spark.table(f"{lake.silver}.quarantine").where(f"post_date = DATE'{DAY}'").collect()
    own = {(row.source_table, row.ind): row for row in rows if row.kind == "own"}
    assert {place: row.reasons for place, row in own.items()} == {
        place: reasons for place, (_, reasons) in day[1].items()
    }
    for place, row in own.items():
        raw = day[1][place][0]
        assert row.raw.startswith("base64:") if b"\xff" in raw else row.raw.encode() == raw
    foreign = [row for row in rows if row.kind == "foreign"]
    assert len(rows) == len(own) + len(foreign)
    assert {row.raw.encode() for row in foreign} == set(JUNK.values())
    assert {tuple(row.reasons) for row in foreign} == {("row: not a JSON object",)}


def test_every_other_row_is_in_silver_and_the_ledger_holds(
    spark: SparkSession, lake: Lake, day: tuple[Any, dict[tuple[str, int], tuple[bytes, list[str]]]]
) -> None:
    ledger = {
        row.source_table: row
        for row in spark.table(f"{lake.ops}.ledger").where(f"post_date = DATE'{DAY}'").collect()
    }
    for table in TABLES:
        rows = spark.table(f"{lake.silver}.`{table}`").where(f"post_date = DATE'{DAY}'").select("ind")
        bad = {ind for name, ind in day[1] if name == table}
        assert {row.ind for row in rows.collect()} == set(range(FIRST, FIRST + POSTS)) - bad
        counts = [ledger[table][name] for name in ("acknowledged", "silver", "quarantined", "doubles")]
        assert counts == [POSTS, POSTS - len(bad), len(bad), 0]


def test_the_audit_is_green_and_says_what_was_refused(
    spark: SparkSession, lake: Lake, day: tuple[dict[str, Any], Any]
) -> None:
    found = {
        (f["source_table"], f["rule"]): (f["action"], f["rows"], f["failed"])
        for f in day[0]["audit"]["findings"]
    }
    assert found == {
        ("pin", "foreign_junk"): ("warn", POSTS, len(JUNK)),
        ("user", "joined_in_its_time"): ("quarantine", POSTS, 4),
    }
    assert any(
        line.startswith("REFUSED user.joined_in_its_time: 4 of 480; ") for line in day[0]["audit"]["log"]
    )
    results = spark.table(f"{lake.ops}.quality_results").where("run = 'abad00000001'").collect()
    rows = {(row.source_table, row.rule): (row.rows, row.failed) for row in results}
    assert len(rows) == len(results)
    # the partners in quarantine are told of there
    assert rows["pin", "relation(ind to geo)"] == (POSTS - 12, 0)
    assert rows["user", "relation(ind to geo)"] == (POSTS - 6, 0)
    assert rows["geo", "latitude_exists"] == (POSTS - 6, 0)
    assert rows["pin", "values(category)"] == (POSTS - 12, 0)


def staged(run_job: Run, folder: Path, run: str, **lines: dict[int, bytes | None]) -> list[Row]:
    """Clean a day of its own, 2022-09-01, whose rows differ from good ones; None: the table has no such row."""
    made = landings(folder, "2022-09-01", "2022-09-02", run)
    for table, landing in made.items():
        for ind in range(1, 31):
            line = lines.get(table, {}).get(ind, b"")
            if line is None:
                landing.orphan(ind)
            else:
                landing.own(ind, line or None)
    manifests = [landing.manifest() for landing in made.values()]
    for manifest in manifests:
        run_job("clean", manifest)
    return manifests


def findings(result: dict[str, Any]) -> dict[tuple[str, str], tuple[str, int, int]]:
    return {(f["source_table"], f["rule"]): (f["action"], f["rows"], f["failed"]) for f in result["findings"]}


def test_rows_without_partner_new_values_and_times_in_disorder_are_warned_of(
    run_job: Run, tmp_path: Path
) -> None:
    manifests = staged(
        run_job, tmp_path, "abad00000002",
        pin={n: wire(pin_row(n, category="sports", title=None, is_image_or_video="gif")) for n in range(1, 5)},
        geo={1: None, 2: wire(geo_row(2, country=5)), 3: wire(geo_row(3, timestamp="2014-01-01T00:00:00"))},
        user={5: wire(user_row(5, age=-1)), 6: wire(user_row(6, age=None)), 7: wire(user_row(7, age=121))},
    )  # fmt: skip
    assert findings(run_job("audit", manifests)) == {
        ("pin", "values(category)"): ("warn", 30, 4),
        ("pin", "values(is_image_or_video)"): ("warn", 30, 4),
        ("pin", "complete"): ("warn", 30, 4),
        ("pin", "relation(ind to geo)"): ("warn", 30, 1),
        ("geo", "orphans"): ("warn", 30, 1),
        ("geo", "on_day(timestamp)"): ("warn", 28, 1),
        ("user", "relation(ind to geo)"): ("warn", 30, 1),
        ("user", "range(age)"): ("warn", 30, 2),
        ("user", "joined_before_posting"): ("warn", 28, 1),
    }


@pytest.mark.long  # e2e has a fail rule too
def test_a_fail_rule_leaves_what_is_published_and_the_repaired_contract_publishes(
    spark: SparkSession, lake: Lake, run_job: Run, tmp_path: Path, change_contract: Callable[..., None]
) -> None:
    def ages() -> dict[int, int]:
        rows = spark.table(f"{lake.silver}.user").where("post_date = DATE'2022-09-01'").collect()
        return {row.ind: row.age for row in rows}

    first = staged(run_job, tmp_path / "1", "abad00000003")
    run_job("audit", first)
    run_job("publish", first)
    published = ages()
    assert set(published.values()) == {20}
    change_contract("user", columns={"age": {"range_action": "fail"}})
    again = staged(run_job, tmp_path / "2", "abad00000004", user={9: wire(user_row(9, age=-1))})
    with pytest.raises(AuditFailedError) as error:
        run_job("audit", again)
    assert (
        "Nothing of [2022-09-01, 2022-09-02) was published. rule range(age) of user: 1 of 30 rows fail, "
        "age is at least 13 and at most 120. Repair: look at the rows of stage.<table> where run = 'abad00000004'"
    ) in str(error.value)
    assert ages() == published
    written = spark.table(f"{lake.ops}.quality_results").where("run = 'abad00000004' AND failed > 0")
    assert [(row.rule, row.action, row.failed) for row in written.collect()] == [("range(age)", "fail", 1)]
    change_contract("user")
    run_job("audit", again)
    run_job("publish", again)
    assert ages() == published | {9: -1}


@pytest.mark.long
def test_an_action_changed_to_quarantine_refuses_the_row_and_is_counted(
    run_job: Run, tmp_path: Path, change_contract: Callable[..., None]
) -> None:
    change_contract("user", columns={"age": {"range_action": "quarantine"}})
    unreadable = wire(user_row(3)).replace(b"Aaron", b"\\ud83d")
    rows = {n: wire(user_row(n, age=age)) for n, age in ((1, -1), (2, 200))} | {3: unreadable}
    manifests = staged(run_job, tmp_path, "abad00000005", user=rows)
    # the unreadable line was not looked at
    assert findings(run_job("audit", manifests)) == {("user", "range(age)"): ("quarantine", 29, 2)}


FAILING = """-- Nobody is called Aaron.
-- grain: one row
-- reads: {{ stage }}.user
-- params: stage, run
-- table: user
-- action: fail
-- rule: no_aaron
SELECT
    COUNT(*) AS `rows`,
    COUNT_IF(user_name LIKE 'Aaron%') AS failed
FROM {{ stage }}.`user`
WHERE run = '{{ run }}'
"""


def test_a_check_written_by_hand_stops_the_run_and_one_of_many_rows_is_refused(
    run_job: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = staged(run_job, tmp_path, "abad00000006")
    texts = check_texts()
    monkeypatch.setattr(pinspark.checks, "check_texts", lambda: texts | {"user_no_aaron.sql": FAILING})
    with pytest.raises(
        AuditFailedError,
        match=r"rule no_aaron of user: 30 of 30 rows fail, Nobody is called Aaron\. Repair: .*include/sql/checks",
    ):
        run_job("audit", manifests)
    grouped = FAILING + "GROUP BY ind\n"
    monkeypatch.setattr(pinspark.checks, "check_texts", lambda: texts | {"user_no_aaron.sql": grouped})
    with pytest.raises(CheckError, match=r"user_no_aaron\.sql gives 30 rows, not one\. Repair:"):
        run_job("audit", manifests)


def test_the_audit_is_one_query_and_one_write(
    run_job: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.readwriter import DataFrameWriter

    manifests = staged(run_job, tmp_path, "abad00000007")
    calls: list[str] = []
    for kind, name in ((DataFrame, "collect"), (DataFrameWriter, "saveAsTable")):
        original = getattr(kind, name)

        def counting(
            self: Any, *given: Any, _original: Any = original, _name: str = name, **named: Any
        ) -> Any:
            calls.append(_name)
            return _original(self, *given, **named)

        monkeypatch.setattr(kind, name, counting)
    run_job("audit", manifests)
    assert calls == ["collect", "saveAsTable"]


CANARY = "CANARYb51d"


def test_a_personal_value_is_in_the_raw_line_and_nowhere_else(
    spark: SparkSession,
    lake: Lake,
    run_job: Run,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    change_contract: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    change_contract(
        "user",
        columns={"age": {"range_action": "fail"}},
        rows=[
            {"rule": "named", "expect": f"user_name NOT LIKE '{CANARY[:6]}%'", "action": "quarantine", "doc": "A name"}
        ],
    )  # fmt: skip
    users = {
        1: wire(user_row(1, first_name={CANARY: CANARY}, last_name=[CANARY], age=CANARY, date_joined=CANARY)),
        2: wire(user_row(2, first_name=CANARY, last_name=CANARY, age=-1)),
        3: wire(user_row(3, age=-1)),
        4: wire(user_row(4, age={CANARY: [CANARY]})),
        5: wire(user_row(5, first_name=CANARY)).replace(b"CAN", b"\\ud83dCAN"),
    }
    pins = {1: wire(pin_row(1, poster_name={CANARY: CANARY}))}
    made = landings(tmp_path, "2022-09-01", "2022-09-02", "abad00000008")
    for table, landing in made.items():
        for ind in range(1, 31):
            landing.own(ind, {"pin": pins, "user": users}.get(table, {}).get(ind))
    made["user"].foreign(f'{{"ind":6,"age":"{CANARY}'.encode())
    manifests = [landing.manifest() for landing in made.values()]
    said = [str(run_job("clean", manifest)) for manifest in manifests]
    with pytest.raises(AuditFailedError) as error:
        run_job("audit", manifests)
    results = spark.table(f"{lake.ops}.quality_results").where("run = 'abad00000008'").collect()
    change_contract("user")
    said += [
        str(run_job("audit", manifests)),
        str(run_job("publish", manifests)),
        str(error.value),
        str(results),
    ]
    results = spark.table(f"{lake.ops}.quality_results").where("run = 'abad00000008'").collect()
    said += [str(results), *capfd.readouterr()]
    said += [path.read_text() for path in tmp_path_factory.getbasetemp().glob("*/server.log")]
    refused = spark.table(f"{lake.silver}.quarantine").where("post_date = DATE'2022-09-01'").collect()
    assert sum(CANARY in row.raw for row in refused) == 6
    said += [str(row.asDict() | {"raw": ""}) for row in refused]
    assert len(refused) > 5
    assert [text for text in said if CANARY in text] == []
