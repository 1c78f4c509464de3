"""The line that gives a question its chart: `-- chart: bar x=country y=category_count color=category`."""

import re
from dataclasses import dataclass

KINDS = {
    "bar": "a bar a row; rows of one x are stacked by color",
    "grouped": "a bar a row; rows of one x stand side by side, told apart by color",
    "line": "a point a row, joined along x; a line for each color",
    "heat": "a field a row at x and y; its shade is color",
}
PLACES = ("x", "y", "color")
NEEDED = {"bar": ("x", "y"), "grouped": PLACES, "line": ("x", "y"), "heat": PLACES}
WORD = re.compile(r"(\w+)=(\w+)")


class ChartError(ValueError):
    """A chart line cannot be used as written."""


@dataclass(frozen=True)
class ChartHeader:
    """Kind of the chart, and the columns it draws."""

    kind: str
    x: str
    y: str
    color: str | None = None

    @property
    def columns(self) -> list[str]:
        """Name the columns it draws."""
        return [name for name in (self.x, self.y, self.color) if name]

    @property
    def value(self) -> str:
        """Column whose numbers are drawn."""
        return self.color if self.kind == "heat" and self.color else self.y

    def check(self, columns: tuple[str, ...], where: str) -> None:
        """Raise ChartError when an answer lacks a column."""
        missing = [name for name in self.columns if name not in columns]
        if missing:
            raise ChartError(
                f"{where}: the chart draws {', '.join(missing)}, the answer has {', '.join(columns)}. "
                "Repair: correct the line `-- chart:`."
            )


def parse_chart(text: str, where: str) -> ChartHeader:
    """Read the line behind `-- chart:`; every fault is named in one error."""
    kind, *words = text.split()
    faults = [] if kind in KINDS else [f"{kind!r} is none of {', '.join(KINDS)}"]
    found = [WORD.fullmatch(word) for word in words]
    faults += [
        f"{word!r} is not <place>=<column>" for word, pair in zip(words, found, strict=True) if not pair
    ]
    places = [(pair[1], pair[2]) for pair in found if pair]
    given = dict(places)
    faults += [f"{place!r} is none of {', '.join(PLACES)}" for place in given if place not in PLACES]
    faults += ["a place is given twice"] if len(given) < len(places) else []
    faults += [f"{place} is not given" for place in NEEDED.get(kind, ()) if place not in given]
    if faults:
        raise ChartError(
            f"{where}: the line `-- chart: {text}` cannot be used: {'; '.join(faults)}. "
            "Repair: write `-- chart: bar|grouped|line|heat x=<column> y=<column> [color=<column>]`."
        )
    return ChartHeader(kind, given["x"], given["y"], given.get("color"))
