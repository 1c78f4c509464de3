"""Faults 8, 9, 10, 27, 28 and 29, quarantine with its way back, a fail rule and an erasure, in this order."""

import gzip
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from devstack import airflow
from devstack.s3proxy import client
from pinflow.wire import wire
from tests.e2e.conftest import BATCH, TABLES, Stack
from tests.e2e.test_batch import EVERYTHING, assert_answers_equal_the_independent_check, ids_of
from tests.include.poison import EARLY, JUNK, WAYS

pytestmark = [pytest.mark.e2e, pytest.mark.long]

REPLAY, MAINTENANCE = "pinterest_replay", "pinterest_maintenance"
DAYS = ("2022-10-02", "2022-10-03", "2022-10-04", "2022-10-05")
FIRST, END = DAYS[0], "2022-10-06"
FAIL_DAY, DRIFT_DAY, AFTER = "2022-10-06", "2022-10-07", "2022-10-08"
SOURCE = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
KEY = {"pin": "index", "geo": "ind", "user": "ind"}
TEXTS = [
    "😀🎄👩‍👩‍👧",
    "\u05e9\u05dc\u05d5\u05dd \u202e\u05e2",
    "e\u0301 a\u0308",
    "a\0b",
    "'; DROP TABLE silver.pin; --",
    "{{ var.value.pinflow }}",
]
FIRST_NAME, LAST_NAME = "Zoë", "O'Brien\"; DROP TABLE silver.user; --"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def source(stack: Stack) -> Iterator[None]:
    """Put the source back after the tests, and find every answer as the independent check has it."""
    if not stack.ledger("2022-01-01", FIRST):
        stack.load("2022-01-01", "2023-01-01")
    for table in SOURCE.values():
        stack.mysql(
            f"CREATE TABLE kept_{table} LIKE {table}", f"INSERT INTO kept_{table} SELECT * FROM {table}"
        )
    yield
    for table in SOURCE.values():
        stack.mysql(f"DROP TABLE {table}", f"RENAME TABLE kept_{table} TO {table}")
    stack.load(FIRST, AFTER)
    assert stack.assert_ledger_holds(FIRST, AFTER)["pin"]["quarantined"] == 0
    assert_answers_equal_the_independent_check(stack, "2023-01-01")


