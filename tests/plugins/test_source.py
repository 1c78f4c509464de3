import pytest
import yaml

from pinflow.errors import SourceError, SourceUnavailableError
from pinflow.hooks.source import KEY, explain
from pinflow.paths import include_dir
from pinflow.settings import TABLES


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
    contract = yaml.safe_load((include_dir() / "contracts" / f"{table}.yaml").read_text())
    assert KEY[table] == contract["id"]


def test_other_errors_are_left_alone() -> None:
    assert explain(ValueError("x"), "MySQL") is None
