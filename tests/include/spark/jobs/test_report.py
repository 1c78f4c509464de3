"""The report as the job leaves it: each of its numbers is what the statement beside it gives.

Answers and ops are views here: the job reads them by their names and cares for nothing else.
"""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from tests.include.conftest import SQL, Lake
from tests.include.posts import hostile
from tests.include.questions import frame_of, row_of
from tests.include.spark.jobs.conftest import Run

RUN, OTHER = "0123456789ab", "ffffffffffff"
PERSONAL = {"poster_name", "raw"}
HALF = 12
WINDOW = ("2022-10-15", "2022-10-17")
RAW = {
    "index": 7,
    "title": "<script>alert(1)</script> =cmd() \u05e9\u05dc\u05d5\u05dd \U0001f600",
    "poster_name": "Secret Poster",
    "follower_count": "many",
}
VIEWS = {
    "ledger": (
        "SELECT DATE(day) AS post_date, source_table, selected, acknowledged, 1L AS orphans, silver, "
        "acknowledged - silver AS quarantined, 2L AS doubles, 0L AS foreign_doubles, 3L AS foreign "
        "FROM VALUES ('2022-10-14', 'pin', 90L, 90L, 90L), ('2022-10-15', 'pin', 31L, 30L, 29L), "
        "('2022-10-15', 'geo', 31L, 31L, 31L), ('2022-10-16', 'geo', 17L, 17L, 17L), "
        "('2022-10-17', 'geo', 50L, 50L, 50L) AS t(day, source_table, selected, acknowledged, silver)"
    ),
    "quality_results": (
        "SELECT * FROM VALUES "
        f"('{RUN}', 'pin', 'sums', 'fail', 30L, 0L, 'ok'), ('{RUN}', 'geo', 'orphans', 'warn', 48L, 4L, 'four'), "
        f"('{OTHER}', 'geo', 'elsewhere', 'warn', 9L, 9L, 'nine') AS t(run, source_table, rule, action, rows, failed, detail)"
    ),
}


