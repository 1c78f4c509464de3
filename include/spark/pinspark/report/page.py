"""The report of a run as one HTML text that needs nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from pinspark.report.answers import Answer
from pinspark.report.charts import draw
from pinspark.report.masking import masked, masked_lines, personal_columns
from pinspark.report.resources import texts
from pinspark.report.sections import Section
from pinspark.report.tables import Shown, counted, table, tile

HEADLINE, LEDGER, QUALITY, QUARANTINE = "headline", "ledger", "quality", "quarantine"
# the rules of the audit are shown one by one
MOST_RULES = 100


@dataclass(frozen=True)
class Subject:
    """What the report is about: the run, its window, the end itself excluded, and when it is made."""

    dag_run: str
    first_day: date
    end_day: date
    made: str

    @property
    def window(self) -> str:
        """Its days, both included."""
        last = self.end_day - timedelta(days=1)
        return str(self.first_day) if last == self.first_day else f"{self.first_day} to {last}"


@dataclass(frozen=True)
class Material:
    """Everything the page shows: questions and overview with their answers, and seconds by stage."""

    questions: list[Section]
    overview: Mapping[str, Section]
    answers: Mapping[str, Answer]
    stages: list[tuple[str, int, float]]


def render(subject: Subject, material: Material) -> str:
    """Render the page; every value is escaped, only our own style and drawings are not."""
    files = texts("page")
    loader = DictLoader({"page": files["page.html.j2"]})
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    answers, personal = material.answers, personal_columns()
    return environment.get_template("page").render(
        facts={"window": subject.window, "run": subject.dag_run, "made": subject.made},
        style=Markup(files["style.css"]),  # noqa: S704 - a file of ours
        alarms=alarms(answers[QUALITY]),
        tiles=tiles(answers[HEADLINE]),
        headline=material.overview[HEADLINE],
        questions=[_question(part, answers[part.name], personal) for part in material.questions],
        overview=[_overview(material, name, personal) for name in (LEDGER, QUALITY, QUARANTINE)],
        stages=_stages(material.stages),
    )


def tiles(answer: Answer) -> list[dict[str, str]]:
    """Headline numbers: the columns of one row."""
    return [tile(name, value) for name, value in zip(answer.columns, answer.rows[0], strict=True)]


def alarms(quality: Answer) -> list[str]:
    """Say which rules of the audit were broken."""
    places = [quality.columns.index(name) for name in ("source_table", "rule", "action", "rows", "failed")]
    found = (tuple(row[place] for place in places) for row in quality.rows)
    return [
        f"{t}: {rule} ({action}): {failed} of {rows} rows"
        for t, rule, action, rows, failed in found
        if failed
    ]


def _question(section: Section, answer: Answer, personal: frozenset[str]) -> dict[str, Any]:
    hidden = masked(answer, personal)
    drawn = draw(section.chart, hidden, section.name) if section.chart else None
    return {
        **_said(section),
        "count": counted(answer),
        "shown": table(hidden, personal),
        "kind": section.chart.kind if section.chart else "",
        "svg": Markup(drawn.svg) if drawn else "",  # noqa: S704 - vl-convert escapes the texts in it
        "marks": drawn.marks if drawn else 0,
        "remarks": drawn.remarks if drawn else (),
    }


def _overview(material: Material, name: str, personal: frozenset[str]) -> dict[str, Any]:
    answer = material.answers[name]
    shown = masked_lines(answer) if name == QUARANTINE else masked(answer, personal)
    return {**_said(material.overview[name]), "shown": table(shown, most=MOST_RULES)}


def _said(section: Section) -> dict[str, Any]:
    words = ("name", "title", "doc", "grain", "sql", "table")
    return {word: getattr(section, word) for word in words}


def _stages(stages: list[tuple[str, int, float]]) -> Shown | None:
    if not stages:
        return None
    return table(Answer(("stage", "tasks", "seconds"), tuple(stages)))
