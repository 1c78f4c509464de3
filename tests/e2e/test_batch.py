"""The batch layer on the real stack: what is promised, seen to hold. The tests share one year of posts, in order."""

import json
import os
import signal
import threading
import time
from datetime import date, datetime
from typing import Any

import pytest

from tests import answers
from tests.e2e.conftest import BATCH, TABLES, Stack

pytestmark = pytest.mark.e2e

FIRST, LOADED = "2022-01-01", "2022-12-26"
SILVER = [f"silver.`{table}`" for table in TABLES]
GOLD = [
    "top_category_by_country", "top_category_by_country_ranked", "top_category_by_year",
    "top_category_by_year_ranked", "categories_by_year", "top_category_by_age_group",
    "top_category_by_age_group_ranked", "top_user_by_country", "top_user_by_country_ranked",
    "top_country_by_followers", "median_followers_by_age_group", "median_followers_by_join_year",
    "median_followers_by_join_year_and_age_group", "users_joined_by_year", "posts_by_day_and_category",
    "users_joined_by_month", "followers_by_category", "video_share_by_year", "known_values",
]  # fmt: skip
STAR = ["fact_post", "dim_category", "dim_date", "dim_location", "dim_poster", "dim_user", "post_batch"]
EVERYTHING = [*SILVER, "silver.quarantine", "ops.ledger", *(f"gold.{name}" for name in (*STAR, *GOLD))]


def source_rows(stack: Stack) -> list[list[tuple[Any, ...]]]:
    return [stack.mysql(f"SELECT * FROM {t}") for t in ("pinterest_data", "geolocation_data", "user_data")]


def as_text(rows: list[Any]) -> list[tuple[str | None, ...]]:
    """Rows as the statements API writes them: text, a whole double with its .0."""
    return sorted((tuple(None if v is None else str(v) for v in row) for row in rows), key=str)


def assert_answers_equal_the_independent_check(stack: Stack, end: str) -> None:
    window = (datetime.fromisoformat(FIRST), datetime.fromisoformat(end))
    expected = answers.answers(*source_rows(stack), window)
    assert set(expected) == set(GOLD)
    for name, rows in expected.items():
        found = [tuple(row.values()) for row in stack.rows(f"SELECT * FROM gold.{name}")]
        if name.startswith("median"):
            rows = [(*row[:-1], None if row[-1] is None else float(row[-1])) for row in rows]
        assert as_text(found) == as_text(rows), name


def ids_of(stack: Stack, day: str) -> list[int]:
    rows = stack.mysql(f"SELECT ind FROM geolocation_data WHERE date(`timestamp`) = '{day}' ORDER BY ind")
    return [row[0] for row in rows]


def test_a_year_is_loaded_in_one_run_and_the_ledger_holds(stack: Stack) -> None:
    stack.load(FIRST, LOADED)
    ledger = stack.assert_ledger_holds(FIRST, LOADED)
    window = (datetime.fromisoformat(FIRST), datetime.fromisoformat(LOADED))
    expected = answers.clean_expectation(*source_rows(stack), window)
    for table in TABLES:
        assert ledger[table]["selected"] == expected[table].selected > 35_000
        assert ledger[table]["silver"] == expected[table].silver
        assert ledger[table]["quarantined"] == expected[table].quarantined


def test_the_answers_equal_the_independent_check(stack: Stack) -> None:
    assert_answers_equal_the_independent_check(stack, LOADED)


def test_a_backfilled_day_inside_the_year_changes_nothing_also_by_the_other_transport(
    stack: Stack, variable: dict[str, Any]
) -> None:
    before = {table: stack.checksum(table) for table in EVERYTHING}
    assert variable["transport"] == "api"
    stack.api.set_variable("pinflow", json.dumps({**variable, "transport": "direct"}))
    stack.backfill("2022-12-15", "2022-12-15")
    assert {table: stack.checksum(table) for table in EVERYTHING} == before