class Page(HTMLParser):
    """Statement and rows of each section, by its id, and the headline numbers by their names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sql: dict[str, str] = {}
        self.rows: dict[str, list[list[str | None]]] = {}
        self.heads: dict[str, list[str]] = {}
        self.headline: list[str | None] = []
        self.part = "headline"
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("section", "h2") and given.get("id"):
            self.part = str(given["id"])
        if tag == "pre":
            self.sql[self.part] = ""
        if tag == "tr":
            self.rows.setdefault(self.part, []).append([])
        if tag in ("pre", "th", "b"):
            self.inside = tag
        if tag == "td":
            is_null = given.get("class") == "null"
            self.rows[self.part][-1].append(None if is_null else "")
            self.inside = "" if is_null else "td"
        if tag == "th":
            self.heads.setdefault(self.part, []).append("")
        if tag == "data" and self.inside == "b":
            self.headline.append(given["value"])
        elif tag == "data":
            self.rows[self.part][-1][-1] = given["value"]
            self.inside = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("pre", "td", "th", "b"):
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "pre":
            self.sql[self.part] += data
        elif self.inside == "th":
            self.heads[self.part][-1] += data
        elif self.inside == "td":
            self.rows[self.part][-1][-1] = str(self.rows[self.part][-1][-1]) + data


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Hostile posts and what ops would say of them."""
    made = Lake(*(f"`12e8_report_{name}`" for name in ("stage", "silver", "gold", "ops")))
    folder = str(tmp_path_factory.mktemp("posts"))
    frame_of(spark, map(row_of, hostile())).write.mode("overwrite").parquet(folder)
    for schema in (made.silver, made.gold, made.ops):
        spark.sql(f"CREATE SCHEMA {schema}")
    spark.sql(f"CREATE VIEW {made.gold}.post_wide AS SELECT * FROM parquet.`{folder}`")
    for path in sorted((SQL / "analytics").glob("*.sql")):
        if not path.stem.endswith("_ranked"):
            spark.sql(f"CREATE VIEW {made.gold}.`{path.stem}` AS\n{made.render(path)}")
    lines = str(tmp_path_factory.mktemp("lines"))
    spark.createDataFrame([(json.dumps(RAW, ensure_ascii=False),)], "raw STRING").write.mode(
        "overwrite"
    ).parquet(lines)
    spark.sql(
        f"CREATE VIEW {made.silver}.quarantine AS SELECT 'pin' AS source_table, 7 AS ind, 'own' AS kind, "
        f"array('follower_count: x', 'b') AS reasons, raw, 'k' AS key, 0 AS line, DATE'2022-10-15' AS post_date "
        f"FROM parquet.`{lines}`"
    )
    for name in ("ledger", "quality_results"):
        spark.sql(f"CREATE VIEW {made.ops}.{name} AS {VIEWS[name]}")
    yield made
    for schema in (made.silver, made.gold, made.ops):
        spark.sql(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(scope="module")
def text(lake: Lake, run_job: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page") / "left"
    manifests: list[dict[str, Any]] = [
        {
            "table": table, "topic": f"t.{table}", "run": RUN, "selected": 31, "count": 31,
            "window_start": f"{WINDOW[0]}T00:00:00Z", "window_end": f"{WINDOW[1]}T00:00:00Z",
            "posts": "posts", "ids": "ids", "keys": "keys",
        }
        for table in ("pin", "geo", "user")
    ]  # fmt: skip
    times = json.dumps([["clean", 3, 20.5]])
    said = run_job("report", manifests, dag_run="manual__x", stages=times, to=str(folder))
    assert said["page"] == str(folder)
    (part,) = Path(folder).glob("*.txt")
    return part.read_text("utf-8")


def asked(spark: SparkSession, sql: str) -> tuple[list[str], list[list[str | None]]]:
    """Ask again, every value as Spark writes it."""
    frame = spark.sql(sql)
    kinds = dict(frame.dtypes)
    columns = [
        F.concat_ws("; ", name) if kinds[name].startswith("array") else F.col(name).cast("string")
        for name in kinds
    ]
    return frame.columns, [list(row) for row in frame.select(*columns).collect()]


def same(shown: str | None, given: str | None) -> bool:
    """Compare as texts, or as numbers: 0.5 and 0.50 are one."""
    if shown is None or given is None or shown == given:
        return shown == given
    try:
        return float(shown) == float(given)
    except ValueError:
        return False


def order(row: list[str | None]) -> list[str]:
    return [f"{float(cell)!r}" if cell and cell.replace(".", "").isdigit() else str(cell) for cell in row]


def test_every_number_is_what_the_statement_beside_it_gives(spark: SparkSession, text: str) -> None:
    page = Page(text)
    compared = 0
    tables = {path.stem for path in (SQL / "analytics").glob("*.sql") if not path.stem.endswith("_ranked")}
    assert set(page.sql) == tables | {"headline", "ledger", "quality", "quarantine"}
    for part in sorted(set(page.sql) - {"headline"}):
        columns, given = asked(spark, page.sql[part])
        assert page.heads[part] == columns
        shown = [row for row in page.rows[part] if row]
        open_columns = [n for n, name in enumerate(columns) if name not in PERSONAL]
        left = sorted(([row[n] for n in open_columns] for row in given), key=order)
        assert len(shown) == min(len(given), 2 * HALF), part
        for row in shown:  # each shown row is one of the given, and none is shown twice
            cells = [row[n] for n in open_columns]
            found = next((n for n, each in enumerate(left) if all(map(same, cells, each))), None)
            assert found is not None, f"{part} shows {cells}"
            del left[found]
            compared += 1
    assert compared > 100
    _, ((*numbers,),) = asked(spark, page.sql["headline"])
    assert [value for value, number in zip(page.headline, numbers, strict=False) if value] == [
        number for number in numbers if number and number.isdigit()
    ]


def test_the_window_counts_and_other_windows_do_not(text: str) -> None:
    page = Page(text)
    assert [row[:3] for row in page.rows["ledger"] if row] == [["geo", "2", "48"], ["pin", "1", "31"]]
    assert [row[1] for row in page.rows["quality"] if row] == ["orphans", "sums"]
    assert "geo: orphans (warn): 4 of 48 rows" in text
    assert "<h1>Posts of 2022-10-15 to 2022-10-16</h1>" in text


def test_nothing_personal_and_nothing_but_text_is_on_the_page(text: str) -> None:
    assert "Secret" not in text
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; =cmd()" in text
    assert "\u05e9\u05dc\u05d5\u05dd \U0001f600" in text
    tops = [row for row in Page(text).rows["top_user_by_country"] if row]
    assert {row[1] for row in tops} == {"***"}


def test_every_question_with_rows_has_its_chart(text: str) -> None:
    page = Page(text)
    tables = {path.stem for path in (SQL / "analytics").glob("*.sql") if not path.stem.endswith("_ranked")}
    assert text.count("<figure data-chart=") == len([name for name in tables if any(page.rows[name])])
