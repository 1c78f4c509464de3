"""A person's dump in the real database: read back as it was given, or nothing has changed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack import source
from devstack.config import REPO, Settings
from devstack.errors import StackError
from devstack.source.dump import Dump
from devstack.source.dump import load as load_dump
from devstack.source.generate import Generator, Plan
from devstack.source.load import TABLES, connected
from tests.devstack.dumps import FORMATS, TEXTS, TIME, as_csv, hostile, write
from tests.devstack.sources import contents, database

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with database(tmp_path_factory.mktemp("dump"), 2500) as made:
        yield made


def tables(settings: Settings) -> list[str]:
    with connected(settings) as cursor:
        cursor.execute("SHOW TABLES")
        return sorted(name for (name,) in cursor.fetchall())


@pytest.mark.parametrize("ending", FORMATS)
def test_a_hostile_dump_is_read_back_byte_by_byte(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    rows = hostile()
    told = load_dump(settings, str(write(tmp_path, ending, rows)))
    assert contents(settings) == rows
    assert tables(settings) == sorted(TABLES)
    printed = capsys.readouterr().out
    count = len(TEXTS)
    for words in (f"{count} rows of pinterest_data.{ending}", "from 2022-10-18 to 2022-10-18", told):
        assert words in printed
    with connected(settings) as cursor:
        cursor.execute("SELECT HEX(title) FROM pinterest_data ORDER BY `index`")
        assert [bytes.fromhex(text) for (text,) in cursor.fetchall()] == [text.encode() for text in TEXTS]


def test_all_formats_give_the_digest_of_the_seed_they_come_from(settings: Settings, tmp_path: Path) -> None:
    told = source.seed(settings, posts=3_000, random_seed=9)
    rows = contents(settings)
    for ending in FORMATS:
        assert load_dump(settings, str(write(tmp_path / ending, ending, rows))) == told
        assert contents(settings) == rows


def test_what_mysql_itself_writes_is_read_alike(settings: Settings, tmp_path: Path) -> None:
    rows = hostile()
    load_dump(settings, str(write(tmp_path, "jsonl", rows)))
    folder = tmp_path / "quoted"
    write(folder, "jsonl", rows)
    (folder / "user_data.jsonl").unlink()
    with connected(settings) as cursor:
        columns = "ind, QUOTE(first_name), QUOTE(last_name), QUOTE(age), QUOTE(date_joined)"
        cursor.execute(f"SELECT CONCAT('(', CONCAT_WS(',', {columns}), ')') FROM user_data ORDER BY ind")
        values = ",\n".join(text if isinstance(text, str) else text.decode() for (text,) in cursor.fetchall())
    (folder / "user_data.sql").write_text(
        f"INSERT INTO user_data (ind, first_name, last_name, age, date_joined) VALUES {values};\n",
        "utf-8",
        newline="",
    )
    load_dump(settings, str(folder))
    assert contents(settings) == rows


@pytest.mark.parametrize("ending", FORMATS)
def test_one_bad_line_at_the_end_changes_nothing(settings: Settings, tmp_path: Path, ending: str) -> None:
    source.seed(settings, posts=30)
    before = contents(settings)
    chunk = next(Generator(Plan(posts=5_000, random_seed=2)).chunks())
    bad = (5_000, "a", "b", "9" * 30, TIME)
    folder = write(tmp_path, ending, [chunk.pins, chunk.geos, [*chunk.users, bad]])
    with pytest.raises(StackError, match=r"user_data\.\w+, line \d+, column age: found '?9{30}"):
        load_dump(settings, str(folder))
    assert contents(settings) == before
    assert tables(settings) == sorted(TABLES)


def test_a_load_that_is_killed_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    source.seed(settings, posts=30)
    before = contents(settings)
    chunk = next(Generator(Plan(posts=2_000, random_seed=2)).chunks())
    folder = write(tmp_path, "csv", [chunk.pins, chunk.geos, chunk.users])
    os.mkfifo(folder / "pipe")
    environment = {
        **os.environ,
        "DEVSTACK_STATE_DIR": str(settings.state_dir),
        "DEVSTACK_PORT_OFFSET": str(settings.port_offset),
    }
    # the first tables are loaded, then the third one never ends
    program = (
        "import sys; from pathlib import Path; from devstack.config import Settings; from devstack.source import dump;"
        "dump.CHUNK_SIZE = 10_000; dump.FORMATS['.csv'] = (lambda rows: lambda path, *rest:"
        "rows(path.with_name('pipe') if path.stem == 'user_data' else path, *rest))(dump.FORMATS['.csv']);"
        "dump.load(Settings(), sys.argv[1])"
    )
    loading = subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=REPO, env=environment)
    try:
        with os.fdopen(os.open(folder / "pipe", os.O_RDWR), "w", encoding="utf-8") as pipe:
            pipe.write(
                as_csv("", ("ind", "first_name", "last_name", "age", "date_joined"), chunk.users[:500])
            )
            pipe.flush()
            until = time.monotonic() + 30
            while not _rows(settings, "user_data_new") and time.monotonic() < until:
                time.sleep(0.1)
            assert _rows(settings, "pinterest_data_new") == 2_000
            loading.send_signal(signal.SIGKILL)
            loading.wait(10)
    finally:
        loading.kill()
    assert contents(settings) == before
    _wait_for_the_lock(settings)
    load_dump(settings, str(folder))
    assert contents(settings) == [chunk.pins, chunk.geos, chunk.users]
    assert tables(settings) == sorted(TABLES)


def _rows(settings: Settings, table: str) -> int:
    if table not in tables(settings):
        return 0
    with connected(settings) as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        return int(cursor.fetchall()[0][0])


def _wait_for_the_lock(settings: Settings) -> None:
    with connected(settings) as cursor:
        cursor.execute("SELECT GET_LOCK('pinflow_seed', 20)")
        assert cursor.fetchall() == [(1,)]


def test_readers_never_see_half_a_dump(settings: Settings, tmp_path: Path) -> None:
    source.seed(settings, posts=100)
    chunk = next(Generator(Plan(posts=300)).chunks())
    folder = write(tmp_path, "jsonl", [chunk.pins, chunk.geos, chunk.users])
    seen = set()

    class Watched(Dump):
        def chunks(self) -> Iterator[Any]:
            for chunk in super().chunks():
                yield chunk
                seen.update(len(rows) for rows in contents(settings))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devstack.source.dump.Dump", Watched)
        load_dump(settings, str(folder))
    assert seen == {100}
    assert [len(rows) for rows in contents(settings)] == [300] * 3


def test_numbers_read_back_as_the_json_they_were(settings: Settings, tmp_path: Path) -> None:
    folder = write(tmp_path, "csv", [[], [(5, TIME, -67.2157, 123.457, None)], []])
    load_dump(settings, str(folder))
    assert json.dumps(contents(settings)[1][0][2:4]) == "[-67.2157, 123.457]"
