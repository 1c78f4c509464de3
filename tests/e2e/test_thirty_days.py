"""Thirty days one by one, forwards, then backwards, interrupted, and a load at once: all the same tables.

Takes most of an hour: `make test SUITE=long`.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from devstack import supervise
from devstack.config import Settings
from devstack.runs import backfill
from tests.e2e.conftest import BATCH, Stack, ready
from tests.e2e.test_batch import EVERYTHING

pytestmark = [pytest.mark.e2e, pytest.mark.long]

FIRST, LAST, END = "2022-09-01", "2022-09-30", "2022-10-01"
DAYS = 30
POSTS = 370 * DAYS
# nobody restarts an Airflow service but its supervisor; the engine's runs fail with Spark and are tried again
KILLED = ("airflow-scheduler", "airflow-triggerer", "worker", "spark", "sink", "kafka")


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    kept = os.environ.get("PINFLOW_LONG_STATE")
    state = Path(kept) if kept else tmp_path_factory.mktemp("long") / "state"
    settings = Settings(state_dir=state, port_offset=900)
    try:
        yield ready(settings, POSTS, f"{FIRST}..{LAST}")
    finally:
        if not kept:
            supervise.reset(settings)


@pytest.fixture(scope="module")
def at_once(month: Stack) -> dict[str, str]:
    """What one load of the whole month gives; the tables are emptied again."""
    month.load(FIRST, END)
    ledger = month.assert_ledger_holds(FIRST, END)
    assert {counts["selected"] for counts in ledger.values()} == {POSTS}
    found = tables(month)
    stored = [table for table in EVERYTHING if not table.endswith("_ranked")]  # those are views
    for table in stored:
        month.rows(f"DELETE FROM {table}")
    empty = tables(month)
    assert [table for table in stored if empty[table] == found[table]] in ([], ["silver.quarantine"])
    return found


def tables(month: Stack) -> dict[str, str]:
    """SHA-256 of every table; of the ledger without yesterday, which the schedule has run meanwhile."""
    where = {"ops.ledger": f"post_date < DATE'{END}'"}
    return {table: month.checksum(table, where.get(table, "true")) for table in EVERYTHING}


def meanwhile(month: Stack, days: list[str], do: Callable[[str], None]) -> threading.Thread:
    """Do something to each of these days while it cleans."""

    def watch() -> None:
        left = list(days)
        while left:
            for run in month.api.runs(BATCH, state=["running"]):
                day = f"{run.logical_date:%Y-%m-%d}"
                if day in left and month.task(BATCH, run.run_id, "clean.pin").state == "running":
                    left.remove(day)
                    do(run.run_id)
            time.sleep(0.5)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_thirty_days_forwards_two_of_them_interrupted_equal_one_load(
    month: Stack, at_once: dict[str, str]
) -> None:
    interrupted = meanwhile(
        month, ["2022-09-05", "2022-09-17"], lambda _: os.kill(month.pid("spark"), signal.SIGKILL)
    )
    runs = backfill(month.settings, FIRST, LAST)
    interrupted.join(1)
    assert not interrupted.is_alive()
    assert {run.state for run in runs} == {"success"}
    assert len(runs) == DAYS
    month.assert_ledger_holds(FIRST, END)
    assert tables(month) == at_once
    answered = [run.run_id for run in runs if month.task(BATCH, run.run_id, "join_star").state == "success"]
    print(f"{len(answered)} of {DAYS} days rebuilt the answers")
    assert 1 <= len(answered) < DAYS


def test_the_same_days_backwards_over_finished_ones_equal_one_load(
    month: Stack, at_once: dict[str, str]
) -> None:
    month.await_no_backfill()
    runs = backfill(month.settings, FIRST, LAST, reprocess="completed", run_backwards=True)
    assert {run.state for run in runs} == {"success"}
    begun = sorted(runs, key=lambda run: run.start or run.queued)
    assert begun[0].logical_date > begun[-1].logical_date
    assert tables(month) == at_once


def test_an_older_day_loaded_last_changes_the_answers(month: Stack) -> None:
    before = tables(month)
    month.mysql("UPDATE geolocation_data SET `timestamp` = '2018-03-04 05:06:07' WHERE ind < 40")
    month.finish(BATCH, month.trigger(BATCH, day="2018-03-04"))
    after = tables(month)
    for table in ("gold.top_category_by_year", "gold.categories_by_year", "ops.ledger", "silver.`geo`"):
        assert after[table] != before[table], table
    years = month.rows("SELECT DISTINCT post_year FROM gold.categories_by_year ORDER BY post_year")
    assert [row["post_year"] for row in years] == ["2018", "2022"]


def victim(month: Stack, name: str) -> int:
    """Return the process to kill; a worker is a child of the scheduler that runs a task."""
    if name != "worker":
        return month.pid(name)
    scheduler = month.pid("airflow-scheduler")
    while True:
        for found in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((found / "stat").read_text().rsplit(")", 1)[1].split()[1])
                title = (found / "cmdline").read_bytes()
            except (OSError, ValueError):
                continue
            if parent == scheduler and title.startswith(b"airflow worker -- "):
                return int(found.name)
        time.sleep(0.05)


def test_every_service_killed_once_during_a_backfill_of_five_days(month: Stack) -> None:
    first, last = date(2022, 9, 10), date(2022, 9, 14)
    month.await_no_backfill()
    before = tables(month)
    killed: dict[str, int] = {}

    def kill_each() -> None:
        for name in KILLED:
            while not month.api.runs(BATCH, state=["running"]):
                time.sleep(0.5)
            time.sleep(12)
            killed[name] = victim(month, name)
            os.kill(killed[name], signal.SIGKILL)

    killer = threading.Thread(target=kill_each, daemon=True)
    killer.start()
    runs = backfill(month.settings, str(first), str(last), reprocess="completed")
    killer.join(1)
    assert set(killed) == set(KILLED)
    assert {run.state for run in runs} == {"success"}
    month.assert_ledger_holds(str(first), str(last + timedelta(days=1)))
    after: dict[str, Any] = tables(month)
    assert after == before
