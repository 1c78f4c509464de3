"""The pages in the UI: for those who may read the DAG and nobody else, and nothing but reports."""

import ast
import asyncio
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from moto import mock_aws

from pinflow import paths
from pinflow.settings import Settings
from tests.plugins.test_report import DAY, RUN, YEARS

FILE = Path(__file__).resolve().parents[2] / "plugins" / "pinflow_plugin.py"
BUCKET = Settings().bucket
KEY = paths.report_key(DAY, RUN)
PAGE = "<p>the page</p>"


class Users:
    """An auth manager that knows two tokens: one may read the DAG."""

    asked: list[str]

    def __init__(self) -> None:
        self.asked = []

    async def get_user_from_token(self, token: str) -> str:
        if token not in ("reader", "other"):
            raise HTTPException(403, "Invalid JWT token")
        return token

    def is_authorized_dag(self, *, method: str, details: Any, user: str, access_entity: Any = None) -> bool:
        self.asked.append(f"{method} {details.id}")
        return user == "reader"


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> Users:
    from airflow.api_fastapi.core_api import security

    users = Users()
    monkeypatch.setattr(security, "get_auth_manager", lambda: users)
    monkeypatch.setattr(security.DagModel, "get_team_name", lambda _: None)
    return users


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_AWS", "aws://key:secret@/?region_name=us-east-1")
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({"bucket": BUCKET}))
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def tab(users: Users) -> TestClient:
    app = runpy.run_path(str(FILE))["PinflowPlugin"].fastapi_apps[0]["app"]
    return TestClient(app, follow_redirects=False)


def put(lake: Any, key: str, content: str = PAGE) -> None:
    lake.put_object(Bucket=BUCKET, Key=key, Body=content.encode())


def address(key: str) -> str:
    return f"/{key}"


@pytest.mark.parametrize(
    "path", ["/reports/latest", address(KEY), "/reports/index.html", "/reports/none", "/docs"]
)
def test_nobody_without_a_login_sees_anything(tab: TestClient, lake: Any, path: str) -> None:
    put(lake, KEY)
    answer = tab.get(path)
    assert answer.status_code in (401, 404)
    assert answer.status_code == 401 or path == "/docs"
    assert PAGE not in answer.text
    assert tab.get(path, cookies={"_token": "forged"}).status_code in (403, 404)


def test_who_may_not_read_the_dag_may_not_read_its_report(tab: TestClient, users: Users, lake: Any) -> None:
    put(lake, KEY)
    assert tab.get(address(KEY), cookies={"_token": "other"}).status_code == 403
    assert users.asked == ["GET pinterest_batch"]


def test_a_reader_sees_the_newest_report_and_no_other_host(tab: TestClient, lake: Any) -> None:
    put(lake, paths.report_key(YEARS, "f" * 12), "older")
    put(lake, KEY)
    put(lake, "reports/index.html")
    put(lake, f"{paths.report_parts(DAY, RUN)}/part.txt")
    newest = tab.get("/reports/latest", cookies={"_token": "reader"})
    assert newest.headers["location"] in (KEY.removeprefix("reports/"), f"{YEARS.slug}/{'f' * 12}.html")
    shown = tab.get(address(KEY), cookies={"_token": "reader"})
    assert (shown.status_code, shown.text) == (200, PAGE)
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert tab.get("/reports/index.html", cookies={"_token": "reader"}).text == PAGE


def test_of_two_reports_the_one_written_last_is_the_newest(
    monkeypatch: pytest.MonkeyPatch, tab: TestClient
) -> None:
    module = runpy.run_path(str(FILE))
    entries = [
        {"Key": paths.report_key(YEARS, "f" * 12), "LastModified": 3},
        {"Key": KEY, "LastModified": 2},
        {"Key": "reports/index.html", "LastModified": 9},
        {"Key": f"{paths.report_parts(DAY, RUN)}/part.txt", "LastModified": 9},
    ]

    class Client:
        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: str) -> list[dict[str, Any]]:
            return [{"Contents": entries[:1]}, {"Contents": entries[1:]}, {}]

    module["newest"].__globals__["_lake"] = lambda: (BUCKET, Client())
    assert module["newest"]() == f"{YEARS.slug}/{'f' * 12}.html"


def test_a_lake_without_reports_says_how_one_comes(tab: TestClient, lake: Any) -> None:
    answer = tab.get("/reports/latest", cookies={"_token": "reader"})
    assert answer.status_code == 404
    assert "a run of pinterest_batch" in answer.text


@pytest.mark.parametrize(
    "path",
    ["/reports/../manifests/pin/x", "/reports/parts/x/part.txt", "/reports/%2e%2e/secret", "/reports/x.html"],
)
def test_nothing_but_reports_is_served(tab: TestClient, lake: Any, path: str) -> None:
    for key in ("manifests/pin/x", "reports/parts/x/part.txt", "secret", "reports/x.html", "manifests/pin/x"):
        put(lake, key, "secret")
    answer = tab.get(path, cookies={"_token": "reader"})
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_the_file_is_light_and_stands_alone() -> None:
    """Airflow imports it in every process, the tasks' among them, and pinflow may lie elsewhere."""
    tops = [
        node for node in ast.parse(FILE.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    names = {
        name
        for node in tops
        for name in (
            [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
    }
    assert {name for name in names if name.split(".")[0] not in sys.stdlib_module_names} == {
        "airflow.plugins_manager"
    }
    assert "pinflow" not in {name.split(".")[0] for name in names}


def test_the_tab_leads_to_the_newest_report() -> None:
    plugin = runpy.run_path(str(FILE))["PinflowPlugin"]
    (view,) = plugin.external_views
    (app,) = plugin.fastapi_apps
    assert view["destination"] == "dag"
    assert view["href"] == f"{app['url_prefix'].removeprefix('/')}/reports/latest"
    assert asyncio.iscoroutinefunction(app["app"])
