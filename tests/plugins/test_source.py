from datetime import UTC, datetime
from typing import Any

import pytest

from pinflow.drift import source_tables
from pinflow.errors import SourceError, SourceUnavailableError
from pinflow.hooks.source import KEY, SourceHook, explain
from pinflow.settings import TABLES
from pinflow.window import Window


class DriverError(Exception):
    def __init__(self, errno: int, text: str) -> None:
        super().__init__(errno, text)
        self.errno = errno


@pytest.mark.parametrize(
    ("errno", "kind", "words"),
    [
        (1045, SourceError, "login and password"),
        (1142, SourceError, "grant SELECT"),
        (1049, SourceError, "no such database"),
        (1146, SourceError, "no such table"),
        (1054, SourceError, "no such column"),
        (2003, SourceUnavailableError, "host and port"),
        (2013, SourceUnavailableError, "starts its table over"),
        (1213, SourceUnavailableError, "starts its table over"),
        (1040, SourceUnavailableError, "starts its table over"),
        (1130, SourceError, "as seen by this host"),
        (1064, SourceError, "error reference"),
        (-1, SourceUnavailableError, "host and port"),
    ],
)
def test_driver_errors_name_the_repair(errno: int, kind: type[Exception], words: str) -> None:
    error = explain(DriverError(errno, "x"), "MySQL h:3306/d")
    assert isinstance(error, kind)
    assert words in str(error)
    assert "MySQL h:3306/d" in str(error)


@pytest.mark.parametrize("table", TABLES)
def test_the_key_of_a_table_is_the_contracts(table: str) -> None:
    assert KEY[table] == source_tables()[table].id


def test_other_errors_are_left_alone() -> None:
    assert explain(ValueError("x"), "MySQL") is None


def test_shifted_days_are_read_as_if_they_were_later(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def stream(_: SourceHook, sql: str, parameters: Any = None) -> Any:
        asked.append(parameters)
        if "AS newest_post" in sql:
            yield {"newest_post": datetime(2022, 10, 18, 15)}
        elif "AS post_ts" in sql and parameters is None:
            yield {"ind": 1, "post_ts": datetime(2022, 10, 15, 1)}
            yield {"ind": 2, "post_ts": None}  # no time, or a zero date
            yield {"ind": None, "post_ts": datetime(2022, 10, 15, 1)}
        elif "AS post_ts" in sql:
            yield {"ind": 1, "post_ts": datetime(2022, 10, 15, 1)}
        else:
            yield {"ind": 1, "timestamp": datetime(2022, 10, 15, 1), "date_joined": datetime(2015, 1, 1)}

    monkeypatch.setattr(SourceHook, "stream", stream)
    hook = SourceHook(shift_days=10)
    assert hook.newest_post() == datetime(2022, 10, 28, 15)
    window = Window.day(datetime(2022, 10, 25, tzinfo=UTC))
    assert list(hook.posts(window)) == [{"ind": 1, "post_ts": datetime(2022, 10, 25, 1)}]
    assert asked[1] == {"window_start": datetime(2022, 10, 15), "window_end": datetime(2022, 10, 16)}
    assert list(hook.rows("geo", [1])) == [
        {"ind": 1, "timestamp": datetime(2022, 10, 25, 1), "date_joined": datetime(2015, 1, 1)}
    ]
    assert list(hook.every_post()) == [{"ind": 1, "post_ts": datetime(2022, 10, 25, 1)}]
    assert list(hook.every_row("geo")) == list(hook.rows("geo", [1]))
