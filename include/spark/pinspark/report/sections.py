"""What the report shows, one section a SQL file: its title, its statement as asked, and its chart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pinspark.report.chart_header import ChartHeader, parse_chart
from pinspark.report.resources import texts

HEADER = re.compile(r"^-- (\w+): (.+)$", re.MULTILINE)
NAME = re.compile(r"\{\{ (\w+) \}\}")


class SectionError(ValueError):
    """A SQL file of the report cannot be used as written."""


@dataclass(frozen=True)
class Section:
    """One statement with what its header says of it."""

    name: str
    doc: str
    grain: str
    sql: str
    table: str = ""  # where its rows are kept; by itself the statement is asked
    chart: ChartHeader | None = None

    @property
    def title(self) -> str:
        """Its name as words."""
        words = self.name.replace("_", " ")
        return words[:1].upper() + words[1:]


def questions(names: Mapping[str, str]) -> list[Section]:
    """List the questions that have tables; a view repeats a table's question with all that tie."""
    found = [_section(file, text, names) for file, text in texts("questions").items()]
    return [section for section, kept in found if kept != "view"]


def overview(names: Mapping[str, str]) -> dict[str, Section]:
    """Give the statements about the run and the lake as a whole, by name."""
    found = [_section(file, text, names)[0] for file, text in texts("sections").items()]
    return {section.name: section for section in found}


def _section(file: str, text: str, names: Mapping[str, str]) -> tuple[Section, str]:
    """Read a file; return its section and how it is materialised, if it is."""
    said = dict(HEADER.findall(text))
    name, kept = file.removesuffix(".sql"), said.get("materialize", "")
    if "grain" not in said:
        raise SectionError(f"{file} has no header line `-- grain: ...`. Repair: add it to the file's header.")
    chart = parse_chart(said["chart"], file) if "chart" in said else None
    doc = text.split("\n", 1)[0].removeprefix("-- ").rstrip(".")
    table = f"{names['gold']}.`{name}`" if kept else ""
    return Section(name, doc, said["grain"], _rendered(_body(text), names, file), table, chart), kept


def _body(text: str) -> str:
    """Leave out the header, which the section says in words."""
    lines = text.strip().splitlines()
    return "\n".join(line for number, line in enumerate(lines) if not _in_header(lines, number))


def _in_header(lines: list[str], number: int) -> bool:
    return all(line.startswith("--") for line in lines[: number + 1])


def _rendered(sql: str, names: Mapping[str, str], file: str) -> str:
    unknown = sorted(set(NAME.findall(sql)) - set(names))
    if unknown:
        raise SectionError(
            f"{file} names {', '.join(unknown)}, which the report does not know. "
            f"Repair: use {', '.join(sorted(names))}."
        )
    return NAME.sub(lambda found: names[found[1]], sql)