def test_a_changed_row_changes_its_day_only_and_a_moved_one_is_in_its_new_day_only(stack: Stack) -> None:
    changed, moved = ids_of(stack, "2022-12-12")[0], ids_of(stack, "2022-12-10")[0]
    stack.mysql(
        f"UPDATE pinterest_data SET title = 'changed' WHERE `index` = {changed}",
        f"UPDATE geolocation_data SET `timestamp` = '2022-12-13 01:02:03' WHERE ind = {moved}",
    )
    outside = f"post_date NOT IN ('2022-12-12', '2022-12-13') AND ind <> {moved}"
    before = {table: stack.checksum(table, outside) for table in SILVER}
    day = stack.checksum("silver.pin", "post_date = '2022-12-12'")
    stack.backfill("2022-12-12", "2022-12-13")
    assert {table: stack.checksum(table, outside) for table in SILVER} == before
    assert stack.checksum("silver.pin", "post_date = '2022-12-12'") != day
    assert stack.rows(f"SELECT title FROM silver.pin WHERE ind = {changed}") == [{"title": "changed"}]
    for table in TABLES:
        rows = stack.rows(f"SELECT post_date FROM silver.`{table}` WHERE ind = {moved}")
        assert rows == [{"post_date": "2022-12-13"}], table
    # the ledger of the day it left says so too
    stack.assert_ledger_holds("2022-12-10", "2022-12-14")


def test_a_cleared_green_clean_task_really_runs_again(stack: Stack) -> None:
    run = stack.api.runs(
        BATCH, logical_date_gte="2022-12-15T00:00:00Z", logical_date_lte="2022-12-15T00:00:00Z"
    )[0]
    first = stack.api.xcom(BATCH, run.run_id, "clean.pin", "run_id")
    before = stack.checksum("silver.pin", "post_date = '2022-12-15'")
    stack.api.clear(BATCH, run.run_id, ["clean.pin"])
    stack.finish(BATCH, run.run_id)
    assert stack.api.xcom(BATCH, run.run_id, "clean.pin", "run_id") != first
    assert stack.task(BATCH, run.run_id, "clean.pin").try_number == 2
    assert stack.checksum("silver.pin", "post_date = '2022-12-15'") == before


class ForeignWriter(threading.Thread):
    """Somebody else who writes to our topics: other ids, junk, and rows with our ids."""

    def __init__(self, stack: Stack, ids: list[int]) -> None:
        super().__init__(daemon=True)
        self.stack, self.ids, self.ended = stack, ids, threading.Event()

    def run(self) -> None:
        from confluent_kafka import Producer

        producer = Producer(
            {
                "bootstrap.servers": f"127.0.0.1:{self.stack.settings.kafka_port}",
                "partitioner": "murmur2_random",
            }
        )
        turn = 0
        while not self.ended.is_set():
            ours, other = self.ids[turn % len(self.ids)], 90_000_000 + turn
            for table, key in (("pin", "index"), ("geo", "ind"), ("user", "ind")):
                topic = f"{self.stack.settings.user_id}.{table}"
                producer.produce(topic, json.dumps({key: other}), str(other))
                producer.produce(topic, b"\xff\x00 no json " + str(turn).encode(), str(turn))
                producer.produce(topic, json.dumps({key: ours}), str(ours))
            producer.poll(0)
            turn += 1
            time.sleep(0.005)
        producer.flush(30)


def test_a_foreign_writer_changes_nothing_but_is_counted_and_warned_of(stack: Stack) -> None:
    day, end = "2022-12-27", "2022-12-28"
    writer = ForeignWriter(stack, ids_of(stack, day))
    writer.start()
    try:
        run_id = stack.trigger(BATCH, day=day)
        while not all(stack.task(BATCH, run_id, f"land.{t}").state == "success" for t in TABLES):
            assert not stack.api.run(BATCH, run_id).ended, stack.failures(BATCH, run_id)
            time.sleep(0.5)
    finally:
        writer.ended.set()
        writer.join()
    stack.finish(BATCH, run_id)
    ledger = stack.assert_ledger_holds(day, end)
    for table in TABLES:
        assert ledger[table]["selected"] == len(writer.ids)
        assert ledger[table]["foreign_doubles"] > 0
        assert ledger[table]["foreign"] > 0
        assert stack.rows(f"SELECT count(*) n FROM silver.`{table}` WHERE ind >= 90000000") == [{"n": "0"}]
    warned = stack.rows(
        "SELECT source_table FROM ops.quality_results WHERE rule = 'foreign_doubles' AND action = 'warn' AND failed > 0"
    )
    assert {row["source_table"] for row in warned} == set(TABLES)
    assert "foreign_doubles" in stack.log(BATCH, run_id, "audit")


