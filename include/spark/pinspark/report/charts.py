"""A chart of an answer as an SVG text: altair says what is drawn, vl-convert draws it, offline."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import vl_convert

from pinspark.report.answers import Answer, Value
from pinspark.report.chart_header import ChartHeader
from pinspark.report.labels import label, order
from pinspark.report.resources import texts

WIDTH = 460  # its texts are readable where a phone draws it 360 wide
STEP = 19
HEIGHT = 240
# a bar chart of more is not readable
MOST_BARS = 25
MOST_DAYS = 31
MOST_POINTS = 60
SHORT = 8
Row = dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A chart, the number of marks in it, and what it leaves out."""

    svg: str
    marks: int
    remarks: tuple[str, ...]


def draw(header: ChartHeader, answer: Answer, name: str) -> Drawn | None:
    """Draw an answer; None when there is nothing to draw."""
    header.check(answer.columns, name)
    known, remarks = _known(header, answer)
    shown, more = _most(header, known, answer)
    if not shown:
        return None
    chart, marks = KINDS[header.kind](header, shown, header.x in answer.dates)
    spec = chart.configure(**theme()).to_dict()
    svg = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return Drawn(_own_ids(svg, name), marks, (*remarks, *more))


@cache
def theme() -> dict[str, Any]:
    """Read how every chart looks."""
    found: dict[str, Any] = json.loads(texts("page")["theme.json"])
    return found


def _known(header: ChartHeader, answer: Answer) -> tuple[list[Row], list[str]]:
    """Take the columns that are drawn, without the rows that have no number."""
    places = {place: getattr(header, place) for place in ("x", "y", "color") if getattr(header, place)}
    columns = {place: answer.column(column) for place, column in places.items()}
    rows: list[Row] = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    value = "color" if header.kind == "heat" else "y"
    known = [row for row in rows if _is_number(row[value])]
    left = len(rows) - len(known)
    return known, [f"{left} of {len(rows)} rows have no {header.value} and are not drawn."] if left else []


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and value == value and abs(value) != float("inf")


def _most(header: ChartHeader, rows: list[Row], answer: Answer) -> tuple[list[Row], list[str]]:
    """Leave so many bars as can be read: the newest days, or the highest values."""
    groups = sorted({row["x"] for row in rows}, key=order)
    dated = header.x in answer.dates
    most = MOST_DAYS if dated else MOST_BARS
    if header.kind == "line" or len(groups) <= most:
        return rows, []
    if dated:
        kept, which = set(groups[-most:]), "newest"
    else:
        value = "color" if header.kind == "heat" else "y"
        totals = {group: sum(row[value] for row in rows if row["x"] == group) for group in groups}
        kept, which = set(sorted(groups, key=lambda group: (-totals[group], order(group)))[:most]), "highest"
    remark = f"Drawn are the {most} {which} of {len(groups)} values of {header.x}."
    return [row for row in rows if row["x"] in kept], [remark]


def _labelled(rows: list[Row], *places: str) -> alt.InlineData:
    return alt.InlineData(
        values=[{**row, **{place: label(row[place]) for place in places if place in row}} for row in rows]
    )


def _ordered(rows: list[Row], place: str) -> list[str]:
    return [label(value) for value in sorted({row[place] for row in rows}, key=order)]


def _axis(column: str, **more: Any) -> alt.Axis:
    return alt.Axis(title=column.replace("_", " "), **more)


def _numbers(column: str) -> alt.Axis:
    return _axis(column, format="~s", tickCount=5, domain=False, ticks=False)


def _color(header: ChartHeader, rows: list[Row]) -> dict[str, Any]:
    if not header.color:
        return {}
    legend = alt.Legend(title=header.color.replace("_", " "))
    return {"color": alt.Color("color:N", sort=_ordered(rows, "color"), legend=legend)}


def _bars(header: ChartHeader, rows: list[Row], dated: bool) -> tuple[alt.Chart, int]:
    chart = alt.Chart(_labelled(rows, "x", "color")).mark_bar()
    color = _color(header, rows)
    names = _ordered(rows, "x")
    if _lies(rows, dated):
        across = alt.X("y:Q", axis=_numbers(header.y))
        down = alt.Y("x:N", sort=_by_value(rows), axis=_axis(header.x, ticks=False))
        return _sized(chart.encode(x=across, y=down, **color), alt.Step(STEP)), len(rows)
    x = alt.X("x:N", sort=names, axis=_axis(header.x, labelAngle=-90 if dated else 0, ticks=False))
    return _sized(chart.encode(x=x, y=alt.Y("y:Q", axis=_numbers(header.y)), **color)), len(rows)


