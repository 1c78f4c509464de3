"""Write the report of a run and the list of all reports, and link to it from the task."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from pinflow import paths
from pinflow.errors import ObjectGoneError
from pinflow.hooks.lake import LakeHook
from pinflow.operators.spark_job import PinsparkRunOperator
from pinflow.paths import run_hash_of
from pinflow.retention import Stored
from pinflow.settings import load_settings
from pinflow.window import window_of

if TYPE_CHECKING:
    from airflow.sdk import Context

# what draws and lays out the page, where Spark runs; requirements/spark.lock has the same
PACKAGES = ("altair==6.3.0", "Jinja2==3.1.6", "vl-convert-python==1.9.0.post1")
HTML = "text/html; charset=utf-8"
INDEX = "reports/index.html"
MOST_LISTED = 400


def page_url(base_url: str, key: str) -> str:
    """Address of a page of the lake in the Airflow UI, which pinflow_plugin.py serves."""
    return f"{base_url.rstrip('/')}/pinflow/{key}"


class ReportLink(BaseOperatorLink):
    """The report that a task wrote."""

    name = "Open report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address; empty while there is no report."""
        from airflow.providers.common.compat.sdk import conf

        del operator
        written = XCom.get_value(key="return_value", ti_key=ti_key)
        return page_url(conf.get("api", "base_url", fallback="/"), written["key"]) if written else ""


class ReportOperator(PinsparkRunOperator):
    """Have Spark render the report of this run, and put it and the index of reports into the lake.

    Spark leaves the page as the text of a folder, with the grants it has; this task moves it to its own key.
    Returns `{"key": key of the page}`. Raises RemoteRunError, LakeError or ObjectGoneError.
    """

    packages = PACKAGES
    operator_extra_links = (*PinsparkRunOperator.operator_extra_links, ReportLink())

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"job": "report.py", **kwargs})

    def execute(self, context: "Context") -> Any:
        """Say what Airflow knows of the run, then let Spark work."""
        run, folder = context["dag_run"], paths.report_parts(window_of(context), run_hash_of(context))
        self.arguments = [
            *self.arguments,
            *("--dag-run", run.run_id),
            *("--stages", json.dumps(stages(context))),
            *("--to", f"s3://{load_settings().bucket}/{folder}"),
        ]
        return super().execute(context)

    def _finish(self, run_id: int, page: str) -> dict[str, str]:
        _, folder = paths.split_uri(super()._finish(run_id, page)["page"])
        bucket, lake = load_settings().bucket, LakeHook()
        parts = [stored.key for stored in lake.stored(bucket, f"{folder}/")]
        key = paths.report_of_parts(folder)
        lake.write(f"s3://{bucket}/{key}", _text_of(lake, bucket, parts, folder), HTML)
        lake.delete(bucket, parts)
        listed = list(lake.stored(bucket, "reports/"))
        lake.write(f"s3://{bucket}/{INDEX}", index(listed).encode(), HTML)
        self.log.info("Report s3://%s/%s", bucket, key)
        return {"key": key}


def _text_of(lake: LakeHook, bucket: str, parts: list[str], folder: str) -> bytes:
    for key in parts:
        if key.endswith(".txt"):
            return lake.read(f"s3://{bucket}/{key}")
    raise ObjectGoneError(
        f"Spark left no page in s3://{bucket}/{folder}.", "clear this task, which writes it again."
    )


def stages(context: Mapping[str, Any]) -> list[tuple[str, int, float]]:
    """Sum the seconds of this run's tasks that have ended, by stage: (stage, tasks, seconds)."""
    ti = context["ti"]
    ask = getattr(ti, "get_task_breadcrumbs", None)  # Airflow 3.3
    sums: dict[str, list[float]] = defaultdict(list)
    for task in ask(ti.dag_id, ti.run_id) if ask else ():
        if task["duration"] is not None and task["task_id"] != ti.task_id:
            sums[task["task_id"].split(".")[0]].append(float(task["duration"]))
    return [(stage, len(seconds), round(sum(seconds), 1)) for stage, seconds in sorted(sums.items())]


def index(objects: Sequence[Stored]) -> str:
    """Render the list of reports, the newest first."""
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    found = [(stored, paths.window_of_report(stored.key)) for stored in objects]
    reports = [
        {
            "href": each.key.removeprefix("reports/"),
            "window": window.days,
            "made": f"{each.modified:%Y-%m-%d %H:%M} UTC",
        }
        for each, window in sorted(found, key=lambda pair: pair[0].modified, reverse=True)
        if window
    ]
    folder = paths.include_dir() / "report"
    loader = DictLoader({"index": (folder / "index.html.j2").read_text("utf-8")})
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(
        "index"
    ).render(
        style=Markup((folder / "style.css").read_text("utf-8")),  # noqa: S704 - a file of ours
        reports=reports[:MOST_LISTED],
        more=max(0, len(reports) - MOST_LISTED),
    )
