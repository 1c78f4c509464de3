"""`demo`: the whole pipeline on this machine, through Airflow, with its numbers."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from devstack import lake, mariadb, memory, runs, source, supervise
from devstack.airflow_api import AirflowApi, Run
from devstack.config import Settings
from devstack.errors import StackError
from devstack.report import TAB

SETUP = "pinterest_setup"
STREAM = "pinterest_stream"
DAYS_HELD_BACK = 3
ROWS_SHOWN = 5
# the eight questions; their _ranked views and extras are in the lake too (`make sql`)
QUESTIONS = (
    "top_category_by_country",
    "top_category_by_year",
    "top_user_by_country",
    "top_category_by_age_group",
    "median_followers_by_age_group",
    "users_joined_by_year",
    "median_followers_by_join_year",
    "median_followers_by_join_year_and_age_group",
)
LEDGER = (
    "SELECT source_table, sum(selected), sum(acknowledged), sum(silver) + sum(quarantined), sum(silver), "
    "sum(quarantined), sum(doubles) + sum(foreign_doubles) FROM ops.ledger GROUP BY source_table "
    "ORDER BY source_table"
)
# seen a moment after they were sent, before the batch layer has their day
STREAMED = (
    "SELECT count(*), count(DISTINCT speed.ind), count(batch.ind) FROM gold.post_speed AS speed "
    "LEFT JOIN gold.post_batch AS batch ON speed.ind = batch.ind"
)
Answers = dict[str, tuple[list[str], list[lake.Row]]]


def main(settings: Settings) -> None:
    """Start the stack, seed, load, backfill three days, and print answers and numbers."""
    console, begun, marks = Console(highlight=False), time.monotonic(), []

    def step(title: str) -> None:
        marks.append((title, time.monotonic()))
        console.rule(f"[bold]{title}", align="left")

    step("stack")
    memory.forget(settings)  # the sampler starts first of all: its peak covers the start too
    supervise.up(settings, (), _say)
    step("seed")
    source.seed(settings)
    first, newest = _first_and_last_day(settings)
    last = newest - timedelta(days=DAYS_HELD_BACK)
    days = (last + timedelta(days=1), newest)
    api = AirflowApi(settings.airflow_url)
    step("setup")
    _setup(api)
    step(f"initial load, {first} to {last}")
    loaded = runs.load(settings, first.isoformat(), last.isoformat(), _say)
    before = _answers(settings)
    step(f"stream, {newest}")
    _stream(api, newest)
    streamed = lake.query(settings, STREAMED)[1]
    step(f"backfill, {days[0]} to {days[1]}")
    filled = runs.backfill(settings, *(day.isoformat() for day in days), reprocess="completed", say=_say)
    after = _answers(settings)
    marks.append(("", time.monotonic()))

    step("answers: before the backfill and after it")
    _print_answers(console, before, after)
    step("numbers")
    _print_ledger(console, settings)
    _print_streamed(console, streamed, newest)
    _print_stages(console, api, [loaded, *filled])
    _print_machine(console, settings, marks, begun)
    console.print(f"\nAirflow UI   {settings.airflow_url}   (no login; `make down` stops everything)")
    console.print(f"Report       {settings.airflow_url}{TAB}")


def _say(line: str) -> None:
    print(line, flush=True)


def _first_and_last_day(settings: Settings) -> tuple[date, date]:
    connection = mariadb.connect(settings, settings.mysql_database)
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT min(`timestamp`), max(`timestamp`) FROM geolocation_data")
        oldest, newest = cursor.fetchone()
        return oldest.date(), newest.date()
    finally:
        connection.close()


def _setup(api: AirflowApi) -> None:
    run_id = f"demo__{int(time.time())}"
    runs.run_and_wait(api, SETUP, run_id, {}, _say)


def _stream(api: AirflowApi, day: date) -> None:
    """Send one day's posts through Kinesis; the hourly schedule stays off, as the data is old."""
    window = {"window_start": f"{day}T00:00", "window_end": f"{day + timedelta(days=1)}T00:00"}
    try:
        runs.run_and_wait(api, STREAM, f"demo__{int(time.time())}", window, _say)
    finally:
        api.unpause(STREAM, paused=True)


