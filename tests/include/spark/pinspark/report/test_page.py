"""The page as a text: what it shows, what it masks, and that nothing in it is more than text."""

import json
import re
from datetime import date
from html.parser import HTMLParser

import pytest

from pinspark.report.answers import Answer
from pinspark.report.masking import masked, masked_line, personal_columns
from pinspark.report.page import Material, Subject, render
from pinspark.report.sections import Section, SectionError, _section, overview, questions
from pinspark.report.tables import MOST_SHOWN, table

NAMES = {
    "silver": "`s`",
    "gold": "`g`",
    "ops": "`o`",
    "days": "post_date = DATE'2022-10-15'",
    "run": "0123456789ab",
}
HOSTILE = "<script>alert('x')</script> =cmd() \u05e9\u05dc\u05d5\u05dd \U0001f600"
SUBJECT = Subject("manual__<b>run</b>", date(2022, 10, 15), date(2022, 10, 16), "2022-10-16 00:00:00 UTC")


class Tags(HTMLParser):
    """Every element with its attributes, and the text of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def overviews(**changes: Answer) -> dict[str, Answer]:
    return {
        "headline": Answer(("posts", "newest_post"), ((11154, "2022-10-15 01:02:03"),)),
        "ledger": Answer(("source_table", "selected"), (("pin", 371),)),
        "quality": Answer(("source_table", "rule", "action", "rows", "failed", "detail"), ()),
        "quarantine": Answer(("source_table", "ind", "kind", "reasons", "raw"), ()),
        **changes,
    }


def page(stages: list[tuple[str, int, float]] | None = None, **answers: Answer) -> str:
    asked = [section for section in questions(NAMES) if section.name in answers]
    return render(SUBJECT, Material(asked, overview(NAMES), overviews(**answers), stages or []))


def test_a_page_needs_nothing_but_itself() -> None:
    answer = Answer(("country", "category", "category_count"), (("Chad", "art", 3),))
    tags = Tags(page(top_category_by_country=answer)).found
    assert not {"script", "iframe", "object", "img", "form", "base"} & {tag for tag, _ in tags}
    loaded = [attrs.get("href") or attrs.get("src") or "" for tag, attrs in tags if tag != "a"]
    assert set(loaded) <= {"", "data:,"}
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]


def test_hostile_values_are_text() -> None:
    answer = Answer(("country", "category", "category_count"), ((HOSTILE, HOSTILE, 3),))
    raw = json.dumps({"index": 1, "title": HOSTILE})
    refused = Answer(("source_table", "ind", "kind", "reasons", "raw"), (("pin", 1, "own", HOSTILE, raw),))
    shown = page(top_category_by_country=answer, quarantine=refused)
    tags = Tags(shown)
    assert "script" not in {tag for tag, _ in tags.found}
    assert tags.text.count(HOSTILE) >= 3
    assert "manual__<b>run</b>" in tags.text


def test_statement_table_and_chart_of_a_question_stand_together() -> None:
    answer = Answer(("post_year", "category", "category_count"), ((2018, "art", 3), (2019, None, 12_345)))
    shown = page(top_category_by_year=answer)
    (part,) = re.findall(r'<section class="question".*?</section>', shown, re.DOTALL)
    assert 'data-chart="bar" data-marks="2"' in part
    assert "FROM `g`.post_wide" in part
    assert "-- grain" not in part
    assert '<data value="12345">12345</data>' in part
    assert '<td class="null">none</td>' in part


def test_broken_numbers_are_rounded_and_keep_their_value() -> None:
    answer = Answer(("post_year", "post_count", "video_count", "video_share"), ((2018, 7, 1, 1 / 7),))
    assert f'<data value="{1 / 7!r}">0.1429</data>' in page(video_share_by_year=answer)


def test_broken_rules_stand_at_the_top_and_none_is_said() -> None:
    columns = ("source_table", "rule", "action", "rows", "failed", "detail")
    assert "No rule of the audit was broken" in page()
    broken = page(
        quality=Answer(columns, (("pin", "sums", "fail", 9, 2, "x"), ("geo", "types", "fail", 9, 0, "x")))
    )
    assert "pin: sums (fail): 2 of 9 rows" in broken
    assert "geo: types" not in broken
    assert "No rule of the audit was broken" not in broken


def test_a_long_table_shows_both_ends_and_says_so() -> None:
    shown = table(Answer(("n",), tuple((n,) for n in range(100))))
    assert len(shown.rows) == MOST_SHOWN
    assert (shown.rows[0][0].value, shown.rows[-1][0].value) == ("0", "99")
    assert shown.remarks == ["The first and the last 12 of 100 rows are shown."]
    assert table(Answer(("n",), ())).remarks == ["No rows."]


def test_run_times_are_shown_when_they_are_known() -> None:
    assert 'id="stages"' not in page()
    assert '<data value="20.1">20.1</data>' in page([("clean", 3, 20.1)])


def test_contracts_say_what_is_personal() -> None:
    assert personal_columns() == {"poster_name", "user_name", "age", "date_joined"}
    hidden = masked(Answer(("country", "poster_name"), (("Chad", "Ann"), ("Cuba", None))), personal_columns())
    assert hidden.rows == (("Chad", "***"), ("Cuba", None))


@pytest.mark.parametrize(
    ("source_table", "raw", "shown"),
    [
        (
            "pin",
            '{"index": 1, "title": "t", "poster_name": "Ann"}',
            '{"index": 1, "title": "t", "poster_name": "***"}',
        ),
        ("pin", '{"surname": "Lee"}', '{"surname": "***"}'),
        ("pin", '{"title": {"of": "Ann"}}', '{"title": "***"}'),
        (
            "user",
            '{"ind": 1, "first_name": "Ann", "age": 20}',
            '{"ind": 1, "first_name": "***", "age": "***"}',
        ),
        ("geo", "Ann Lee", "*** (7 characters)"),
        ("geo", '["Ann"]', "*** (7 characters)"),
        ("nobody", '{"title": "Ann"}', "*** (16 characters)"),
        ("geo", None, "*** (0 characters)"),
    ],
)
def test_a_refused_line_shows_only_what_its_contract_calls_open(
    source_table: str, raw: str, shown: str
) -> None:
    assert masked_line(source_table, raw) == shown


def test_a_question_of_ones_own_needs_no_chart_and_a_view_is_not_shown() -> None:
    text = "-- What.\n-- grain: one row\n-- materialize: table\nSELECT 1 AS n FROM {{ gold }}.post_wide\n"
    section, kept = _section("own.sql", text, NAMES)
    assert section == Section("own", "What", "one row", "SELECT 1 AS n FROM `g`.post_wide", "`g`.`own`")
    assert kept == "table"
    assert not [each.name for each in questions(NAMES) if each.name.endswith("_ranked")]
    assert all(each.chart for each in questions(NAMES))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- What.\nSELECT 1\n", "no header line `-- grain"),
        ("-- What.\n-- grain: one row\nSELECT {{ x }}\n", "names x"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_repair(text: str, said: str) -> None:
    with pytest.raises(SectionError, match=r"own\.sql.*Repair: ") as error:
        _section("own.sql", text, NAMES)
    assert said in str(error.value)
