"""Where a person sees the newest report: the page of the Airflow UI that shows it."""

import os
import re
import sys
import webbrowser

from devstack.config import Settings
from devstack.errors import StackError
from devstack.s3proxy import client

PREFIX = "reports/"
REPORT = re.compile(r"reports/(\d{8})T\d{6}Z_(\d{8})T\d{6}Z/[0-9a-f]+\.html")
# the tab in the UI: a page by itself asks for a login, which the UI's pages get without being asked
TAB = "/dags/pinterest_batch/plugin/pinflow-report"


def show(settings: Settings) -> str:
    """Return the address of the newest report and open it where there is a screen; raises StackError."""
    address = f"{settings.airflow_url}{TAB}"
    if not has_report(settings):
        raise StackError(
            "There is no report in the lake. Repair: `make load FROM=2022-10-15 TO=2022-10-15`; each run of "
            "pinterest_batch that answers the questions writes one."
        )
    if sys.stdout.isatty() and (sys.platform == "darwin" or os.environ.get("DISPLAY")):
        webbrowser.open(address)
    return f"Report       {address}"


def has_report(settings: Settings) -> bool:
    """Tell whether the lake holds a report."""
    pages = client(settings).get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=settings.bucket, Prefix=PREFIX)
    return any(REPORT.fullmatch(each["Key"]) for page in found for each in page.get("Contents", ()))