@pytest.fixture
def contract(stack: Stack) -> Iterator[Callable[[str, str, str], None]]:
    """Change a contract as a person does who uploads another include/: Airflow's own home comes first."""
    own = airflow.home(stack.settings) / "include"
    shutil.copytree(ROOT / "include", own)

    def change(table: str, old: str, new: str) -> None:
        path = own / "contracts" / f"{table}.yaml"
        text = path.read_text("utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), "utf-8")

    yield change
    shutil.rmtree(own)


@dataclass
class Poisoned:
    """What was done to the four days."""

    ids: list[int]
    bad: dict[tuple[str, int], tuple[bytes, list[str]]] = field(default_factory=dict)
    doubled: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def oversize(self) -> int:
        return self.ids[3]

    @property
    def large(self) -> int:
        return self.ids[4]

    @property
    def erased(self) -> list[int]:
        return self.ids[11:13]


def source_row(stack: Stack, table: str, ind: int) -> dict[str, Any]:
    names = [row[0] for row in stack.mysql(f"SHOW COLUMNS FROM {SOURCE[table]}")]
    (values,) = stack.mysql(f"SELECT * FROM {SOURCE[table]} WHERE `{KEY[table]}` = {ind}")
    return dict(zip(names, values, strict=True))


def quoted(text: str) -> str:
    return f"CONVERT(UNHEX('{text.encode().hex()}') USING utf8mb4)"


@pytest.fixture(scope="module")
def poisoned(stack: Stack, source: None) -> Poisoned:
    """Load four days between whose lines somebody else puts bad ones with our ids, doubles and junk."""
    made = Poisoned(sorted(ind for day in DAYS for ind in ids_of(stack, day)))
    made.texts = dict(zip(made.ids[5:11], TEXTS, strict=True))
    made.doubled, made.changed = made.ids[13:17], made.ids[21:25]
    users = ", ".join(map(str, made.erased))
    stack.mysql(
        "ALTER TABLE pinterest_data MODIFY description LONGTEXT",
        f"UPDATE pinterest_data SET description = REPEAT('x', 2000000) WHERE `index` = {made.oversize}",
        f"UPDATE pinterest_data SET description = REPEAT('é', 440000) WHERE `index` = {made.large}",
        *(f"UPDATE pinterest_data SET title = {quoted(text)} WHERE `index` = {ind}" for ind, text in made.texts.items()),
        f"UPDATE user_data SET first_name = {quoted(FIRST_NAME)}, last_name = {quoted(LAST_NAME)}, age = 33, "
        f"date_joined = '2016-01-02 03:04:05' WHERE ind IN ({users})",
    )  # fmt: skip
    lines: list[tuple[str, int, bytes]] = [
        ("pin", -number, line) for number, line in enumerate(JUNK.values(), 1)
    ]
    for number, ind in enumerate(made.ids[::20]):
        table, line, reasons = list(WAYS.values())[number % len(WAYS)]
        made.bad[table, ind] = line(ind), reasons
        lines.append((table, ind, line(ind)))
    lines += [("pin", ind, wire(source_row(stack, "pin", ind))) for ind in made.doubled]
    lines += [("pin", ind, wire(source_row(stack, "pin", ind) | {"title": "later"})) for ind in made.changed]

    sink = stack.pid("sink")
    os.kill(sink, signal.SIGSTOP)
    run_id = stack.trigger(BATCH, {"window_start": FIRST, "window_end": END})
    stack.until(
        run_id, lambda: all(stack.task(BATCH, run_id, f"emulate.{t}").state == "success" for t in TABLES)
    )
    s = stack.settings
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{s.kafka_port}", "partitioner": "murmur2_random"})
    for table, ind, line in lines:
        producer.produce(f"{s.user_id}.{table}", line, str(ind))
    assert producer.flush(30) == 0
    os.kill(sink, signal.SIGKILL)  # its successor lands ours and theirs in one object a partition
    stack.finish(BATCH, run_id)
    return made


def refused(stack: Stack) -> dict[tuple[str, int], list[str]]:
    rows = stack.rows(
        f"SELECT source_table, ind, reasons FROM silver.quarantine WHERE kind = 'own' AND post_date >= '{FIRST}' "
        f"AND post_date < '{END}'"
    )
    return {(row["source_table"], int(row["ind"])): json.loads(row["reasons"]) for row in rows}


def test_bad_lines_are_in_quarantine_each_with_its_reasons_and_everything_else_is_in_silver(
    stack: Stack, poisoned: Poisoned
) -> None:
    found = refused(stack)
    (oversize,) = found.pop(("pin", poisoned.oversize))
    assert found == {place: reasons for place, (_, reasons) in poisoned.bad.items()}
    assert set(WAYS) == {name for name, way in WAYS.items() if way[2] in found.values()}
    ledger = stack.assert_ledger_holds(FIRST, END)
    assert len(poisoned.ids) >= 370
    for table in TABLES:
        bad = sum(place[0] == table for place in poisoned.bad) + (table == "pin")
        assert (ledger[table]["acknowledged"], ledger[table]["quarantined"]) == (len(poisoned.ids), bad), (
            table
        )
    doubles = len(poisoned.doubled) + len(poisoned.changed)
    assert [ledger[table]["foreign_doubles"] for table in TABLES] == [
        sum(place[0] == table for place in poisoned.bad) + (table == "pin") * doubles for table in TABLES
    ]
    junk = stack.rows("SELECT raw FROM silver.quarantine WHERE kind = 'foreign' AND post_date = '2022-10-02'")
    assert {row["raw"].encode() for row in junk} == set(JUNK.values())
    assert size_said(oversize) > 2_000_000


def size_said(reason: str) -> int:
    size, _, said = reason.removeprefix("row: ").partition(" ")
    assert said == "bytes, more than max_row_bytes; its values were not sent"
    return int(size)


def test_of_doubled_ids_the_latest_counts(stack: Stack, poisoned: Poisoned) -> None:
    ids = ", ".join(map(str, poisoned.doubled + poisoned.changed))
    rows = stack.rows(f"SELECT ind, title FROM silver.pin WHERE ind IN ({ids})")
    titles = {int(row["ind"]): row["title"] for row in rows}
    assert len(rows) == len(titles) == len(poisoned.doubled) + len(poisoned.changed)
    assert {titles[ind] for ind in poisoned.changed} == {"later"}
    assert "later" not in {titles[ind] for ind in poisoned.doubled}


def test_a_row_too_large_is_kept_whole_and_one_just_small_enough_arrives(
    stack: Stack, poisoned: Poisoned
) -> None:
    s3, bucket = client(stack.settings), stack.settings.bucket
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="manifests/pin/")
    entries = [entry for page in listed for entry in page.get("Contents", ())]
    kept = [entry for entry in entries if entry["Key"].endswith(".oversize.jsonl.gz")]
    newest = max(kept, key=lambda entry: entry["LastModified"])["Key"]
    body = json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=newest)["Body"].read()))
    assert body["ind"] == poisoned.oversize
    assert body["row"]["description"] == "x" * 2_000_000
    (row,) = stack.rows(f"SELECT raw FROM silver.quarantine WHERE ind = {poisoned.oversize}")
    said = json.loads(row["raw"])["pinflow_oversize"]
    assert said["sha256"] == sha256(wire(body["row"])).hexdigest()
    arrived = stack.rows(f"SELECT sha2(description, 256) d FROM silver.pin WHERE ind = {poisoned.large}")
    assert arrived == [{"d": sha256(("é" * 440_000).encode()).hexdigest()}]