def test_a_window_of_garbage_is_green_all_in_quarantine_and_warned_of(stack: Stack) -> None:
    day, end = "2022-12-28", "2022-12-29"
    ids = ", ".join(map(str, ids_of(stack, day)))
    stack.mysql(
        "CREATE TABLE kept_pin AS SELECT * FROM pinterest_data",
        "CREATE TABLE kept_geo AS SELECT * FROM geolocation_data",
        "CREATE TABLE kept_user AS SELECT * FROM user_data",
        "ALTER TABLE user_data MODIFY age TEXT",
        f"UPDATE pinterest_data SET follower_count = 'many' WHERE `index` IN ({ids})",
        f"UPDATE geolocation_data SET latitude = 999 WHERE ind IN ({ids})",
        f"UPDATE user_data SET age = 'old' WHERE ind IN ({ids})",
    )
    try:
        run_id = stack.trigger(BATCH, day=day)
        stack.finish(BATCH, run_id)
        ledger = stack.assert_ledger_holds(day, end)
        for table in TABLES:
            assert ledger[table]["silver"] == 0
            assert ledger[table]["quarantined"] == len(ids.split(", "))
        assert "all_rejected" in stack.log(BATCH, run_id, "audit")
        keys = stack.rows(f"SELECT DISTINCT key FROM silver.quarantine WHERE post_date = '{day}'")
        topics = {row["key"].rsplit("/", 2)[0] for row in keys}
        assert topics == {f"topics/{stack.settings.user_id}.{table}" for table in TABLES}
        bad = stack.rows(
            f"SELECT DISTINCT source_table, columns FROM silver.quarantine WHERE post_date = '{day}' AND kind = 'own'"
        )
        assert {(row["source_table"], row["columns"]) for row in bad} == {
            ("pin", '["follower_count"]'),
            ("geo", '["latitude"]'),
            ("user", '["age"]'),
        }
    finally:
        stack.mysql(
            *(f"DROP TABLE {name}" for name in ("pinterest_data", "geolocation_data", "user_data")),
            "RENAME TABLE kept_pin TO pinterest_data, kept_geo TO geolocation_data, kept_user TO user_data",
        )


def test_without_the_foreign_writer_and_with_good_rows_both_days_are_clean(stack: Stack) -> None:
    stack.backfill("2022-12-27", "2022-12-28")
    ledger = stack.assert_ledger_holds("2022-12-27", "2022-12-29")
    assert all(ledger[table]["foreign_doubles"] == 0 == ledger[table]["quarantined"] for table in TABLES)


def test_wrong_password_missing_topic_and_missing_table_are_named_and_the_repaired_run_goes_on(
    stack: Stack, variable: dict[str, Any]
) -> None:
    """One run meets the three faults one after the other; each repair takes it to the next."""

    def password(value: str) -> None:
        body = {"connection_id": "pinterest_rds", "conn_type": "mysql", "password": value}
        stack.api._call("PATCH", "/connections/pinterest_rds?update_mask=password", json=body)

    def user_id(value: str) -> None:
        stack.api.set_variable("pinflow", json.dumps({**variable, "user_id": value}))

    def failed(task_id: str, *words: str) -> list[str]:
        stack.finish(BATCH, run_id, expect="failed")
        log = stack.log(BATCH, run_id, task_id)
        for word in [*words, "Repair: ", "docs/runbook.md#"]:
            assert word in log, log[-2000:]
        return [task.task_id for task in stack.api.tasks(BATCH, run_id) if task.state == "failed"]

    day, end = "2022-12-29", "2022-12-30"
    before = stack.checksum("silver.pin")
    try:
        password("wrong-one")
        # of another date than its window; the date is backfilled below
        run_id = stack.trigger(BATCH, {"window_start": day, "window_end": end}, day=end)
        again = failed("wait_for_posts", "refused the login", "`pinterest_rds`")
        password(stack.settings.mysql_password)
        user_id("0ec6d756577b")
        stack.api.clear(BATCH, run_id, again, downstream=True)
        again = failed("emulate.pin", "no usable topic `0ec6d756577b.pin`", "pinterest_setup")
        user_id(variable["user_id"])
        stack.mysql("RENAME TABLE user_data TO gone")
        stack.api.clear(BATCH, run_id, again, downstream=True)
        again = failed("emulate.user", "no such table", "user_data")
        assert again == ["emulate.user"]
        assert stack.checksum("silver.pin") == before
    finally:
        password(stack.settings.mysql_password)
        user_id(variable["user_id"])
        if ("gone",) in stack.mysql("SHOW TABLES"):
            stack.mysql("RENAME TABLE gone TO user_data")
    stack.api.clear(BATCH, run_id, again, downstream=True)
    stack.finish(BATCH, run_id)
    stack.assert_ledger_holds(day, end)


