"""What a person sees in the Airflow UI. Set PINFLOW_IMAGES=docs/images to keep the pictures."""

import os
from pathlib import Path

import httpx
import pytest

from tests.e2e.browser import page
from tests.e2e.conftest import BATCH, Stack

pytestmark = pytest.mark.e2e


@pytest.fixture
def green_run(stack: Stack) -> str:
    runs = [run for run in stack.api.runs(BATCH, state="success") if run.logical_date]
    if runs:
        return runs[-1].run_id
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
