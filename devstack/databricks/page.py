"""Pages for people: the list of runs, and one run with its state, parameters and log."""

import time
from html import escape
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse

from devstack.databricks.runs import Runs
from devstack.databricks.store import ENDED, Row
from devstack.databricks.views import Views, tail
from devstack.engine import job

SHOWN = 100
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#1b1f24}
table{border-collapse:collapse}td,th{text-align:left;padding:.25em 1.2em .25em 0;vertical-align:top}
pre{background:#f4f5f7;padding:1em;overflow:auto;white-space:pre-wrap;word-break:break-word}
.SUCCESS{color:#0a7d33}.FAILED,.TIMEDOUT{color:#b3261e}.CANCELED,.UPSTREAM_FAILED{color:#8a5a00}
"""
# nothing but the page itself may load: what a run printed is text
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def _page(title: str, body: str, refresh: bool) -> HTMLResponse:
    again = '<meta http-equiv="refresh" content="2">' if refresh else ""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}<title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>",
        headers=HEADERS,
    )


def _moment(milliseconds: int | None) -> str:
    if not milliseconds:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(milliseconds / 1000))


def _seconds(row: Row) -> str:
    return f"{((row['ended'] or time.time() * 1000) - row['submitted']) / 1000:.1f} s"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{lines}</table>"


def router(runs: Runs, views: Views) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    def state(row: Row) -> str:
        text = row["result"] or views.life(row)
        return f'<b class="{escape(text)}">{escape(text)}</b>'

    def log(title: str, text: str) -> str:
        return f"<h3>{escape(title)}</h3><pre>{escape(text)}</pre>" if text.strip() else ""

    def task(row: Row) -> str:
        folder = runs.task_folder(row["run_id"])
        script = row["spec"].get("spark_python_task", {})
        facts = [
            ("Task", f'<a href="/runs/{row["run_id"]}">{escape(row["name"])}</a>'),
            ("State", f"{state(row)} {escape(row['message'])}"),
            ("File", escape(script.get("python_file", ""))),
            ("Duration", _seconds(row)),
        ]
        parameters = "\n".join(script.get("parameters", []))
        report: dict[str, Any] = job.read_json(folder / job.RESULT) or {}
        return (
            f"<hr>{_table(facts)}{log('Parameters', parameters)}{log('Error', report.get('trace', ''))}"
            f"{log('Standard output', tail(folder / 'stdout.log')[0])}"
            f"{log('Standard error', tail(folder / 'stderr.log')[0])}"
        )

    @routes.get("/runs/{run_id}")
    async def show(run_id: int) -> HTMLResponse:
        row = runs.store.run(run_id)
        if row is None:
            return HTMLResponse(
                f"<p>There is no run {run_id}; <a href='/runs'>all runs</a>.</p>", status_code=404
            )
        parent = runs.store.run(row["parent"]) if row["parent"] else row
        tasks = [row] if row["parent"] else runs.store.tasks(run_id)
        facts = [
            ("Run", f"{run_id} (<a href='/runs'>all runs</a>)"),
            ("State", f"{state(row)} {escape(row['message'])}"),
            ("Submitted", _moment(row["submitted"])),
            ("Ended", _moment(row["ended"])),
            ("Duration", _seconds(row)),
        ]
        title = (parent or row)["name"]
        return _page(title, _table(facts) + "".join(map(task, tasks)), row["life"] not in ENDED)

    @routes.get("/runs")
    async def index() -> HTMLResponse:
        rows = runs.store.list_runs([], None, SHOWN)
        lines = "".join(
            f"<tr><td><a href='/runs/{row['run_id']}'>{row['run_id']}</a></td><td>{escape(row['name'])}</td>"
            f"<td>{state(row)}</td><td>{_moment(row['submitted'])}</td><td>{_seconds(row)}</td></tr>"
            for row in rows
        )
        head = "<tr><th>Run</th><th>Name</th><th>State</th><th>Submitted</th><th>Duration</th></tr>"
        return _page("Runs", f"<p>The newest {SHOWN}.</p><table>{head}{lines}</table>", refresh=True)

    @routes.get("/health")
    async def health() -> PlainTextResponse:
        return PlainTextResponse("ok")

    return routes
