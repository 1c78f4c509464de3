"""How far a backfill is: its days by the stages of the DAG, as a table that redraws itself or as lines."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from graphlib import TopologicalSorter
from typing import Protocol

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from devstack.airflow_api import Run, Task

FEW = 30  # so many days are shown one by one; of more those at work, the rest as numbers
ROOM = 7  # lines of a terminal that head, foot and prompt take
WHOLE = "whole run"
DONE = ("success", "skipped")
STYLES = {"success": "green", "failed": "bold red", "retry": "yellow", "not run": "dim", "running": "cyan"}


def stage_of(task_id: str) -> str:
    """Return a task's stage: its group, or itself."""
    return task_id.split(".")[0]


def stages(edges: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return {stage: how many tasks} by when they can start; of two at once the longer way first."""
    before: dict[str, set[str]] = {task: set() for task in edges}
    for task, behind in edges.items():
        for each in behind:
            before[each].add(task)
    depth: dict[str, int] = {}
    height: dict[str, int] = {}
    order = list(TopologicalSorter(before).static_order())
    for task in order:
        depth[task] = 1 + max((depth[each] for each in before[task]), default=0)
    for task in reversed(order):
        height[task] = 1 + max((height[each] for each in edges[task]), default=0)
    return Counter(stage_of(task) for task in sorted(order, key=lambda t: (depth[t], -height[t], t)))


def headings(names: Iterable[str]) -> dict[str, str]:
    """Shorten stages to their first word where that is theirs alone."""
    words = Counter(name.split("_")[0] for name in names)
    return {name: name.split("_")[0] if words[name.split("_")[0]] == 1 else name for name in names}


@dataclass(frozen=True)
class Cell:
    """One stage of one day: its state, how many of its tasks have ended, and its seconds so far."""

    state: str
    ended: int
    seconds: float


NOTHING = Cell("", 0, 0.0)


class Board:
    """What is known of the runs of a backfill and of their tasks."""

    def __init__(self, edges: Mapping[str, Iterable[str]], days: list[date]) -> None:
        self.stages = stages(edges)
        self.headings = headings(self.stages)
        self.days = days
        self.runs: dict[date, Run] = {}
        self.begun = time.monotonic()
        self._tasks: dict[str, dict[tuple[str, int], Task]] = defaultdict(dict)

    def take(self, runs: Iterable[Run], tasks: Iterable[Task] = ()) -> None:
        """Note what has changed."""
        self.runs |= {run.logical_date.date(): run for run in runs if run.logical_date}
        for task in tasks:
            self._tasks[task.run_id][task.task_id, task.map_index] = task

    def cell(self, day: date, stage: str) -> Cell:
        """Return a stage's state on a day."""
        run = self.runs.get(day)
        found = self._tasks[run.run_id].values() if run and run.run_id in self._tasks else ()
        tasks = [task for task in found if stage_of(task.task_id) == stage]
        if not tasks:
            return NOTHING
        ended = [task for task in tasks if task.state in DONE]
        return Cell(self._state(tasks, len(ended), self.stages[stage]), len(ended), _span(tasks))

    @staticmethod
    def _state(tasks: list[Task], ended: int, due: int) -> str:
        states = {task.state for task in tasks}
        for state, shown in (("failed", "failed"), ("up_for_retry", "retry"), ("upstream_failed", "not run")):
            if state in states:
                return shown
        if ended < len(tasks) or ended < due:
            return "running"
        return "success" if "success" in states else "skipped"

    def counts(self) -> Counter[str]:
        """Count the days by the state of their run."""
        return Counter(run.state if (run := self.runs.get(day)) else "queued" for day in self.days)

    def per_minute(self) -> float:
        """Return how many days have ended in a minute so far."""
        ended = sum(run.ended for run in self.runs.values())
        return 60 * ended / max(time.monotonic() - self.begun, 1e-3)


def _span(tasks: list[Task]) -> float:
    """Seconds from the first start to the last end, or to now while one is at work."""
    starts = [task.start for task in tasks if task.start]
    if not starts:
        return 0.0
    now = datetime.now(UTC)
    return (max(task.end or now for task in tasks if task.start) - min(starts)).total_seconds()


class View(Protocol):
    """Somewhere a board is shown."""

    def show(self) -> None:
        """Show what has changed."""


class Lines:
    """A line for each stage that ends, as long as the days are few, and for each run that ends."""

    def __init__(self, board: Board, say: Callable[[str], None]) -> None:
        self._board, self._say = board, say
        self._shown: set[tuple[date, str, str]] = set()
        self._width = max(map(len, (*board.headings.values(), WHOLE)))

    def show(self) -> None:
        """Print what has ended since the last time."""
        board = self._board
        for day in board.days:
            for stage in board.stages if len(board.days) <= FEW else ():
                cell = board.cell(day, stage)
                if cell.state not in ("", "running", "not run"):
                    self._line(day, board.headings[stage], cell.state, cell.seconds)
            if (run := board.runs.get(day)) and run.ended:
                self._line(day, WHOLE, run.state, run.seconds)

    def _line(self, day: date, what: str, state: str, seconds: float) -> None:
        if (day, what, state) in self._shown:
            return
        self._shown.add((day, what, state))
        done = sum(name == WHOLE for _, name, _ in self._shown)
        of_all = f"  ({done}/{len(self._board.days)})" if what == WHOLE else ""
        self._say(f"  {day}  {what:<{self._width}}  {state:<8} {seconds:7.1f} s{of_all}")


class LiveTable:
    """A table that redraws itself in place."""

    def __init__(self, board: Board, live: Live) -> None:
        self._board, self._live = board, live

    def show(self) -> None:
        """Draw the table anew."""
        self._live.update(self.table(), refresh=True)

    def table(self) -> Table:
        """Lay out the days by stages: seconds of what is done, the state of what is not."""
        board = self._board
        table = Table(box=box.SIMPLE, padding=0, show_edge=False)  # it fits into 80 columns
        table.add_column("day", no_wrap=True)
        for stage in board.stages:
            table.add_column(board.headings[stage], justify="right", no_wrap=True)
        table.add_column("run", justify="right", no_wrap=True)
        for day in self._days():
            cells = (self._text(board.cell(day, stage), board.stages[stage]) for stage in board.stages)
            table.add_row(str(day), *cells, self._run(board.runs.get(day)))
        counts = board.counts()
        shown = ", ".join(f"{counts[state]} {state}" for state in sorted(counts))
        table.caption = f"{len(board.days)} days: {shown}; seconds by stage"
        return table

    def _days(self) -> list[date]:
        """Choose the days to show: all of few, else those at work and the failed ones."""
        board = self._board
        room = max(min(FEW, self._live.console.height - ROOM), 1)
        if len(board.days) <= room:
            return board.days
        states = {day: run.state for day, run in board.runs.items()}
        chosen = sorted(
            (day for day in board.days if states.get(day) in ("running", "failed")),
            key=lambda day: states[day] != "running",
        )
        return sorted(chosen[:room], key=board.days.index)

    @staticmethod
    def _text(cell: Cell, due: int) -> Text:
        if cell.state == "success":
            return Text(f"{cell.seconds:.1f}", STYLES[cell.state])
        so_far = f"{cell.ended}/{due}" if due > 1 else f"{cell.seconds:.0f}…"
        return Text(so_far if cell.state == "running" else cell.state, STYLES.get(cell.state, ""))

    @staticmethod
    def _run(run: Run | None) -> Text:
        if run is None or run.state == "queued":
            return Text("queued", "dim")
        shown = "failed" if run.state == "failed" else f"{run.seconds:.1f}"
        return Text(shown, STYLES.get(run.state, ""))


@contextmanager
def view(board: Board, say: Callable[[str], None], console: Console | None = None) -> Iterator[View]:
    """Show a board as a table on a terminal, as lines elsewhere."""
    console = console or Console(highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(board, say)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield LiveTable(board, live)