def test_a_window_that_ends_before_it_starts_is_refused_in_words(stack: Stack) -> None:
    before = stack.checksum("ops.ledger")
    run_id = stack.load("2022-12-30", "2022-12-29", expect="failed")
    assert "ends before it starts" in stack.log(BATCH, run_id, "wait_for_posts")
    assert stack.checksum("ops.ledger") == before


def test_a_date_that_a_manual_run_of_another_window_had_is_backfilled_as_its_own_day(stack: Stack) -> None:
    day, end = "2022-12-30", "2022-12-31"
    (before,) = stack.api.runs(
        BATCH, logical_date_gte=f"{day}T00:00:00Z", logical_date_lte=f"{day}T00:00:00Z"
    )
    assert stack.ledger(day, end) == {}
    body = {
        "dag_id": BATCH, "from_date": f"{day}T00:00:00Z", "to_date": f"{day}T00:00:00Z",
        "reprocess_behavior": "completed",
        "dag_run_conf": {"window_start": "2022-12-01", "window_end": "2022-12-03"},
    }  # fmt: skip
    others = stack.checksum("silver.geo", f"post_date <> '{day}'")
    made = stack.api._call("POST", "/backfills", json=body).json()["id"]
    ends = time.monotonic() + 300
    while not stack.api.backfill(made).completed:
        assert time.monotonic() < ends
        time.sleep(0.5)
    stack.finish(BATCH, before.run_id)
    assert "ignored in a run of type backfill" in stack.log(BATCH, before.run_id, "wait_for_posts")
    assert stack.assert_ledger_holds(day, end)["geo"]["selected"] == len(ids_of(stack, day))
    assert stack.checksum("silver.geo", f"post_date <> '{day}'") == others


def test_killed_services_come_back_and_the_ledger_holds(stack: Stack) -> None:
    """The broker and the REST proxy die with batches in their hands, then the Spark server with runs in its."""
    day = "2022-12-31"
    broker = stack.pid("kafka")
    os.kill(broker, signal.SIGSTOP)
    run_id = stack.trigger(BATCH, day=day)
    stack.until(
        run_id, lambda: all(stack.task(BATCH, run_id, f"emulate.{t}").state == "running" for t in TABLES)
    )
    time.sleep(5)  # their batches are with the proxy, which waits for the broker
    assert all(stack.task(BATCH, run_id, f"emulate.{t}").state == "running" for t in TABLES)
    os.kill(stack.pid("rest"), signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)
    stack.until(run_id, lambda: any(stack.has_submitted(BATCH, run_id, f"clean.{t}") for t in TABLES))
    os.kill(stack.pid("spark"), signal.SIGKILL)
    stack.finish(BATCH, run_id)
    tries = [stack.task(BATCH, run_id, f"clean.{table}").try_number for table in TABLES]
    assert max(tries) > 1
    stack.assert_ledger_holds(day, "2023-01-01")


def test_an_empty_window_publishes_no_rows_and_a_ledger_of_zeros(stack: Stack) -> None:
    run_id = stack.trigger(BATCH, day="2023-01-05")
    stack.finish(BATCH, run_id)
    ledger = stack.assert_ledger_holds("2023-01-05", "2023-01-06")
    assert all(set(counts.values()) == {0} for counts in ledger.values())


def test_after_all_that_the_answers_still_equal_the_independent_check(stack: Stack) -> None:
    stack.backfill("2022-12-26", "2022-12-26")
    stack.load("2022-12-10", "2022-12-14")
    assert_answers_equal_the_independent_check(stack, "2023-01-01")
    days = stack.rows("SELECT count(DISTINCT post_date) n FROM ops.ledger WHERE post_date < '2023-01-01'")
    assert int(days[0]["n"]) == (date(2023, 1, 1) - date(2022, 1, 1)).days