def test_hostile_texts_arrive_exactly(stack: Stack, poisoned: Poisoned) -> None:
    ids = ", ".join(map(str, poisoned.texts))
    rows = stack.rows(f"SELECT ind, title FROM silver.pin WHERE ind IN ({ids})")
    assert {int(row["ind"]): row["title"] for row in rows} == poisoned.texts
    name = stack.rows(f"SELECT user_name FROM silver.user WHERE ind = {poisoned.erased[0]}")
    assert name == [{"user_name": f"{FIRST_NAME} {LAST_NAME}"}]


def test_hostile_dates_and_params_are_refused_or_mean_nothing(stack: Stack, poisoned: Poisoned) -> None:
    before = stack.checksum("silver.quarantine"), stack.checksum("ops.ledger")
    run_id = stack.load("2022-10-02' OR 1=1; DROP TABLE geolocation_data; --", END, expect="failed")
    assert "Repair: " in stack.log(BATCH, run_id, "wait_for_posts")
    stack.api.wait_for_dag(REPLAY)
    stack.api.unpause(REPLAY)
    with pytest.raises(Exception, match=r"400|422|is not one of"):
        stack.trigger(REPLAY, {"table": "pin`; DROP TABLE silver.pin; --"})
    run_id = stack.trigger(REPLAY, {"reason": "' OR '1'='1"})
    stack.finish(REPLAY, run_id)
    assert (stack.checksum("silver.quarantine"), stack.checksum("ops.ledger")) == before


def test_after_the_contract_is_repaired_a_replay_moves_exactly_the_repaired_rows(
    stack: Stack, poisoned: Poisoned, contract: Callable[[str, str, str], None]
) -> None:
    before, others = refused(stack), f"post_date < '{FIRST}' OR post_date >= '{END}'"
    outside = {
        table: stack.checksum(table, others) for table in ("silver.user", "silver.quarantine", "ops.ledger")
    }
    repaired = {place for place, reasons in before.items() if reasons == [EARLY]}
    assert repaired
    contract("user", "action: quarantine\n    doc: Nobody", "action: warn\n    doc: Nobody")
    run_id = stack.trigger(REPLAY, {"days": [FIRST, DAYS[-1]], "table": "user"})
    stack.finish(REPLAY, run_id)
    assert refused(stack) == {
        place: [reason for reason in reasons if reason != EARLY]
        for place, reasons in before.items()
        if place not in repaired
    }
    ids = ", ".join(str(ind) for _, ind in repaired)
    rows = stack.rows(f"SELECT DISTINCT year(date_joined) y FROM silver.user WHERE ind IN ({ids})")
    assert rows == [{"y": "1970"}]
    stack.assert_ledger_holds(FIRST, END)
    assert {table: stack.checksum(table, others) for table in outside} == outside


