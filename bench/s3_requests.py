"""What is asked of the S3 service, read from its log as it grows."""

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

REQUEST = re.compile(r"(\S+) \S*S3ProxyHandler:\d+ .*request: .*?\{(GET|HEAD|PUT|POST|DELETE)@\w+ (\S+)")
# the store walks a whole folder; a list answers with what stands behind its start-after
LISTED = re.compile(r"(\S+) \S*AbstractNio2BlobStore:\d+ .*\badding: (\S+)")
SETTLE_SECONDS = 2.0
Counts = dict[str, int]


class S3Requests:
    """Counts requests, reads of Delta logs and files listed; the log must be at level debug."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.seen: Counter[str] = Counter()
        self._after: dict[str, str] = {}
        self._file = log.open(errors="replace")
        self._file.seek(0, 2)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        rest = ""
        while True:
            rotated = self.log.exists() and self.log.stat().st_ino != os.fstat(self._file.fileno()).st_ino
            *lines, rest = (rest + self._file.read()).split("\n")
            for line in lines:
                self._count(line)
            if rotated:
                self._file.close()
                self._file = self.log.open(errors="replace")
            time.sleep(0.05)

    def _count(self, line: str) -> None:
        if found := REQUEST.search(line):
            thread, method, url = found.groups()
            self._after[thread] = parse_qs(urlsplit(url).query).get("start-after", [""])[0]
            self.seen["requests"] += 1
            self.seen[method] += 1
            self.seen["delta_log_reads"] += method == "GET" and "/_delta_log/" in url
        elif found := LISTED.search(line):
            thread, key = found.groups()
            self.seen["files_listed"] += key > self._after.get(thread, "")

    @contextmanager
    def during(self, counts: Counts) -> Iterator[None]:
        """Add what is asked while the block runs to `counts`."""
        time.sleep(SETTLE_SECONDS)
        before = self.seen.copy()
        yield
        time.sleep(SETTLE_SECONDS)
        for name in ("requests", "delta_log_reads", "files_listed"):
            counts[name] = counts.get(name, 0) + self.seen[name] - before[name]
