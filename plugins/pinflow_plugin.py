"""The reports in the Airflow UI: a tab of the DAGs, and the pages behind it, for those who may read the DAG.

Airflow imports this file in every process, so it imports nothing of pinflow, and the rest where it is used.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

DAG_ID = "pinterest_batch"
PREFIX = "/pinflow"
INDEX = "index.html"
KEY = re.compile(r"index\.html|\d{8}T\d{6}Z_\d{8}T\d{6}Z/[0-9a-f]{12}\.html")
NONE_YET = "There is no report yet: a run of pinterest_batch that answers the questions writes one."
# a page of the lake is shown, and nothing it may hold runs or loads anything
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "frame-ancestors 'self'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


def _lake() -> tuple[str, Any]:
    """Give the bucket of the Variable `pinflow`, and the client of the connection `pinterest_aws`."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.sdk import Variable

    return json.loads(Variable.get("pinflow"))["bucket"], S3Hook("pinterest_aws").conn


def newest() -> str | None:
    """Find the report written last; its key below reports/."""
    bucket, client = _lake()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="reports/")
    entries = [entry for page in pages for entry in page.get("Contents", ())]
    written = {entry["Key"].removeprefix("reports/"): entry["LastModified"] for entry in entries}
    reports = [key for key in written if KEY.fullmatch(key) and key != INDEX]
    return max(reports, key=written.__getitem__, default=None)


def read(key: str) -> bytes | None:
    """Read a report or the index; None when it is not there."""
    from botocore.exceptions import ClientError

    bucket, client = _lake()
    try:
        content: bytes = client.get_object(Bucket=bucket, Key=f"reports/{key}")["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    return content


@cache
def make_app() -> Any:
    """Make the application; a request is answered to those who may read the DAG, as everywhere in the UI."""
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI
    from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

    allowed = Depends(requires_access_dag("GET", param_dag_id=DAG_ID))
    made = FastAPI(title="Pinflow reports", openapi_url=None, dependencies=[allowed])

    @made.get("/reports/latest")
    def latest() -> Response:
        key = newest()
        if key is None:
            return PlainTextResponse(NONE_YET, status_code=404, headers=HEADERS)
        return RedirectResponse(key, headers=HEADERS)

    @made.get("/reports/{key:path}")
    def page(key: str) -> Response:
        content = read(key) if KEY.fullmatch(key) else None
        if content is None:
            return PlainTextResponse(NONE_YET, status_code=404, headers=HEADERS)
        return HTMLResponse(content, headers=HEADERS)

    return made


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request; the application is made with the first one, as only the API server has any."""
    await make_app()(scope, receive, send)


class PinflowPlugin(AirflowPlugin):
    """What Airflow registers."""

    name = "pinflow"
    fastapi_apps = [{"name": "Pinflow reports", "app": app, "url_prefix": PREFIX}]  # noqa: RUF012 - Airflow's form
    external_views = [  # noqa: RUF012
        {
            "name": "Report",
            "href": "pinflow/reports/latest",  # below the UI's own address: no slash before it
            "destination": "dag",
            "url_route": "pinflow-report",
        }
    ]
