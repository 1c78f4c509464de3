"""A menu entry and the runbook as a page of Airflow's UI; it imports nothing of pinflow."""

import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from html import escape
from pathlib import Path
from typing import Any

from airflow.plugins_manager import AirflowPlugin

VERSION = "0.1.0"
DAG_IDS = (
    "pinterest_setup", "pinterest_batch", "pinterest_stream", "pinterest_live", "pinterest_maintenance",
    "pinterest_replay",
)  # fmt: skip
_HERE = Path(__file__).resolve().parent
# beside it in plugins.zip, else where the repository has it
RUNBOOKS = (_HERE / "pinflow_runbook.md", _HERE.parent / "docs" / "runbook.md")
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_STYLE = "body{font:15px/1.5 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}code{font-size:90%}"

Message = MutableMapping[str, Any]
log = logging.getLogger(__name__)


def packages() -> list[Path]:
    """List where the package that the DAGs import may lie: in MWAA's DAG folder, or beside this file."""
    from airflow.configuration import conf

    return [Path(conf.get("core", "dags_folder")) / "pinflow", _HERE / "pinflow"]


def version_of_dags() -> str | None:
    """Read the version of the first package that is there, without importing it."""
    for package in packages():
        file = package / "__init__.py"
        if file.is_file() and (found := _VERSION.search(file.read_text(encoding="utf-8"))):
            return found[1]
    return None


def difference() -> str | None:
    """Say that plugin and DAGs are of two versions; None when they agree or there are no DAGs here."""
    other = version_of_dags()
    if other in (None, VERSION):
        return None
    return (
        f"The plugin pinflow is of version {VERSION}, the DAGs are of version {other}. "
        "Repair: deploy plugins.zip and dags/pinflow of one `make mwaa`."
    )


def page() -> str:
    """Return the page: versions, the DAGs, the runbook."""
    from markdown_it import MarkdownIt

    runbook = next((file.read_text(encoding="utf-8") for file in RUNBOOKS if file.is_file()), "")
    said = difference()
    links = " · ".join(f'<a target="_top" href="../dags/{name}">{name}</a>' for name in DAG_IDS)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pinflow</title>'
        f"<style>{_STYLE}</style></head><body><p>Pinflow {VERSION}: {links}</p>"
        f"{f'<p><strong>{escape(said)}</strong></p>' if said else ''}"
        f"{MarkdownIt('commonmark').render(runbook)}</body></html>"
    )


async def runbook_app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request with the page; without FastAPI, whose import each task would pay for."""
    del receive
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page().encode()})


class PinflowPlugin(AirflowPlugin):
    """What Airflow registers."""

    name = "pinflow"
    # the page is public text, as Airflow does not ask who reads a plugin's application
    fastapi_apps = [  # noqa: RUF012 - as Airflow declares it
        {"app": runbook_app, "url_prefix": "/pinflow", "name": "Pinflow"},
    ]
    external_views = [  # noqa: RUF012 - as Airflow declares it
        {
            "name": "Pinflow",
            "href": "pinflow/",
            "destination": "nav",
            "category": "docs",
            "url_route": "pinflow",
        },
    ]

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Warn at start when the versions differ."""
        del args, kwargs
        if said := difference():
            log.warning("%s", said)