def test_a_fail_rule_keeps_what_is_published_and_the_repaired_rule_publishes(
    stack: Stack, contract: Callable[[str, str, str], None]
) -> None:
    ind, count = ids_of(stack, FAIL_DAY)[0], len(ids_of(stack, FAIL_DAY))
    stack.mysql(f"UPDATE user_data SET age = 7 WHERE ind = {ind}")
    before = {table: stack.checksum(table) for table in EVERYTHING}
    contract("user", "range_action: warn", "range_action: fail")
    run_id = stack.trigger(BATCH, day=FAIL_DAY)
    stack.finish(BATCH, run_id, expect="failed")
    assert f"rule range(age) of user: 1 of {count} rows fail" in stack.log(BATCH, run_id, "audit")
    assert stack.task(BATCH, run_id, "publish").state == "upstream_failed"
    assert {table: stack.checksum(table) for table in EVERYTHING} == before
    contract("user", "range_action: fail", "range_action: warn")
    stack.api.clear(BATCH, run_id, ["upload_spark_code"], downstream=True)
    stack.leave_answers(run_id)
    stack.finish(BATCH, run_id)
    assert stack.rows(f"SELECT age FROM silver.user WHERE ind = {ind}") == [{"age": "7"}]
    stack.assert_ledger_holds(FAIL_DAY, DRIFT_DAY)


def test_a_renamed_column_stops_the_run_before_anything_is_sent_and_an_added_one_does_not(
    stack: Stack,
) -> None:
    stack.mysql(
        "ALTER TABLE geolocation_data CHANGE COLUMN country land TEXT",
        "ALTER TABLE pinterest_data ADD COLUMN language TEXT",
    )
    before = stack.checksum("ops.ledger")
    run_id = stack.trigger(BATCH, day=DRIFT_DAY)
    stack.finish(BATCH, run_id, expect="failed")
    said = stack.log(BATCH, run_id, "select_posts")
    assert "geolocation_data has no column country; renamed to land text?" in said
    assert {stack.task(BATCH, run_id, f"emulate.{table}").state for table in TABLES} == {"upstream_failed"}
    stack.mysql("ALTER TABLE geolocation_data CHANGE COLUMN land country TEXT")
    assert stack.checksum("ops.ledger") == before
    stack.api.clear(BATCH, run_id, ["select_posts"], downstream=True)
    stack.leave_answers(run_id)
    stack.finish(BATCH, run_id)
    assert "language" in stack.log(BATCH, run_id, "select_posts")
    assert stack.assert_ledger_holds(DRIFT_DAY, AFTER)["geo"]["silver"] == len(ids_of(stack, DRIFT_DAY))


def test_an_erased_user_is_in_no_table_and_no_object(stack: Stack, poisoned: Poisoned) -> None:
    ids, name = ", ".join(map(str, poisoned.erased)), f"{FIRST_NAME} {LAST_NAME}"
    for table, stored in SOURCE.items():
        stack.mysql(f"DELETE FROM {stored} WHERE `{KEY[table]}` IN ({ids})")
    others = {table: stack.checksum(f"silver.`{table}`", f"ind NOT IN ({ids})") for table in TABLES}
    stack.api.wait_for_dag(MAINTENANCE)
    stack.api.unpause(MAINTENANCE)
    wanted = {"user_name": name, "age": 33, "date_joined": "2016-01-02"}
    run_id = stack.trigger(MAINTENANCE, {"erase": wanted})
    stack.finish(MAINTENANCE, run_id, seconds=900)
    for table in TABLES:
        assert stack.rows(f"SELECT ind FROM silver.`{table}` WHERE ind IN ({ids})") == []
        assert stack.checksum(f"silver.`{table}`", f"ind NOT IN ({ids})") == others[table]
    for table in (
        "silver.quarantine",
        "stage.pin",
        "stage.geo",
        "stage.user",
        "gold.fact_post",
        "gold.post_batch",
    ):
        assert stack.rows(f"SELECT ind FROM {table} WHERE ind IN ({ids})") == [], table
    stack.assert_ledger_holds(FIRST, END)
    assert [key for key, content in objects(stack) if LAST_NAME.split('"')[0].encode() in content] == []
    for key, content in objects(stack, "manifests/"):
        if key.endswith(".gz"):
            inds = {json.loads(line).get("ind") for line in gzip.decompress(content).splitlines()}
            assert not inds & set(poisoned.erased), key
    ended = [task for task in stack.api.tasks(MAINTENANCE, run_id) if task.state == "success"]
    logs = "".join("\n".join(stack.api.log(MAINTENANCE, run_id, task)) for task in ended)
    assert "O'Brien" not in logs
    assert FIRST_NAME not in logs


def objects(stack: Stack, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    s3, bucket = client(stack.settings), stack.settings.bucket
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix or "topics/"):
        for entry in page.get("Contents", ()):
            yield entry["Key"], s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
