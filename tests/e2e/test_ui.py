"""What a person sees in the Airflow UI. Set PINFLOW_IMAGES=docs/images to keep the pictures."""

import os
from datetime import date
from pathlib import Path

import httpx
import pytest

from tests.e2e.browser import page
from tests.e2e.conftest import BATCH, Stack

pytestmark = pytest.mark.e2e


@pytest.fixture
def green_run(stack: Stack) -> str:
    runs = [run.run_id for run in stack.api.runs(BATCH, state="success") if run.logical_date]
    for run_id in reversed(runs):
        if stack.task(BATCH, run_id, "claim_answers").state == "success":  # it left its answers to nobody
            return run_id
    return stack.backfill("2022-12-15", "2022-12-15")[0]


def test_the_graph_of_the_batch_is_green(stack: Stack, green_run: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PINFLOW_IMAGES") or tmp_path)
    with page() as tab:
        tab.goto(stack.api.run_link(BATCH, green_run))
        tab.get_by_text("wait_for_posts").first.wait_for(timeout=60_000)
        graph = tab.get_by_role("button", name="Graph")
        if graph.count():
            graph.first.click()
        tab.locator(".react-flow__node").first.wait_for(timeout=60_000)
        tab.wait_for_timeout(3_000)
        nodes = tab.locator(".react-flow__node").count()
        tab.screenshot(path=folder / "pinterest_batch.png")
    assert nodes >= 8
    states = {task.task_id: task.state for task in stack.api.tasks(BATCH, green_run)}
    assert set(states.values()) == {"success"}, states


def test_a_person_backfills_two_days_in_the_browser_and_sees_them_turn_green(
    stack: Stack, tmp_path: Path
) -> None:
    """Nobody signs in: on loopback everyone is admin, and the first page that opens is the DAG's own."""
    folder = Path(os.environ.get("PINFLOW_IMAGES") or tmp_path)
    first, last = date(2022, 12, 20), date(2022, 12, 21)
    stack.api.unpause(BATCH)
    stack.await_no_backfill()
    with page() as tab:
        tab.goto(f"{stack.api.url}/dags/{BATCH}")
        tab.get_by_test_id("trigger-dag-button").click(timeout=60_000)
        assert not tab.locator("input[type=password]").count()
        tab.get_by_text("Run this Dag for a range of dates").click()
        for number, day in enumerate((first, last)):
            tab.get_by_test_id("datetime-input").nth(number).fill(f"{day}T00:00")
        tab.get_by_text("All Runs").click()
        tab.locator("input[name=max_active_runs]").fill("2")
        tab.get_by_text("2 runs will be triggered.").wait_for(timeout=60_000)
        tab.screenshot(path=folder / "backfill_dates.png")
        tab.get_by_role("button", name="Run Backfill").click()
        tab.get_by_text("Backfill in progress").first.wait_for(timeout=60_000)
        (made,) = stack.api.active_backfills(BATCH)
        assert (made.first, made.last) == (first, last)
        tab.goto(f"{stack.api.url}/dags/{BATCH}/runs?run_type=backfill")
        tab.get_by_text("Running", exact=True).first.wait_for(timeout=60_000)
        if tab.get_by_text("runTypes.backfill").count():
            tab.reload()  # drawn before its words had come
            tab.get_by_text("Running", exact=True).first.wait_for(timeout=60_000)
        tab.screenshot(path=folder / "backfill_running.png")
        # the page follows by itself
        tab.get_by_text("Backfill in progress").first.wait_for(state="hidden", timeout=900_000)
        runs = stack.api.runs(
            BATCH,
            run_type="backfill",
            logical_date_gte=f"{first}T00:00:00Z",
            logical_date_lte=f"{last}T00:00:00Z",
        )
        for run in runs:
            row = tab.get_by_role("row").filter(has_text=run.run_id)
            row.get_by_text("Success", exact=True).wait_for(timeout=60_000)
        tab.screenshot(path=folder / "backfill_green.png")
    assert [run.state for run in runs] == ["success", "success"]
    stack.assert_ledger_holds(str(first), "2022-12-22")


@pytest.mark.parametrize("task_id", ["clean.pin", "audit", "publish"])
def test_the_databricks_link_opens_the_runs_page_with_its_log(
    stack: Stack, green_run: str, task_id: str
) -> None:
    path = f"/dags/{BATCH}/dagRuns/{green_run}/taskInstances/{task_id}/links"
    links = stack.api._call("GET", path).json()["extra_links"]
    url = links["See Databricks Job Run"]
    body = httpx.get(url, trust_env=False).text
    assert "RESULT" in body
    assert "SUCCESS" in body


@pytest.mark.parametrize(
    ("task_id", "words"),
    [
        ("select_posts", "posts of ["),
        ("emulate.pin", "records acknowledged in `12e834567890.pin`"),
        ("land.geo", "have landed, in"),
        ("clean.user", "RESULT"),
        ("audit", "RESULT"),
        ("publish", "RESULT"),
        ("analytics.top_category_by_year", "rows\npost_year"),
    ],
)
def test_each_log_says_what_the_task_moved(stack: Stack, green_run: str, task_id: str, words: str) -> None:
    assert words in stack.log(BATCH, green_run, task_id)
