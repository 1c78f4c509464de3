"""The report in the browser: opened from its task, drawn whole, with nothing loaded from elsewhere.

Set PINFLOW_IMAGES=docs/images to keep the pictures.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from devstack.s3proxy import client
from tests.e2e.browser import page
from tests.e2e.conftest import BATCH, Stack

pytestmark = pytest.mark.e2e
DAY = "2022-12-22"
HOSTILE = "<script>document.title='hacked'</script> =cmd|' /C calc'!A0 \u05e9\u05dc\u05d5\u05dd \U0001f600"
MARKS = """figure => [...figure.querySelectorAll('g.role-mark')]
    .filter(group => !group.classList.contains('mark-group'))
    .reduce((sum, group) => sum + group.children.length, 0)"""


@pytest.fixture(scope="module")
def poisoned(stack: Stack) -> tuple[str, str]:
    """A day with a hostile title in a row that is refused, and a hostile category, backfilled; run and address."""
    where = f"timestamp >= '{DAY}' AND timestamp < '{DAY}' + INTERVAL 1 DAY ORDER BY ind LIMIT 2"
    (refused,), (strange,) = stack.mysql(f"SELECT ind FROM geolocation_data WHERE {where}")
    title, category = (text.replace("'", "''") for text in (HOSTILE, HOSTILE[:40]))
    stack.mysql(
        "SET NAMES utf8mb4",
        f"UPDATE pinterest_data SET title = '{title}', follower_count = 'many' WHERE `index` = {refused}",
        f"UPDATE pinterest_data SET category = '{category}' WHERE `index` = {strange}",
    )
    (run_id,) = stack.backfill(DAY, DAY)
    links = stack.api._call("GET", f"/dags/{BATCH}/dagRuns/{run_id}/taskInstances/report/links").json()
    return run_id, links["extra_links"]["Open report"]


class Watched:
    """What a page asked for and complained of."""

    def __init__(self, tab: Any) -> None:
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        tab.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        tab.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))


@pytest.mark.parametrize("width", [1600, 390])
def test_the_report_opens_from_its_task_with_every_chart_drawn(
    stack: Stack, poisoned: tuple[str, str], width: int, tmp_path: Path
) -> None:
    run_id, url = poisoned
    folder = Path(os.environ.get("PINFLOW_IMAGES") or tmp_path)
    with page(width=width) as tab:
        tab.goto(f"{stack.api.url}/dags/{BATCH}/runs/{run_id}/tasks/report")
        tab.get_by_text("Open report").first.wait_for(state="attached", timeout=60_000)
        watched = Watched(tab)  # the UI itself may load what it likes
        tab.goto(url)
        assert tab.title().startswith("Pinflow report 2022-12-22")
        charts = tab.locator("figure[data-chart]")
        wanted = [int(figure.get_attribute("data-marks") or -1) for figure in charts.all()]
        assert len(wanted) == tab.locator("section.question").count() > 10
        assert [charts.nth(n).evaluate(MARKS) for n in range(len(wanted))] == wanted
        assert min(wanted) > 0
        wide = tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"the page is {wide} wide and scrolls sideways"
        tab.screenshot(path=folder / f"report_{width}.png")
    assert watched.hosts == {urlsplit(stack.api.url).netloc}
    assert watched.errors == []


def test_a_hostile_title_and_category_are_text(stack: Stack, poisoned: tuple[str, str]) -> None:
    with page() as tab:
        tab.goto(stack.api.url)
        tab.get_by_text("Dags").first.wait_for(timeout=60_000)
        tab.goto(poisoned[1])
        quarantine = tab.locator("#quarantine + section")
        assert HOSTILE.split(" =")[0] in quarantine.inner_text()
        assert "\u05e9\u05dc\u05d5\u05dd" in quarantine.inner_text()
        assert tab.locator("script").count() == 0
        assert "hacked" not in tab.title()
        assert HOSTILE[:40] in tab.locator("#posts_by_day_and_category").inner_text()


def test_personal_values_are_not_in_the_report(stack: Stack, poisoned: tuple[str, str]) -> None:
    key = stack.api.xcom(BATCH, poisoned[0], "report", "return_value")["key"]
    bucket = stack.settings.bucket
    text = client(stack.settings).get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    posters = stack.rows("SELECT poster_name FROM gold.top_user_by_country")
    assert posters
    assert not [row["poster_name"] for row in posters if f">{row['poster_name']}<" in text]


def test_the_tab_of_the_dag_shows_the_newest_report(stack: Stack, poisoned: tuple[str, str]) -> None:
    with page() as tab:
        tab.goto(f"{stack.api.url}/dags/{BATCH}")
        tab.get_by_role("link", name="Report").first.click(timeout=60_000)
        frame = tab.frame_locator("iframe")
        frame.locator("figure[data-chart]").first.wait_for(timeout=60_000)
        assert frame.locator("h1").inner_text() == "Posts of 2022-12-22"


@pytest.mark.parametrize("path", ["/pinflow/reports/latest", "/pinflow/reports/index.html", ""])
def test_without_a_login_nothing_is_shown(stack: Stack, poisoned: tuple[str, str], path: str) -> None:
    url = f"{stack.api.url}{path}" if path else poisoned[1]
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 401
    assert "figure" not in answer.text
