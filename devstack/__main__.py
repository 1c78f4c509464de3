"""The stack's commands: `python -m devstack up|down|reset|status|logs|sql|seed|load|backfill|report|demo`."""

import os
import subprocess
import sys
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from devstack import loopback, registry, runs, supervise, supervisord
from devstack.config import Settings
from devstack.errors import StackError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None)
Services = Annotated[list[str] | None, typer.Argument(help="Names; `airflow` means its four. Default: all.")]
From = Annotated[str, typer.Argument(metavar="FROM", help="First UTC day, included.")]
To = Annotated[str, typer.Argument(metavar="TO", help="Last UTC day, included.")]
INTERRUPTED = 130


class Format(StrEnum):
    """How `sql` prints."""

    table = "table"
    csv = "csv"
    json = "json"


class Reprocess(StrEnum):
    """Which days that have run before a backfill runs again."""

    none = "none"
    failed = "failed"
    completed = "completed"


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


@app.command()
def up(services: Services = None) -> None:
    """Start services and what they need; returns when they are ready."""
    settings = Settings()
    supervise.up(settings, services or (), say)
    running = {row.name for row in supervise.status(settings) if row.pid}
    for name, text in (
        (
            "airflow-api",
            f"Airflow      {settings.airflow_url}   (no login: everyone on this machine is admin)",
        ),
        ("databricks", f"Databricks   {settings.databricks_url}   token {settings.databricks_token}"),
        ("s3", f"S3           {settings.s3_endpoint}   {settings.s3_access_key} / {settings.s3_secret_key}"),
    ):
        if name in running:
            say(text)


@app.command()
def down() -> None:
    """Stop every service and prove that no process is left; the data stays."""
    supervise.down(Settings(), say)


@app.command()
def reset() -> None:
    """Stop every service and forget all data."""
    supervise.reset(Settings(), say)


@app.command()
def status() -> None:
    """Show services, ports and memory."""
    table = Table("service", "state", "pid", "port")
    table.add_column("memory MiB", justify="right")
    table.add_column("uptime", justify="right")
    rows = supervise.status(Settings())
    for row in rows:
        table.add_row(
            row.name,
            row.state,
            str(row.pid or ""),
            ", ".join(map(str, row.ports)),
            f"{row.megabytes:.0f}" if row.pid else "",
            f"{row.uptime // 3600}:{row.uptime // 60 % 60:02}:{row.uptime % 60:02}" if row.pid else "",
        )
    table.add_section()
    table.add_row("total", "", "", "", f"{sum(row.megabytes for row in rows):.0f}", "")
    Console().print(table)


@app.command()
def logs(
    services: Services = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Lines of each log.")] = 50,
) -> None:
    """Print the last lines of the services' logs."""
    settings = Settings()
    names = registry.expand(registry.services(settings), services or ())
    folder = supervisord.log_file(settings, "x").parent
    files = [supervisord.log_file(settings, name) for name in names] or sorted(folder.glob("*.log"))
    found = [str(path) for path in files if path.exists()]
    if not found:
        raise StackError(f"There is no log yet in {folder}. Repair: `make up` first.")
    subprocess.run(["tail", "-n", str(lines), *(["-F"] if follow else []), *found], check=False)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SQL statement.")],
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
) -> None:
    """Ask the lake."""
    from devstack import lake

    lake.sql(Settings(), query, output.value)


@app.command()
def report() -> None:
    """Print where the newest report is, and open it in a browser where there is a screen."""
    from devstack import report as reports

    say(reports.show(Settings()))


@app.command()
def seed(
    posts: Annotated[str | None, typer.Option(help="How many posts.")] = None,
    span: Annotated[str | None, typer.Option(help="FROM..TO, UTC days, both included.")] = None,
    random_seed: Annotated[str | None, typer.Option(help="Same seed, same bytes.")] = None,
    dump: Annotated[str | None, typer.Option("--source", help="Folder of an own dump instead.")] = None,
    live: Annotated[str | None, typer.Option(help="Posts a minute, dated now, until Ctrl-C.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="End LIVE after so many seconds.")
    ] = None,
) -> None:
    """Replace the source's content by generated posts or by a dump, or add posts to it that are dated now."""
    from devstack import source

    wishes = {"posts": posts, "span": span, "random_seed": random_seed, "live": live, "for": seconds}
    way = source.refuse_together(source=dump, **wishes)
    if dump and way == "source":
        from devstack.source.dump import load as load_dump

        load_dump(Settings(), dump, say)
    elif live and way == "live":
        from devstack.source.live import insert

        insert(Settings(), source.rate(live), seconds, say)
    else:
        source.seed(Settings(), posts=posts, span=span, random_seed=random_seed)


@app.command()
def load(first: From, last: To) -> None:
    """Load the days FROM..TO in one run and wait for it."""
    runs.load(Settings(), first, last, say)


@app.command()
def backfill(
    first: From,
    last: To,
    reprocess: Annotated[Reprocess, typer.Option(help="Which days to run again.")] = Reprocess.none,
    run_backwards: Annotated[bool, typer.Option("--run-backwards", help="Newest day first.")] = False,
) -> None:
    """Run each of the days FROM..TO by a backfill and wait for it."""
    runs.backfill(Settings(), first, last, reprocess=reprocess.value, run_backwards=run_backwards, say=say)


@app.command()
def stream(
    rate: Annotated[float, typer.Argument(min=0.1, help="Rows a second, over the three streams.")] = 30,
    seconds: Annotated[float, typer.Argument(min=1, help="For how long.")] = 60,
) -> None:
    """Send random posts through Kinesis at a rate and show how soon they are in Delta."""
    from devstack import stream as live

    live.main(Settings(), rate, seconds, say)


@app.command()
def demo() -> None:
    """Show the whole pipeline: seed, load, backfill, answers, numbers."""
    from devstack import demo as whole

    whole.main(Settings())


def _what_goes_on(command: str) -> str:
    """Tell a person who pressed Ctrl-C what that did not stop."""
    if command in ("demo", "load", "backfill", "stream"):
        return (
            "interrupted: the stack goes on running, and so do the runs that Airflow has started. "
            f"When they have ended, `make {command}` can be given again; `make down` stops everything."
        )
    return "interrupted: what runs of the stack goes on; `make status` shows it, `make down` stops it."


def main() -> None:
    """Run a command; what went wrong is one message, not a traceback."""
    loopback.spare(os.environ)
    try:
        app()
    except StackError as error:
        sys.exit(f"error: {error}")
    except ValidationError as error:
        faults = "; ".join(f"DEVSTACK_{part['loc'][0]}: {part['msg']}".upper() for part in error.errors())
        sys.exit(f"error: {faults}. Repair: set or unset these variables.")
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer's answer to Ctrl-C
            print(f"\n{_what_goes_on(sys.argv[1])}", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