def _lies(rows: list[Row], dated: bool) -> bool:
    """Tell whether bars lie on their side: long names are not readable below standing ones."""
    names = [row["x"] for row in rows]
    return not dated and any(isinstance(name, str) and len(name) > SHORT for name in names)


def _by_value(rows: list[Row]) -> list[str]:
    """Order names by what stands before them: a number in them, else the longest bar first."""
    totals: dict[Any, float] = {}
    for row in rows:
        totals[row["x"]] = totals.get(row["x"], 0) + row["y"]
    if all(order(name)[0] == 1 for name in totals):
        return _ordered(rows, "x")
    return [label(name) for name in sorted(totals, key=lambda name: (-totals[name], order(name)))]


def _grouped(header: ChartHeader, rows: list[Row], dated: bool) -> tuple[alt.Chart, int]:
    del dated
    side = alt.XOffset("color:N", sort=_ordered(rows, "color"))
    x = alt.X("x:N", sort=_ordered(rows, "x"), axis=_axis(header.x, labelAngle=0, ticks=False))
    y = alt.Y("y:Q", axis=_numbers(header.y))
    chart = alt.Chart(_labelled(rows, "x", "color")).mark_bar()
    return _sized(chart.encode(x=x, y=y, xOffset=side, **_color(header, rows))), len(rows)


def _line(header: ChartHeader, rows: list[Row], dated: bool) -> tuple[alt.Chart, int]:
    with_points = len(rows) <= MOST_POINTS
    if dated:
        axis = _axis(
            header.x, tickCount=5, labelOverlap=True, format="%Y-%m-%d" if _is_short(rows) else "%Y-%m"
        )
        x = alt.X("x:T", scale=alt.Scale(type="utc"), axis=axis)
    else:
        x = alt.X("x:N", sort=_ordered(rows, "x"), axis=_axis(header.x, labelAngle=0))
    chart = alt.Chart(_labelled(rows, *(["color"] if dated else ["x", "color"]))).mark_line(point=with_points)
    lines = len({row.get("color") for row in rows})
    chart = chart.encode(x=x, y=alt.Y("y:Q", axis=_numbers(header.y)), **_color(header, rows))
    return _sized(chart), lines + (len(rows) if with_points else 0)


def _is_short(rows: list[Row]) -> bool:
    """Tell whether days lie so near together that their months alone would repeat."""
    return len({str(row["x"])[:7] for row in rows}) <= SHORT


def _heat(header: ChartHeader, rows: list[Row], dated: bool) -> tuple[alt.Chart, int]:
    angle = -90 if dated or len({row["x"] for row in rows}) > SHORT else 0
    x = alt.X(
        "x:N", sort=_ordered(rows, "x"), axis=_axis(header.x, labelAngle=angle, ticks=False, domain=False)
    )
    y = alt.Y("y:N", sort=_ordered(rows, "y"), axis=_axis(header.y, ticks=False, domain=False))
    legend = alt.Legend(title=header.value.replace("_", " "), format="~s")
    shade = alt.Color("color:Q", scale=alt.Scale(zero=True), legend=legend)
    chart = alt.Chart(_labelled(rows, "x", "y")).mark_rect(stroke="white", strokeWidth=1)
    return _sized(chart.encode(x=x, y=y, color=shade), alt.Step(STEP + 5)), len(rows)


def _sized(chart: alt.Chart, height: Any = HEIGHT) -> alt.Chart:
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return chart.properties(width=WIDTH, height=height, autosize=fit)


def _own_ids(svg: str, name: str) -> str:
    """Make ids the chart's own: every drawing counts from 0, and a page holds many."""
    svg = re.sub(r'\bid="([\w-]+)"', rf'id="{name}-\1"', svg)
    return re.sub(r"url\(#([\w-]+)\)", rf"url(#{name}-\1)", svg)


KINDS = {"bar": _bars, "grouped": _grouped, "line": _line, "heat": _heat}
