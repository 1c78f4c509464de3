from pathlib import Path

import pytest
import sqlglot
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pinflow.settings import Settings

SQL = Path(__file__).resolve().parents[2] / "include" / "sql"
FILES = sorted(
    str(p.relative_to(SQL))
    for part in ("silver", "star", "serving", "analytics", "checks", "report")
    for p in (SQL / part).glob("*.sql")
)
HEADER = ("grain:", "reads:", "params:")


def rendered(file: str) -> str:
    environment = Environment(loader=FileSystemLoader(SQL), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    days = "(post_date >= DATE'2022-10-15' AND post_date < DATE'2022-10-16')"
    names = Settings().names() | {"run": "0123456789ab", "days": days}
    return environment.get_template(file).render(names)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("dialect", ["databricks", "spark"])
def test_every_file_is_one_statement_in_both_dialects(file: str, dialect: str) -> None:
    statements = sqlglot.parse(rendered(file), dialect=dialect)
    assert len(statements) == 1
    assert statements[0] is not None
    assert not isinstance(statements[0], sqlglot.exp.Command), f"{file} was not understood as {dialect}"


@pytest.mark.parametrize("file", [f for f in FILES if not f.startswith("silver/")])
def test_every_file_has_its_header(file: str) -> None:
    head = (SQL / file).read_text().split("\n")[:5]
    for word in HEADER:
        assert any(line.startswith("--") and word in line for line in head), f"{file}: add `-- {word} …`"


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("analytics/")])
def test_an_analytics_file_is_a_bare_select_over_post_wide_alone(file: str) -> None:
    tree = sqlglot.parse_one(rendered(file), dialect="spark")
    assert isinstance(tree, sqlglot.exp.Select)
    ctes = {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)}
    tables = {table.name for table in tree.find_all(sqlglot.exp.Table)} - ctes
    assert tables == {"post_wide"}


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("checks/")])
def test_a_check_counts_over_staged_rows_of_the_run_alone(file: str) -> None:
    tree = sqlglot.parse_one(rendered(file), dialect="spark")
    assert isinstance(tree, sqlglot.exp.Select)
    assert [each.alias for each in tree.selects] == ["rows", "failed"]
    ctes = {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)}
    tables = [table for table in tree.find_all(sqlglot.exp.Table) if table.name not in ctes]
    assert {table.db for table in tables} == {"stage"}
    assert rendered(file).count("run = '0123456789ab'") == len(tables), (
        "every table is read for the run alone"
    )
