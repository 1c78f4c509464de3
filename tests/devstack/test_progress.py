import io
from datetime import UTC, date, datetime, timedelta

import pytest
from rich.console import Console

from devstack import progress
from devstack.airflow_api import Run, Task

START = datetime(2022, 10, 15, tzinfo=UTC)
TABLES = ("pin", "geo", "user")
EDGES = {
    "wait_for_posts": ["select_posts"],
    "select_posts": [f"emulate.{t}" for t in TABLES],
    "upload_code": [f"clean.{t}" for t in TABLES],
    **{f"emulate.{t}": [f"clean.{t}"] for t in TABLES},
    **{f"clean.{t}": ["audit"] for t in TABLES},
    "audit": [],
}


def day(number):
    return (START + timedelta(days=number)).date()


def run(number, state, seconds=40.0):
    end = START + timedelta(seconds=seconds) if state in ("success", "failed") else None
    start = None if state == "queued" else START
    return Run("d", f"run {number}", state, START + timedelta(days=number), START, start, end, {})


def task(number, task_id, state="success", start=0.0, end=2.0, index=-1):
    moments = [None if at is None else START + timedelta(seconds=at) for at in (start, end)]
    return Task(f"run {number}", task_id, index, state, 1, *moments, 0.0)


def board(days=3, edges=EDGES):
    return progress.Board(edges, [day(number) for number in range(days)])


def test_stages_are_groups_and_lone_tasks_in_the_order_of_their_starts():
    assert list(progress.stages(EDGES).items()) == [
        ("wait_for_posts", 1),
        ("upload_code", 1),
        ("select_posts", 1),
        ("emulate", 3),
        ("clean", 3),
        ("audit", 1),
    ]


def test_a_heading_is_the_first_word_unless_two_stages_share_it():
    assert progress.headings(["wait_for_posts", "check_lake", "check_sink"]) == {
        "wait_for_posts": "wait",
        "check_lake": "check_lake",
        "check_sink": "check_sink",
    }


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([], ""),
        (["success", "running"], "running"),
        (["success", "success"], "running"),  # the third has not begun
        (["success", "success", "success"], "success"),
        (["skipped", "skipped", "skipped"], "skipped"),
        (["success", "skipped", "deferred"], "running"),
        (["success", "up_for_retry", "success"], "retry"),
        (["failed", "up_for_retry", "running"], "failed"),
        (["upstream_failed", "success", "success"], "not run"),
    ],
)
def test_a_stage_is_what_its_tasks_are(states, shown):
    found = board()
    tasks = [task(0, f"emulate.{t}", state) for t, state in zip(TABLES, states, strict=False)]
    found.take([run(0, "running")], tasks)
    assert found.cell(day(0), "emulate").state == shown


def test_a_stage_takes_from_its_first_start_to_its_last_end():
    found = board()
    spans = ((1.0, 3.0), (0.5, 2.0), (4.0, 9.0))
    found.take(
        [run(0, "running")],
        [task(0, f"emulate.{t}", start=a, end=b) for t, (a, b) in zip(TABLES, spans, strict=True)],
    )
    assert found.cell(day(0), "emulate") == progress.Cell("success", 3, 8.5)


def test_mapped_tasks_are_done_when_all_are():
    found = board()
    found.take(
        [run(0, "running")], [task(0, "audit", index=0), task(0, "audit", "running", end=None, index=1)]
    )
    assert found.cell(day(0), "audit").state == "running"
    found.take([], [task(0, "audit", index=1)])
    assert found.cell(day(0), "audit").state == "success"


def drawn(found, height=40, width=120):
    """The table as a terminal of that size shows it."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=width, height=height, color_system=None)
    with progress.view(found, print, console) as view:
        view.show()
    return output.getvalue()


def rows(text):
    """The rows of the last picture, by day."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.lstrip()[:3] == "202"}


