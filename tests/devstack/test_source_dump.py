"""A person's dump: what it holds is read exactly, and what does not fit is listed as a whole."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack import source
from devstack.config import Settings
from devstack.errors import StackError
from devstack.source.columns import tables
from devstack.source.dump import CHUNK_SIZE, Dump, sql_rows
from devstack.source.dump import load as load_dump
from devstack.source.dump.csv_rows import rows as csv_rows
from devstack.source.dump.faults import Faults
from devstack.source.dump.values import UnfitError, read
from devstack.source.generate import Generator, Plan, digest
from tests.devstack.dumps import FORMATS, as_csv, as_sql, write

TIME = datetime(2022, 10, 18, 21, 5)
PIN = (0, "u-0", "title", "text", "poster", "12k", "a,b", "image", "src", 1, "Local save in /data/art", "art")
GEO = (0, TIME, -67.2157, 123.457, "Cote d'Ivoire")
USER = (0, "Ada", "Adams", 21, datetime(2016, 1, 2, 3, 4, 5))
GOOD: list[list[tuple[Any, ...]]] = [[PIN], [GEO], [USER]]
HOSTILE = "'\"\\`;,\n\r\t\0\x1a%_-/#*(){}abN0 é\u0301😀\u2028\u202e\ufeff"
COLUMNS = {column.name: column for table in tables() for column in table.columns}


def contents(folder: Path) -> list[list[tuple[Any, ...]]]:
    chunks = list(Dump(folder).chunks())
    return [[row for chunk in chunks for row in getattr(chunk, kind)] for kind in ("pins", "geos", "users")]


def listed(folder: Path) -> list[str]:
    """The lines of the error."""
    with pytest.raises(StackError, match=r"nothing was changed(.|\n)*Repair: ") as raised:
        list(Dump(folder).chunks())
    return [line.strip() for line in str(raised.value).splitlines()[1:-1]]


def pins(folder: Path, ending: str, text: str | bytes) -> Path:
    """A good dump but for its pins."""
    write(folder, ending, GOOD)
    path = folder / f"pinterest_data.{ending}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return folder


def users(folder: Path, ending: str, text: str | bytes) -> Path:
    """A good dump but for its users."""
    write(folder, ending, GOOD)
    path = folder / f"user_data.{ending}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return folder


def test_columns_come_from_the_contracts_and_their_types_from_the_statements() -> None:
    pin, geo, user = tables()
    assert pin.names[:2] == ("index", "unique_id")
    assert (pin.key, geo.key, user.key) == ("index", "ind", "ind")
    assert COLUMNS["unique_id"].length == 36
    assert not COLUMNS["timestamp"].nullable
    assert not COLUMNS["downloaded"].required
    pairs = {(column.type, column.wire) for column in COLUMNS.values()}
    assert pairs == {
        ("INT", "int"), ("FLOAT", "float"), ("DATETIME", "datetime"), ("TEXT", "text"), ("VARCHAR", "text"),
    }  # fmt: skip


@pytest.mark.parametrize("ending", FORMATS)
def test_generated_posts_come_back_with_the_digest_of_their_seed(tmp_path: Path, ending: str) -> None:
    plan = Plan(posts=400, random_seed=4)
    chunk = next(Generator(plan).chunks())
    write(tmp_path, ending, [chunk.pins, chunk.geos, chunk.users])
    dump = source.generate.Hashed(Dump(tmp_path).chunks())
    list(dump.chunks())
    assert dump.digest == digest(plan)
    assert contents(tmp_path) == [chunk.pins, chunk.geos, chunk.users]


@given(texts=st.lists(st.none() | st.text(st.sampled_from(HOSTILE)) | st.text(), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("ending", FORMATS)
def test_any_text_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, ending: str, texts: list[str | None]
) -> None:
    rows = [(n, text, text, None, None) for n, text in enumerate(texts)]
    folder = write(tmp_path_factory.mktemp("dump"), ending, [[PIN], [GEO], rows])
    assert contents(folder)[2] == rows


@pytest.mark.parametrize("ending", FORMATS)
def test_hostile_values_that_fit_are_kept(tmp_path: Path, ending: str) -> None:
    texts = ("1.10", "many", "NULL", "\\N", "None", "", "'); DROP TABLE x; --", "a\0b", "x" * 10_000)
    pin = (7, "u", *texts[:7], 0, *texts[7:])
    geo = (7, TIME, 999.0, -1e30, None)
    folder = write(tmp_path, ending, [[pin], [geo], [USER]])
    assert contents(folder) == [[pin], [geo], [USER]]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("age", "45", 45),
        ("age", "45.0", 45),
        ("age", "-0", 0),
        ("age", "-2147483648", -(2**31)),
        ("age", "0" * 5_000 + "7", 7),
        ("latitude", "1.10", 1.1),
        ("latitude", "-.5e1", -5.0),
        ("timestamp", "2020-08-28T03:52:47", datetime(2020, 8, 28, 3, 52, 47)),
        ("timestamp", "2020:08:28 03:52:47", datetime(2020, 8, 28, 3, 52, 47)),
        ("timestamp", "2020-08-28 03:52:47.000", datetime(2020, 8, 28, 3, 52, 47)),
        ("timestamp", "2020-08-28", datetime(2020, 8, 28)),
        ("title", "é" * 32_767, "é" * 32_767),
    ],
)
def test_a_value_becomes_what_its_column_holds(column: str, text: str, value: Any) -> None:
    assert read(COLUMNS[column], text, typed=column == "title") == value


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("age", "many", "a whole number from -2147483648 to 2147483647"),
        ("age", "", "a whole number"),
        ("age", "1.5", "a whole number"),
        ("age", "2147483648", "a whole number"),
        ("age", "9" * 30, "a whole number"),
        ("age", "٤٥", "a whole number"),
        ("latitude", "north", "a number of at most 3.4e38"),
        ("latitude", "nan", "a number of at most 3.4e38"),
        ("latitude", "1e39", "a number of at most 3.4e38"),
        ("timestamp", "2022-13-01 00:00:00", "a time as 2022-10-18 21:05:00"),
        ("timestamp", "0000-00-00 00:00:00", "a time as"),
        ("timestamp", "2022-01-01T00:00:00Z", "without a zone"),
        ("timestamp", "2022-01-01 00:00:00.5", "a time as"),
        ("timestamp", "1666127100", "a time as"),
        ("unique_id", "x" * 37, "at most 36 characters, not 37"),
        ("title", "é" * 32_768, "at most 65,535 bytes of UTF-8, not 65,536"),
        ("title", "\ud800", "valid UTF-8"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_refused(column: str, text: str, expected: str) -> None:
    with pytest.raises(UnfitError) as raised:
        read(COLUMNS[column], text, typed=False)
    assert expected in str(raised.value)


def test_every_mismatch_of_a_csv_is_listed(tmp_path: Path) -> None:
    pins(
        tmp_path,
        "csv",
        "index,title,title,extra\r\n"
        '1,"two\r\nlines",x,\r\n'
        "2,a,b\r\n"
        'yes,"","",1\r\n'
        '3,a "quoted" b,c,d\n'
        "1,a,b,c\n",
    )
    lines = listed(tmp_path)
    assert lines[:2] == [
        "pinterest_data.csv, line 1, column title: found this column 2 times, expected it once",
        "pinterest_data.csv, line 1, column extra: found an unknown column, expected only "
        + ", ".join(tables()[0].names),
    ]
    missing = [line for line in lines if "found no such column" in line]
    assert len(missing) == 9
    assert not any("downloaded" in line for line in missing)
    assert lines[-4:] == [
        "pinterest_data.csv, line 4: found 3 fields, expected 4, as the header has",
        (
            "pinterest_data.csv, line 5, column index: found 'yes', "
            "expected a whole number from -2147483648 to 2147483647"
        ),
        (
            "pinterest_data.csv, line 6: found '3,a \"quoted\" b,c,d\\n', "
            "expected fields after RFC 4180 (quotes doubled, within quotes)"
        ),
        "pinterest_data.csv, line 7, column index: found 1 again, expected each id once (line 2 has it)",
    ]


def test_every_mismatch_of_a_jsonl_is_listed(tmp_path: Path) -> None:
    good = '"last_name": "b", "date_joined": null}'
    users(
        tmp_path,
        "jsonl",
        '{"ind": 1, "first_name": 1.10, "age": "45", ' + good + "\n"
        '{"ind": "2", "first_name": "\\ud800", "age": true, ' + good + "\n"
        "\n"
        '{"ind": 3, "ind": 4}\n[1]\nnull\n{"ind"\n' + "[" * 5_000 + "\n"
        '{"ind": 999999999999999999999999999999, "first_name": NaN, "age": 1.5, ' + good + "\n"
        '{"ind": 6, "first_name": {"a": [1]}, "extra": 1, ' + good + "\n"
        '{"ind": 7, "first_name": "a", "age": 20, "last_name": "b", "date_joined": 1666127100}\n',
    )
    whole = "a whole number from -2147483648 to 2147483647"
    assert [line.removeprefix("user_data.jsonl, ") for line in listed(tmp_path)] == [
        "line 1, column first_name: found 1.10, expected a text in quotes",
        f"line 1, column age: found '45', expected {whole}",
        f"line 2, column ind: found '2', expected {whole}",
        "line 2, column first_name: found '\\ud800', expected text in valid UTF-8, without lone surrogates",
        f"line 2, column age: found 'true', expected {whole}",
        'line 4: found \'{"ind": 3, "ind": 4}\', expected a JSON object (a key stands there twice)',
        "line 5: found '[1]', expected a JSON object",
        "line 6: found 'null', expected a JSON object",
        "line 7: found '{\"ind\"', expected a JSON object (Expecting ':' delimiter, character 7)",
        (f"line 8: found '{'[' * 40}…' (5,000 characters), expected a JSON object (nested too deeply)"),
        f"line 9, column ind: found {'9' * 30}, expected {whole}",
        "line 9, column first_name: found 'NaN', expected a text in quotes",
        f"line 9, column age: found 1.5, expected {whole}",
        (
            "line 10, column extra: found an unknown column, "
            "expected only ind, first_name, last_name, age, date_joined"
        ),
        "line 10, column age: found no such column, expected one (INT)",
        'line 10, column first_name: found \'{"a": ["1"]}\', expected a text in quotes',
        (
            "line 11, column date_joined: found 1666127100, "
            "expected a time as 2022-10-18 21:05:00, from the year 1000 on, without a zone"
        ),
    ]


def test_every_mismatch_of_an_sql_file_is_listed(tmp_path: Path) -> None:
    users(
        tmp_path,
        "sql",
        "CREATE TABLE `user_data` (ind int, `first_name` text, last_name text, age int, extra text);\n"
        "INSERT INTO `user_data` VALUES (1,'a;\n','b',2,'x'),\n"
        "(2,1.10,NOW(),'3','x'),(3,'a'),(1,'a','b',NULL,'x');\n"
        "INSERT INTO other (a) VALUES (1);\n"
        "INSERT INTO user_data (ind, first_name) SELECT 1, 2;\n"
        "DELETE FROM user_data;\n"
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES';\n"
        "INSERT INTO user_data VALUES (9,'a','b',1,'x'),(8,'a'\n",
    )
    assert [line.removeprefix("user_data.sql, ").split(", expected ")[0] for line in listed(tmp_path)] == [
        "line 1, column extra: found an unknown column",
        "line 1, column date_joined: found no such column",
        "line 4, column first_name: found 1.10",
        "line 4, column last_name: found 'NOW()'",
        "line 4: found 2 values",
        "line 4, column ind: found 1 again",
        "line 5: found 'other (a) VALUES (1)'",
        "line 6: found 'INSERT INTO user_data (ind, first_name) …' (51 characters)",
        "line 7: found 'DELETE FROM user_data'",
        "line 8: found \"SET sql_mode = 'NO_BACKSLASH_ESCAPES'\"",
        "line 9: found \"'a'\"",
    ]


def test_a_list_of_columns_orders_the_values(tmp_path: Path) -> None:
    users(
        tmp_path,
        "sql",
        "REPLACE INTO `db`.`user_data` (date_joined, age, `ind`, last_name, first_name) VALUE\n"
        "('2016-01-02',30,5,_utf8mb4'b',N'it''s'), (NULL, -1, 6, X'C3A9', 0x41);",
    )
    assert contents(tmp_path)[2] == [
        (5, "it's", "b", 30, datetime(2016, 1, 2)),
        (6, "A", "é", -1, None),
    ]


def test_values_without_any_order_of_columns_are_refused(tmp_path: Path) -> None:
    users(tmp_path, "sql", "INSERT INTO user_data VALUES (1, 'a', 'b', 1, NULL);")
    with pytest.raises(StackError, match="a CREATE TABLE before it, or a list of columns"):
        list(Dump(tmp_path).chunks())


def test_texts_are_unescaped_as_mysql_does(tmp_path: Path) -> None:
    users(
        tmp_path,
        "sql",
        r"""INSERT INTO user_data (ind, first_name, last_name, age, date_joined) VALUES (1, '\0\Z\b\v\a\%\_\\\'', "a""b'\"", 1, NULL);""",
    )
    assert contents(tmp_path)[2] == [(1, "\0\x1a\bva\\%\\_\\'", 'a"b\'"', 1, None)]


def test_a_file_without_its_end_is_refused(tmp_path: Path) -> None:
    whole = as_sql("user_data", tables()[2].names, [(n, "a'\n;", "b", 1, None) for n in range(3)])
    end = whole.index(";\nUNLOCK")
    for cut in range(whole.index("INSERT") + 6, end + 1):
        users(tmp_path, "sql", whole[:cut])
        with pytest.raises(StackError, match="line "):
            list(Dump(tmp_path).chunks())


def test_statements_longer_than_a_part_are_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_rows, "PART", 50)
    rows = [(n, "raw;\n" * n, "';\n", None, None) for n in range(40)]
    text = "".join(
        f"INSERT INTO user_data (ind, first_name, last_name, age, date_joined) VALUES ({n},'{'raw;' + chr(10)}',0x41,NULL,NULL);\n"
        for n in range(40)
    )
    users(tmp_path, "sql", text)
    assert contents(tmp_path)[2] == [(n, "raw;\n", "A", None, None) for n in range(40)]
    users(tmp_path, "sql", as_sql("user_data", tables()[2].names, rows))
    assert contents(tmp_path)[2] == rows


@pytest.mark.parametrize("ending", FORMATS)
def test_one_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    for module in ("record", "csv_rows", "sql_rows"):
        monkeypatch.setattr(f"devstack.source.dump.{module}.LONGEST", 200)
    users(tmp_path, ending, 'ind,"' + "x\n" * 500)
    assert listed(tmp_path)


def test_a_byte_order_mark_and_blank_lines_change_nothing(tmp_path: Path) -> None:
    text = as_csv("", tables()[2].names, [USER]) + "\r\n\n"
    users(tmp_path, "csv", b"\xef\xbb\xbf" + text.encode())
    assert contents(tmp_path) == GOOD


def test_bytes_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    users(tmp_path, "csv", b"ind,first_name,last_name,age,date_joined\n1,\xff,b,2,\n")
    assert listed(tmp_path) == [
        (
            "user_data.csv, line 2, column first_name: found '\\udcff', "
            "expected text in valid UTF-8, without lone surrogates"
        )
    ]


def test_null_and_an_empty_text_differ_in_csv(tmp_path: Path) -> None:
    users(tmp_path, "csv", 'ind,first_name,last_name,age,date_joined\n1,"",,\\N,\\N\n2,"\\N",\\N,,\n')
    assert contents(tmp_path)[2] == [(1, "", None, None, None), (2, "\\N", None, None, None)]


def test_a_post_without_a_time_is_refused_as_no_window_would_hold_it(tmp_path: Path) -> None:
    write(tmp_path, "jsonl", [[PIN], [(1, None, 1.0, 1.0, "x")], [USER]])
    assert listed(tmp_path) == [
        "geolocation_data.jsonl, line 1, column timestamp: found NULL, expected a value, not NULL"
    ]


def test_files_that_are_absent_or_twice_there_are_listed_with_all_else(tmp_path: Path) -> None:
    write(tmp_path, "csv", [[PIN], [GEO], [(0, "a", "b", "old", None)]])
    (tmp_path / "pinterest_data.sql").touch()
    (tmp_path / "geolocation_data.csv").unlink()
    assert [line.split(", expected")[0] for line in listed(tmp_path)] == [
        "pinterest_data: found pinterest_data.csv and pinterest_data.sql",
        "geolocation_data: found no file",
        "user_data.csv, line 2, column age: found 'old'",
    ]


def test_an_empty_csv_lacks_its_header(tmp_path: Path) -> None:
    users(tmp_path, "csv", "")
    assert listed(tmp_path) == [
        "user_data.csv, line 1: found no header, expected a line ind,first_name,last_name,age,date_joined"
    ]


def test_many_mismatches_are_counted_and_fifty_listed(tmp_path: Path) -> None:
    write(tmp_path, "csv", [[PIN], [GEO], [(n, "a", "b", "old", None) for n in range(1_200)]])
    lines = listed(tmp_path)
    assert len(lines) == 51
    assert lines[-1] == "... and 1,150 more (1,200 in user_data.csv)"


def test_a_listing_holds_every_mismatch_and_is_named_when_the_error_is_cut(tmp_path: Path) -> None:
    write(tmp_path, "csv", [[PIN], [GEO], [(n, "a", "b", "old", None) for n in range(1_200)]])
    listing = tmp_path / "state" / "mismatches.txt"
    with pytest.raises(StackError, match=r"1,200 in user_data\.csv\); all of them are in ") as refused:
        list(Dump(tmp_path, listing).chunks())
    assert str(listing) in str(refused.value)
    lines = listing.read_text().splitlines()
    assert len(lines) == 1_200
    assert lines[-1].startswith("user_data.csv, line 1201, column age: found 'old', expected a whole number")


def test_nothing_is_passed_on_after_a_mismatch(tmp_path: Path) -> None:
    write(tmp_path, "csv", [[(0, "x" * 37, *PIN[2:])], [GEO], [USER]])
    passed = []
    with pytest.raises(StackError):
        passed.extend(Dump(tmp_path).chunks())
    assert passed == []


def test_rows_of_long_texts_come_in_smaller_chunks(tmp_path: Path) -> None:
    row = (*["x" * 65_000] * 8,)
    rows = [(n, "u", *row[:7], 1, *row[:2]) for n in range(120)]
    write(tmp_path, "csv", [rows, [], []])
    sizes = [len(chunk.pins) for chunk in Dump(tmp_path).chunks()]
    assert sum(sizes) == 120
    assert max(sizes) <= CHUNK_SIZE // (9 * 65_000) + 1


def test_csv_rows_know_their_first_line(tmp_path: Path) -> None:
    path = tmp_path / "user_data.csv"
    path.write_text("ind\n1\n\n" + '"2\n"\n3\n')
    assert [record.line for record in csv_rows(path, tables()[2], Faults())] == [2, 4, 6]


def test_a_folder_that_is_none_is_told_with_its_repair(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"SOURCE=.*nowhere is no folder\. Repair: "):
        load_dump(Settings(), str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("wishes", "way"),
    [
        ({}, None),
        ({"posts": "5", "span": "x", "random_seed": "1"}, None),
        ({"source": "x", "posts": ""}, "source"),
        ({"live": "5"}, "live"),
        ({"live": "5", "for": 3.0}, "live"),
    ],
)
def test_wishes_that_go_together_choose_a_way(wishes: dict[str, Any], way: str | None) -> None:
    assert source.refuse_together(**wishes) == way


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"source": "x", "posts": "5", "live": "1"}, "SOURCE replaces .* so POSTS, LIVE beside it"),
        ({"source": "x", "span": "5"}, "SPAN beside it"),
        ({"source": "x", "random_seed": "5"}, "RANDOM_SEED beside it"),
        ({"live": "1", "random_seed": "5"}, "LIVE adds .* RANDOM_SEED beside it"),
        ({"for": 2.0}, "FOR beside it"),
    ],
)
def test_wishes_that_exclude_each_other_are_refused(wishes: dict[str, Any], said: str) -> None:
    with pytest.raises(StackError, match=rf"{said} has no meaning\. Repair: "):
        source.refuse_together(**wishes)
