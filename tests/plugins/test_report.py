"""What Airflow does about a report: the run's own arguments, its place in the lake, the list, the link."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pinflow import paths
from pinflow.errors import ObjectGoneError
from pinflow.operators import report, spark_job
from pinflow.operators.report import PACKAGES, ReportLink, ReportOperator, index, stages
from pinflow.operators.spark_job import compute_of
from pinflow.retention import Stored
from pinflow.settings import Compute, Settings
from pinflow.window import Window

BUCKET = Settings().bucket
DAY = Window(datetime(2022, 10, 15, tzinfo=UTC), datetime(2022, 10, 16, tzinfo=UTC))
YEARS = Window(datetime(2017, 10, 20, tzinfo=UTC), datetime(2022, 10, 16, tzinfo=UTC))
RUN = "0123456789ab"
LOCK = Path(__file__).resolve().parents[2] / "requirements" / "spark.lock"


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_AWS", "aws://key:secret@/?region_name=us-east-1")
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({}))
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def operator() -> ReportOperator:
    return ReportOperator(task_id="report", arguments=["--ops", "`ops`"], code={"jobs": "j", "wheel": "w"})


def keys(lake: Any) -> list[str]:
    return sorted(each["Key"] for each in lake.list_objects_v2(Bucket=BUCKET).get("Contents", ()))


def text(lake: Any, key: str) -> str:
    return str(lake.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode())


def test_the_packages_of_the_job_are_those_of_the_lock() -> None:
    locked = {line.split(" ")[0].lower() for line in LOCK.read_text().splitlines() if "==" in line}
    assert {package.lower() for package in PACKAGES} <= locked


def test_serverless_and_clusters_install_them_for_this_job_alone() -> None:
    _, run = compute_of(Compute(), "w.whl", PACKAGES)
    assert run["environments"][0]["spec"]["dependencies"] == ["w.whl", *PACKAGES]
    task, _ = compute_of(Compute(kind="existing_cluster", existing_cluster_id="c"), "w.whl", PACKAGES)
    assert task["libraries"] == [{"whl": "w.whl"}, *({"pypi": {"package": name}} for name in PACKAGES)]
    assert not spark_job.PinsparkRunOperator.packages


def test_the_page_moves_to_its_key_and_into_the_list(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = paths.report_parts(DAY, RUN)
    for name, content in (("_SUCCESS", ""), ("part-00000-x-c000.txt", "<p>page \U0001f600</p>\n")):
        lake.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=content.encode())
    lake.put_object(Bucket=BUCKET, Key=paths.report_key(YEARS, "f" * 12), Body=b"older")
    done = {"page": f"s3://{BUCKET}/{folder}"}
    monkeypatch.setattr(spark_job.PinsparkRunOperator, "_finish", lambda *_: done)
    key = paths.report_key(DAY, RUN)
    assert operator()._finish(1, "http://page") == {"key": key}
    assert keys(lake) == sorted([key, paths.report_key(YEARS, "f" * 12), "reports/index.html"])
    assert text(lake, key) == "<p>page \U0001f600</p>\n"
    assert lake.get_object(Bucket=BUCKET, Key=key)["ContentType"] == "text/html; charset=utf-8"
    listed = text(lake, "reports/index.html")
    assert f'<a href="{key.removeprefix("reports/")}">2022-10-15</a>' in listed
    assert ">2017-10-20 to 2022-10-15</a>" in listed


def test_a_page_that_is_not_there_is_an_error_with_its_repair(
    lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = {"page": f"s3://{BUCKET}/{paths.report_parts(DAY, RUN)}"}
    monkeypatch.setattr(spark_job.PinsparkRunOperator, "_finish", lambda *_: done)
    with pytest.raises(ObjectGoneError, match=r"left no page.*Repair: clear this task"):
        operator()._finish(1, "http://page")
    assert keys(lake) == []


def test_the_job_is_told_run_place_and_times(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_job.PinsparkRunOperator, "execute", lambda self, _: self.arguments)
    run = SimpleNamespace(
        dag_id="pinterest_batch", run_id="backfill__x", run_type="backfill",
        logical_date=DAY.start, run_after=DAY.end,
    )  # fmt: skip
    found = operator().execute({"dag_run": run, "ti": SimpleNamespace(), "params": {}})
    folder = paths.report_parts(DAY, paths.run_hash("pinterest_batch", "backfill__x"))
    assert found == [
        *("--ops", "`ops`", "--dag-run", "backfill__x"),
        *("--stages", "[]", "--to", f"s3://{BUCKET}/{folder}"),
    ]


def test_times_are_summed_by_stage_without_the_report_itself() -> None:
    def told(dag_id: str, run_id: str) -> list[dict[str, Any]]:
        assert (dag_id, run_id) == ("d", "r")
        times = {"clean.pin": 1.25, "clean.geo": 2.0, "audit": 3.0, "star.x": None, "report": 9.0}
        return [{"task_id": task, "duration": seconds} for task, seconds in times.items()]

    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="report", get_task_breadcrumbs=told)
    assert stages({"ti": ti}) == [("audit", 1, 3.0), ("clean", 2, 3.2)]
    assert stages({"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="report")}) == []


def test_the_list_begins_with_the_newest_and_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_LISTED", 2)
    at = datetime(2022, 10, 16, 1, tzinfo=UTC)
    stored = [Stored(paths.report_key(DAY, f"{n:012x}"), at + timedelta(hours=(n * 2) % 3)) for n in range(3)]
    shown = index([*stored, Stored("reports/index.html", at), Stored("reports/parts/x/y.txt", at)])
    assert [f"{n:012x}" in shown for n in range(3)] == [False, True, True]
    assert shown.index(f"{1:012x}") < shown.index(f"{2:012x}")
    assert "1 older ones" in shown


@pytest.mark.parametrize("written", [{"key": f"reports/{DAY.slug}/{RUN}.html"}, None])
def test_the_link_leads_to_the_page_in_the_ui(monkeypatch: pytest.MonkeyPatch, written: Any) -> None:
    monkeypatch.setattr(report.XCom, "get_value", lambda key, ti_key: written)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/here/")
    expected = f"https://airflow.example/here/pinflow/reports/{DAY.slug}/{RUN}.html" if written else ""
    assert ReportLink().get_link(None, ti_key=None) == expected


def test_the_link_of_the_databricks_run_stays() -> None:
    assert [link.name for link in operator().operator_extra_links] == [
        "See Databricks Job Run",
        "Open report",
    ]


def test_keys_of_reports_are_read_back_and_others_are_not() -> None:
    assert paths.window_of_report(paths.report_key(YEARS, RUN)) == YEARS
    assert paths.report_of_parts(paths.report_parts(DAY, RUN)) == paths.report_key(DAY, RUN)
    for other in (
        "reports/index.html",
        f"{paths.report_parts(DAY, RUN)}/part.txt",
        f"reports/{DAY.slug}/x.html",
    ):
        assert paths.window_of_report(other) is None
    assert (DAY.days, YEARS.days) == ("2022-10-15", "2017-10-20 to 2022-10-15")
