"""Living data: posts come at their rate, dated now, in all three tables at once, and none twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mysql.connector
import pytest

from devstack import source, supervise
from devstack.config import REPO, Settings
from devstack.errors import StackError
from devstack.source import live
from devstack.source.generate import Generator, Plan
from devstack.source.live import BLOCK, Live, Pace, Posts, insert
from devstack.source.load import connected, is_passing
from tests.devstack.sources import contents, database

NOW = datetime(2026, 3, 1, 12, 0, 0)


def test_a_post_depends_on_its_id_alone() -> None:
    whole = Posts().chunk(BLOCK - 20, 40, NOW)
    again = Posts()
    parts = [again.chunk(BLOCK + 3, 17, NOW), again.chunk(BLOCK - 20, 23, NOW)]
    assert whole.pins == [*parts[1].pins, *parts[0].pins]
    assert whole.geos == [*parts[1].geos, *parts[0].geos]
    assert whole.users == [*parts[1].users, *parts[0].users]
    assert [row[0] for row in whole.pins] == list(range(BLOCK - 20, BLOCK + 20))
    assert {row[1] for row in whole.geos} == {NOW}


def test_posts_have_the_generators_distributions_in_a_mixed_order() -> None:
    posts = Posts().chunk(2 * BLOCK, BLOCK, NOW)
    assert len({pin[1] for pin in posts.pins}) == BLOCK
    assert len({pin[11] for pin in posts.pins[:200]}) == 13
    assert 100 * sum(pin[7] == "image" for pin in posts.pins) / BLOCK == pytest.approx(90, abs=0.5)
    assert all(user[4] < NOW for user in posts.users)


def test_names_of_accounts_meet_neither_the_seed_nor_another_block() -> None:
    seeded = {pin[4] for chunk in Generator(Plan(posts=BLOCK)).chunks() for pin in chunk.pins}
    blocks = [{pin[4] for pin in Posts().chunk(n * BLOCK, BLOCK, NOW).pins} for n in (1, 2, 3)]
    for one, other in ((seeded, blocks[0]), (blocks[0], blocks[1]), (blocks[1], blocks[2])):
        assert one & other <= {"User Info Error"}


def test_a_poster_of_a_block_is_one_user_but_for_shared_names() -> None:
    seen = defaultdict(set)
    posts = Posts().chunk(BLOCK, BLOCK, NOW)
    for pin, user in zip(posts.pins, posts.users, strict=True):
        seen[pin[4]].add(user[1:])
    assert sum(len(users) > 1 for users in seen.values()) <= 4


@pytest.mark.parametrize(
    ("rate", "now", "made", "due"),
    [
        (60, 0.0, 0, 0),
        (60, 0.01, 0, 1),
        (60, 1.5, 1, 1),
        (60, 9.5, 3, 7),
        (60, 99.0, 3, 7),
        (1, 5.0, 1, 0),
        (60_000, 9.0, 0, 2_000),
    ],
)
def test_the_pace_says_how_many_are_due(rate: int, now: float, made: int, due: int) -> None:
    assert Pace(rate, begun=0.0, until=10.0, made=made).due(now) == due


@pytest.mark.parametrize(
    ("rate", "now", "made", "pause"),
    [(60, 0.2, 1, 1.0), (6, 0.5, 1, 9.5), (1, 0.5, 1, 19.5), (60, 25.0, 9, 0.0)],
)
def test_the_pause_lasts_until_the_next_is_due_or_the_end(
    rate: int, now: float, made: int, pause: float
) -> None:
    assert Pace(rate, begun=0.0, until=20.0, made=made).pause(now) == pytest.approx(pause)


@pytest.mark.parametrize(("asked", "said"), [("x", "LIVE=x is not a whole"), ("0", "between 1 and 60000")])
def test_a_wrong_rate_is_told_with_its_repair(asked: str, said: str) -> None:
    with pytest.raises(StackError, match=rf"{said}.*Repair: "):
        source.rate(asked)


def test_errors_that_pass_are_told_from_those_that_stay() -> None:
    passing = [
        mysql.connector.OperationalError(errno=2013, msg="lost"),
        mysql.connector.DatabaseError(errno=1213, msg="deadlock"),
        mysql.connector.OperationalError("MySQL Connection not available."),
        mysql.connector.errors.ReadTimeoutError("slow"),
        ConnectionResetError(),
    ]
    staying = [
        mysql.connector.ProgrammingError(errno=1146, msg="no table"),
        mysql.connector.InterfaceError("no result set"),
        FileNotFoundError(),
        StackError("another seed"),
    ]
    assert [is_passing(error) for error in [*passing, *staying]] == [True] * 5 + [False] * 4


def test_a_source_that_was_never_there_is_an_error_at_once() -> None:
    with pytest.raises(StackError, match=r"does not answer.*Repair: "):
        insert(Settings(mysql_port=9), 60, 5)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with database(tmp_path_factory.mktemp("live"), 2600) as made:
        yield made


def ids(settings: Settings) -> list[int]:
    """Ids of the source, which all three tables must share."""
    pins, geos, users = ([row[0] for row in rows] for rows in contents(settings))
    assert pins == geos == users
    return pins


@pytest.mark.stack
def test_posts_dated_now_follow_the_highest_id(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    source.seed(settings, posts=50)
    before = contents(settings)
    begun = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    assert insert(settings, 600, 2.0) == 20
    ended = datetime.now(UTC).replace(tzinfo=None)
    assert ids(settings) == list(range(70))
    after = contents(settings)
    assert [rows[:50] for rows in after] == before
    times = [row[1] for row in after[1][50:]]
    assert begun <= min(times) <= max(times) <= ended
    made = Posts().chunk(50, 20, NOW)
    assert after[0][50:] == made.pins
    assert after[2][50:] == made.users
    assert "inserted 20 posts; newest id 69" in capsys.readouterr().out


@pytest.mark.stack
def test_an_empty_source_is_begun_with_id_zero(settings: Settings) -> None:
    with connected(settings) as cursor:
        cursor.execute("DROP TABLE IF EXISTS pinterest_data, geolocation_data, user_data")
    assert insert(settings, 60, 0.5) == 1
    assert ids(settings) == [0]


@pytest.mark.stack
def test_progress_is_told_while_it_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    source.seed(settings, posts=5)
    monkeypatch.setattr(live, "TELL_EVERY", 0.5)
    said: list[str] = []
    insert(settings, 60, 2.2, said.append)
    assert "inserting 60 posts a minute, dated now, for 2.2 s" in said[0]
    assert any("so far; newest id" in line for line in said[1:-1])


@pytest.mark.stack
def test_ctrl_c_ends_it_with_its_count(settings: Settings) -> None:
    source.seed(settings, posts=5)
    environment = {
        **os.environ,
        "DEVSTACK_STATE_DIR": str(settings.state_dir),
        "DEVSTACK_PORT_OFFSET": str(settings.port_offset),
    }
    command = [sys.executable, "-m", "devstack", "seed", "--live", "600"]
    running = subprocess.Popen(command, cwd=REPO, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 30
        while len(ids(settings)) < 10 and time.monotonic() < until:
            time.sleep(0.2)
        with pytest.raises(StackError, match=r"another seed .* LIVE .* Repair: "):
            source.seed(settings, posts=1)
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=10)
    finally:
        running.kill()
    assert running.returncode == 0
    count = len(ids(settings)) - 5
    assert count >= 5
    assert f"inserted {count} posts; newest id {count + 4}" in said


@pytest.mark.stack
def test_a_connection_that_is_cut_again_and_again_doubles_and_loses_nothing(settings: Settings) -> None:
    source.seed(settings, posts=5)
    said: list[str] = []
    running = Live(settings, 6_000, 8.0, said.append)
    cutter = threading.Thread(target=_cut_again_and_again, args=(settings, running))
    cutter.start()
    count = running.run()
    cutter.join()
    assert ids(settings) == list(range(5 + count))
    assert contents(settings)[0][5:] == Posts().chunk(5, count, NOW).pins
    assert any("the source database is away" in line for line in said)
    assert any("is back" in line for line in said)


def _cut_again_and_again(settings: Settings, running: Live) -> None:
    while not running.is_over:
        time.sleep(0.7)
        with connected(settings) as cursor:
            cursor.execute("SELECT IS_USED_LOCK('pinflow_seed')")
            (holder,) = cursor.fetchall()[0]
            if holder:
                cursor.execute(f"KILL CONNECTION {int(holder)}")


@pytest.mark.stack
@pytest.mark.parametrize("was_written", [True, False])
def test_a_batch_whose_end_is_unknown_is_looked_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, was_written: bool
) -> None:
    source.seed(settings, posts=5)
    monkeypatch.setattr(live, "AGAIN_AFTER", 0.1)
    failed: list[str] = []

    class Broken:
        """A cursor whose first COMMIT loses the connection, before or after the server did it."""

        def __init__(self, cursor: Any) -> None:
            self._cursor = cursor

        def __getattr__(self, name: str) -> Any:
            return getattr(self._cursor, name)

        def execute(self, statement: str, *given: Any) -> None:
            if statement == "COMMIT" and not failed:
                failed.append(statement)
                self._cursor.execute("COMMIT" if was_written else "ROLLBACK")
                raise mysql.connector.OperationalError(errno=2013, msg="Lost connection")
            self._cursor.execute(statement, *given)

    running = Live(settings, 60, 2.5, print)
    insert_as_ever = Live._insert
    monkeypatch.setattr(Live, "_insert", lambda self, cursor, n: insert_as_ever(self, Broken(cursor), n))
    count = running.run()
    assert failed == ["COMMIT"]
    assert ids(settings) == list(range(5 + count))
    assert count >= 2


@pytest.mark.stack
def test_a_database_that_restarts_is_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    source.seed(settings, posts=5)
    monkeypatch.setattr(live, "AGAIN_AFTER", 0.5)
    said: list[str] = []
    running = Live(settings, 600, None, said.append)
    counts: list[int] = []
    thread = threading.Thread(target=lambda: counts.append(running.run()))
    thread.start()
    try:
        time.sleep(1.5)
        (row,) = [row for row in supervise.status(settings) if row.name == "mysql"]
        assert row.pid
        os.kill(row.pid, signal.SIGKILL)
        _wait(lambda: any("is away" in line for line in said))
        supervise.up(settings, ["mysql"])
        _wait(lambda: any("is back" in line for line in said))
        so_far = running.total
        _wait(lambda: running.total > so_far)
    finally:
        running.stop.set()
        thread.join(30)
    assert ids(settings) == list(range(5 + counts[0]))


def _wait(happened: Any) -> None:
    until = time.monotonic() + 60
    while not happened() and time.monotonic() < until:
        time.sleep(0.1)
    assert happened()


@pytest.mark.stack
def test_ids_that_end_are_told_with_their_repair(settings: Settings, tmp_path: Path) -> None:
    source.seed(settings, posts=5)
    with connected(settings) as cursor:
        cursor.execute("UPDATE user_data SET ind = 2147483647 WHERE ind = 4")
    with pytest.raises(StackError, match=r"the ids end at 2147483647\. Repair: "):
        insert(settings, 60, 1)