def test_a_terminal_shows_days_by_stages_with_seconds_states_and_counts():
    found = board()
    done = [task(0, name) for name in EDGES]
    at_work = [task(1, "wait_for_posts"), task(1, "select_posts", end=0.4), task(1, "emulate.pin")]
    found.take([run(0, "success", 41.2), run(1, "running"), run(2, "queued")], [*done, *at_work])
    text = drawn(found)
    assert rows(text)["2022-10-15"] == ["2.0"] * 6 + ["41.2"]
    assert rows(text)["2022-10-16"][:3] == ["2.0", "0.4", "1/3"]
    assert rows(text)["2022-10-17"] == ["queued"]
    assert "3 days: 1 queued, 1 running, 1 success" in text


def test_a_failed_stage_and_its_day_stand_out():
    found = board(1)
    bad = [task(0, "emulate.pin", "failed"), task(0, "clean.pin", "upstream_failed")]
    found.take([run(0, "failed")], [task(0, "wait_for_posts"), *bad])
    assert rows(drawn(found))["2022-10-15"] == ["2.0", "failed", "not", "run", "failed"]


def test_the_table_fits_into_80_columns():
    stages = (
        "wait_for_posts",
        "upload_spark_code",
        "select_posts",
        "emulate",
        "land",
        "clean",
        "audit",
        "publish",
    )
    edges = {name: [] for name in (*stages, "analytics")}
    found = board(1, edges)
    found.take([run(0, "success", 148.4)], [task(0, name, end=53.7) for name in edges])
    text = drawn(found, width=80)
    assert rows(text)["2022-10-15"] == ["53.7"] * 9 + ["148.4"]
    for word in (
        "wait",
        "upload",
        "select",
        "emulate",
        "land",
        "clean",
        "audit",
        "publish",
        "analytics",
        "run",
    ):
        assert word in text


@pytest.mark.parametrize("height", [20, 60])
def test_of_many_days_those_at_work_and_the_failed_ones_are_shown_the_rest_as_numbers(height):
    found = board(200)
    states = {3: "failed", 50: "running", 51: "running", **dict.fromkeys(range(3), "success")}
    found.take([run(number, states.get(number, "queued")) for number in range(200)])
    text = drawn(found, height)
    assert list(rows(text)) == [str(day(number)) for number in (3, 50, 51)]
    assert "200 days: 1 failed, 194 queued, 2 running, 3 success" in " ".join(text.split())


def test_the_table_fits_its_terminal_however_many_days_failed():
    found = board(500)
    found.take([run(number, "failed") for number in range(499)] + [run(499, "running")])
    text = drawn(found, height=24)
    shown = list(rows(text))
    assert 10 < len(shown) <= 24 - progress.ROOM
    assert str(day(499)) in shown


def lines(found, *looks):
    said = []
    view = progress.Lines(found, said.append)
    for some_runs, some_tasks in looks:
        found.take(some_runs, some_tasks)
        view.show()
    return said


def test_no_terminal_gets_each_end_as_a_line_once():
    first = [run(0, "running")], [task(0, "wait_for_posts")]
    last = [run(0, "success")], [task(0, "wait_for_posts"), task(0, "audit", end=3.5)]
    assert lines(board(), first, first, last) == [
        "  2022-10-15  wait       success      2.0 s",
        "  2022-10-15  audit      success      3.5 s",
        "  2022-10-15  whole run  success     40.0 s  (1/3)",
    ]


def test_of_many_days_only_their_ends_are_lines():
    ended = [run(0, "failed")], [task(0, "wait_for_posts")]
    assert lines(board(31), ended) == ["  2022-10-15  whole run  failed      40.0 s  (1/31)"]


def test_a_pipe_gets_lines():
    with progress.view(board(), print, Console(file=io.StringIO())) as view:
        assert isinstance(view, progress.Lines)


def test_days_per_minute_count_what_has_ended(monkeypatch):
    found = board()
    found.take([run(0, "success"), run(1, "failed"), run(2, "running")])
    monkeypatch.setattr(progress.time, "monotonic", lambda: found.begun + 30)
    assert found.per_minute() == 4.0
    assert found.counts() == {"success": 1, "failed": 1, "running": 1}
    assert date(2022, 10, 15) in found.runs
