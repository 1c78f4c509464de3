"""The line of a header that gives a chart, and what is drawn of an answer."""

import xml.etree.ElementTree as ET

import pytest

from pinspark.report.answers import Answer
from pinspark.report.chart_header import ChartError, ChartHeader, parse_chart
from pinspark.report.charts import MOST_BARS, MOST_DAYS, Drawn, draw
from pinspark.report.labels import label, order

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\u05e9\u05dc\u05d5\u05dd",
    '\U0001f600 & "q"',
    "\u202eabc\x00",
)
SVG = "{http://www.w3.org/2000/svg}"


def answer(columns: str, rows: list[tuple[object, ...]], *dates: str) -> Answer:
    return Answer(tuple(columns.split()), tuple(rows), frozenset(dates))  # type: ignore[arg-type]


def drawn(line: str, columns: str, rows: list[tuple[object, ...]], *dates: str) -> Drawn:
    found = draw(parse_chart(line, "q.sql"), answer(columns, rows, *dates), "q")
    assert found is not None
    return found


def root(found: Drawn) -> ET.Element:
    return ET.fromstring(found.svg)  # noqa: S314 - our own drawing


def marks(found: Drawn) -> int:
    """Count what is drawn: the children of the groups that hold marks, not axes or legends."""
    groups = [each.get("class", "").split() for each in root(found).iter(f"{SVG}g")]
    assert any("role-mark" in group for group in groups)
    leaves = [each for each in root(found).iter(f"{SVG}g") if "role-mark" in each.get("class", "").split()]
    return sum(len(each) for each in leaves if "mark-group" not in each.get("class", "").split())


def words(found: Drawn) -> list[str]:
    return ["".join(each.itertext()) for each in root(found).iter(f"{SVG}text")]


def test_a_chart_is_kind_and_columns() -> None:
    assert parse_chart("bar x=country y=n", "q.sql") == ChartHeader("bar", "country", "n")
    assert parse_chart("heat x=a y=b color=c", "q.sql").value == "c"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pie x=a y=b", "'pie' is none of bar"),
        ("bar x=a", "y is not given"),
        ("heat x=a y=b", "color is not given"),
        ("bar x=a y=b z=c", "'z' is none of x"),
        ("bar x=a x=b y=c", "given twice"),
        ("bar x = a", "'x' is not <place>=<column>"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_with_its_repair(line: str, said: str) -> None:
    with pytest.raises(ChartError, match=r"q\.sql.*Repair: write") as error:
        parse_chart(line, "q.sql")
    assert said in str(error.value)


def test_a_column_the_answer_lacks_is_named() -> None:
    with pytest.raises(ChartError, match=r"draws n, the answer has country, count\. Repair: "):
        drawn("bar x=country y=n", "country count", [("Chad", 1)])


@pytest.mark.parametrize(
    ("line", "rows", "count"),
    [
        ("bar x=g y=n", [("a", 1, ""), ("b", 2, "")], 2),
        ("bar x=g y=n color=c", [("a", 1, "x"), ("a", 2, "y"), ("b", 2, "y")], 3),
        ("grouped x=g y=n color=c", [(2015, 1, "x"), (2015, 2, "y"), (2016, 2, "y")], 3),
        ("heat x=g y=c color=n", [("a", 1, "x"), ("b", 2, "y")], 2),
        ("line x=g y=n color=c", [(1, 1, "x"), (2, 2, "x"), (1, 3, "y"), (2, 4, "y")], 2 + 4),
    ],
)
def test_every_row_is_a_mark(line: str, rows: list[tuple[object, ...]], count: int) -> None:
    found = drawn(line, "g n c", rows)
    assert found.marks == marks(found) == count


def test_rows_without_a_number_are_said_not_drawn() -> None:
    found = drawn("bar x=g y=n", "g n", [("a", None), ("b", 2.5), ("c", float("nan"))])
    assert found.marks == marks(found) == 1
    assert found.remarks == ("2 of 3 rows have no n and are not drawn.",)


def test_an_answer_without_rows_has_no_chart() -> None:
    assert draw(parse_chart("bar x=g y=n", "q"), answer("g n", []), "q") is None
    assert draw(parse_chart("bar x=g y=n", "q"), answer("g n", [("a", None)]), "q") is None


def test_of_many_bars_the_highest_are_drawn_and_of_many_days_the_newest() -> None:
    bars = drawn("bar x=g y=n", "g n", [(f"name {n}", n) for n in range(MOST_BARS + 5)])
    assert bars.marks == marks(bars) == MOST_BARS
    assert "name 4" not in words(bars)
    assert bars.remarks == (f"Drawn are the {MOST_BARS} highest of {MOST_BARS + 5} values of g.",)
    days = [(f"2022-{1 + n // 28:02}-{1 + n % 28:02}", 100 - n) for n in range(MOST_DAYS + 3)]
    newest = drawn("bar x=g y=n", "g n", days, "g")
    assert newest.marks == marks(newest) == MOST_DAYS
    assert days[-1][0] in words(newest)
    assert days[0][0] not in words(newest)


def test_ages_bands_and_years_stand_in_their_order() -> None:
    names = ["50+", "18-24", "36-50", "25-35"]
    ages = [
        word for word in words(drawn("bar x=g y=n", "g n", [(name, 1) for name in names])) if word in names
    ]
    assert ages == ["18-24", "25-35", "36-50", "50+"]
    bands = ["1M+", "100k-999k", "1k-9k", "0-999", "10k-99k"]
    assert sorted(bands, key=order) == ["0-999", "1k-9k", "10k-99k", "100k-999k", "1M+"]
    assert sorted([2020, None, 2018], key=order) == [None, 2018, 2020]


def test_hostile_names_are_text_in_a_well_formed_drawing() -> None:
    found = drawn("bar x=g y=n color=c", "g n c", [(name, 3, name) for name in HOSTILE])
    assert "<script" not in found.svg
    assert set(map(label, HOSTILE[:4])) <= set(words(found))
    assert label(HOSTILE[4]) == "\ufffdabc\ufffd"
    tags = {each.tag.removeprefix(SVG) for each in root(found).iter()}
    assert tags <= {"svg", "g", "path", "text", "line", "rect"}


def test_ids_of_two_drawings_never_meet() -> None:
    rows: list[tuple[object, ...]] = [(1, "a", 1), (2, "b", 9)]
    line = parse_chart("heat x=g y=c color=n", "q")
    first, second = (draw(line, answer("g c n", rows), name) for name in ("one", "two"))
    assert first
    assert second
    assert 'id="one-' in first.svg
    assert "one-" not in second.svg


def test_a_long_name_is_cut_and_the_drawing_keeps_its_width() -> None:
    found = drawn("bar x=g y=n", "g n", [("Antarctica " * 20, 1), ("Chad", 2)])
    assert float(root(found).get("width", "0")) <= 470
    assert any(word.startswith("Antarctica") and word.endswith("…") for word in words(found))