def _answers(settings: Settings) -> Answers:
    return {name: lake.query(settings, f"SELECT * FROM gold.{name} ORDER BY ALL") for name in QUESTIONS}  # noqa: S608


def _print_answers(console: Console, before: Answers, after: Answers) -> None:
    """Show each question's rows, those that changed first, with the value they had."""
    for name, (columns, rows) in after.items():
        old = {tuple(row) for row in before[name][1]}
        changed = [row for row in rows if tuple(row) not in old]
        table = Table(
            box=box.SIMPLE,
            title=f"[bold]{name}[/bold]: {len(rows)} rows, {len(changed)} changed",
            title_justify="left",
        )
        for column in columns:
            table.add_column(column)
        table.add_column("before", style="dim")
        keys = _key_width(columns)
        earlier = {tuple(row[:keys]): row[keys:] for row in before[name][1]}
        same = [row for row in rows if tuple(row) in old]
        for row in (changed + same)[:ROWS_SHOWN]:
            was = earlier.get(tuple(row[:keys]))
            shown = "" if row in same else ("(none)" if was is None else ", ".join(map(str, was)))
            table.add_row(*(Text(str(value)) for value in row), Text(shown))
        console.print(table)


def _key_width(columns: list[str]) -> int:
    """Count the columns that say what a row is about: all that lead up to the first answer."""
    keys = ("country", "post_year", "age_group")
    return next((i for i, column in enumerate(columns) if column not in keys), len(columns))


def _print_ledger(console: Console, settings: Settings) -> None:
    table = Table("posts", box=box.SIMPLE)
    for column in ("selected", "sent", "landed", "in silver", "quarantined", "doubles dropped"):
        table.add_column(column, justify="right")
    for row in lake.query(settings, LEDGER)[1]:
        table.add_row(*(value or "0" for value in row))
        if row[2] != row[3]:
            raise StackError(
                f"The ledger of {row[0]} does not hold: {row[2]} sent, {row[3]} landed. "
                "Repair: ask `make sql` for ops.ledger to find the day, and backfill it."
            )
    console.print(table)


def _print_streamed(console: Console, streamed: list[lake.Row], day: date) -> None:
    """Show what the speed layer held of a day that the batch layer did not have yet."""
    posts, ids, published = streamed[0]
    console.print(
        f"posts of {day} seen through the stream: {posts}, different {ids}, then published {published}"
    )


def _print_stages(console: Console, api: AirflowApi, done: Iterable[Run]) -> None:
    """Show each run's wall time by stage, from the first task's start to the last one's end."""
    table = Table("stage", box=box.SIMPLE)
    times: dict[str, list[str]] = defaultdict(list)
    for run in done:
        table.add_column(
            f"{run.logical_date:%Y-%m-%d}" if run.run_id.startswith("backfill") else "load", justify="right"
        )
        spans: dict[str, tuple[datetime, datetime]] = {}
        for task in api.tasks(run.dag_id, run.run_id):
            if task.start and task.end:
                stage = task.task_id.split(".")[0]
                start, end = spans.get(stage, (task.start, task.end))
                spans[stage] = min(start, task.start), max(end, task.end)
        for stage, (start, end) in spans.items():
            times[stage].append(f"{(end - start).total_seconds():.1f} s")
        times["whole run"].append(f"{run.seconds:.1f} s")
    for stage in sorted(times, key=lambda name: name == "whole run"):
        table.add_row(stage, *times[stage])
    console.print(table)


def _print_machine(
    console: Console, settings: Settings, marks: list[tuple[str, float]], begun: float
) -> None:
    for (title, start), (_, end) in pairwise(marks):
        if title:
            console.print(f"{title:<48} {end - start:7.1f} s")
    console.print(f"{'demo, without set-up':<48} {time.monotonic() - begun:7.1f} s")
    downloads = settings.venv_dir / "downloads.json"
    if downloads.exists():
        found = json.loads(downloads.read_text())
        console.print(f"{'set-up: downloaded':<48} {found['wheels'] + found['jars']:7.0f} MB")
    if weighed := memory.peak(settings):
        console.print(f"{'peak memory of all processes':<48} {weighed['peak_megabytes'] / 1024:7.2f} GiB")
