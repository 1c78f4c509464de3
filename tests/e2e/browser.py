"""A browser for the tests: Debian's chromium, or playwright's own; none is a skip that says how."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Error, Page, sync_playwright


@contextmanager
def page(width: int = 1600, height: int = 900) -> Iterator[Page]:
    """Open one page; skips when no browser can be started."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"no browser: `apt-get install chromium` or `playwright install chromium` ({error})")
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()
