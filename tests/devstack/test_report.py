"""`make report`: the address of the newest report, or how to get one."""

from typing import Any

import pytest

from devstack import report
from devstack.config import Settings
from devstack.errors import StackError


def lake(monkeypatch: pytest.MonkeyPatch, *keys: str) -> list[str]:
    opened: list[str] = []

    class Client:
        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: str) -> list[dict[str, Any]]:
            return [{}, {"Contents": [{"Key": key} for key in keys]}]

    monkeypatch.setattr(report, "client", lambda _: Client())
    monkeypatch.setattr(report.webbrowser, "open", opened.append)
    return opened


def test_the_address_is_the_tab_of_the_ui_and_no_browser_opens_into_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings()
    monkeypatch.setenv("DISPLAY", ":0")
    opened = lake(
        monkeypatch, "reports/index.html", "reports/20221015T000000Z_20221016T000000Z/0123456789ab.html"
    )
    address = f"{settings.airflow_url}/dags/pinterest_batch/plugin/pinflow-report"
    assert report.show(settings) == f"Report       {address}"
    assert opened == []
    monkeypatch.setattr(report.sys.stdout, "isatty", lambda: True)
    report.show(settings)
    assert opened == [address]


def test_without_a_report_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lake(monkeypatch, "reports/index.html", "reports/parts/x/y/part.txt")
    with pytest.raises(StackError, match=r"There is no report.*Repair: `make load"):
        report.show(Settings())
