"""Cleaning, case by case: each test reads a few lines as rows of one table. What users tell is masked in reasons."""

import json
import random
from datetime import UTC, datetime
from runpy import run_path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pinspark.contracts import load_contract
from pinspark.generate import REPO
from pinspark.landing import parse_lines
from pinspark.stage import clean_lines
from pinspark.transforms import WHITESPACE, read_fields
from tests.include.landed import ROWS, geo_row, pin_row, user_row, wire


def clean(spark: SparkSession, table: str, *lines: bytes | dict[str, Any]) -> list[Row]:
    """Run lines through parsing and cleaning, in order."""
    contract = load_contract(table)
    raws = [(number, line if isinstance(line, bytes) else wire(line)) for number, line in enumerate(lines)]
    frame = spark.createDataFrame(raws, "line INT, bytes BINARY").withColumn(
        "raw", F.col("bytes").cast("string")
    )
    cleaned = frame.transform(parse_lines, contract.id).transform(clean_lines, contract)
    names = [F.col(f"clean_{name}").alias(name) for name in contract.names]
    return (
        cleaned.select(F.col("ind").alias("id"), *names, "columns", "reasons", "line")
        .orderBy("line")
        .collect()
    )


def test_pin_has_its_columns_and_types(spark: SparkSession) -> None:
    (row,) = clean(spark, "pin", pin_row(7))
    kept = {name: row[name] for name in load_contract("pin").names}
    assert kept == {
        "ind": 7,
        "unique_id": "u7",
        "title": "title 7",
        "description": "words",
        "follower_count": 12000,
        "poster_name": "Poster",
        "tag_list": "a,b",
        "is_image_or_video": "image",
        "image_src": "https://example.org/1.jpg",
        "save_location": "/data/art",
        "category": "art",
    }
    assert row.reasons == []


def test_markers_blanks_and_json_null_become_null_and_nothing_else_does(spark: SparkSession) -> None:
    markers = {
        "title": "No Title Data Available",
        "description": "No description available Story format",
        "poster_name": "User Info Error",
        "follower_count": "User Info Error",
        "tag_list": "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",
        "image_src": "Image src error.",
    }
    rows = clean(
        spark,
        "pin",
        pin_row(1, **markers),
        pin_row(2, **{name: f" {text}\u00a0\n" for name, text in markers.items()}),
        pin_row(3, **dict.fromkeys(markers, "")),
        pin_row(4, **dict.fromkeys(markers, "\u2003\t ")),
        pin_row(5, **dict.fromkeys(markers, None)),
        pin_row(6, description="Untitled"),
        pin_row(7, description="No description available"),
        pin_row(
            8,
            title="no title data available",
            description="Untitled 2",
            poster_name="None",
            tag_list="User Info Error",
        ),
        pin_row(9, title="  kept as it is "),
    )
    assert all(row.reasons == [] for row in rows)
    assert [[row[name] for name in markers] for row in rows[:5]] == [[None] * 6] * 5
    assert [rows[5].description, rows[6].description] == [None, None]
    other = rows[7]
    assert [other.title, other.description, other.poster_name, other.tag_list] == [
        "no title data available",
        "Untitled 2",
        "None",
        "User Info Error",
    ]
    assert rows[8].title == "  kept as it is "


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (
            [
                "0",
                "517",
                "12k",
                "1.2k",
                "3M",
                "15.75M",
                " 12k ",
                "9223372036854775807",
                "0.5k",
                "1.000000001M",
            ],
            [0, 517, 12000, 1200, 3000000, 15750000, 12000, 9223372036854775807, 500, None],
        ),
        (
            [
                "abc",
                "-5",
                "1,234",
                "12K",
                "12kk",
                "k",
                "1.2",
                "9223372036854775808",
                "1e3",
                "٣k",
                "99999999999999999999",
            ],
            [None] * 11,
        ),
    ],
)
def test_follower_counts_are_read_exactly_or_refused(
    spark: SparkSession, texts: list[str], numbers: list[int | None]
) -> None:
    rows = clean(spark, "pin", *(pin_row(number, follower_count=text) for number, text in enumerate(texts)))
    assert [row.follower_count for row in rows] == numbers
    for row, text in zip(rows, texts, strict=True):
        refused = [f"follower_count: '{text}' is not a BIGINT (digits, then k or M)"]
        assert row.reasons == (refused if row.follower_count is None else [])


def test_save_location_loses_its_prefix_only(spark: SparkSession) -> None:
    texts = ["Local save in /data/mens-fashion", "/data/art", "Local save in ", "see Local save in /x", None]
    rows = clean(spark, "pin", *(pin_row(number, save_location=text) for number, text in enumerate(texts)))
    assert [row.save_location for row in rows] == [
        "/data/mens-fashion",
        "/data/art",
        None,
        "see Local save in /x",
        None,
    ]


def test_three_forms_of_a_time_are_read_as_utc_and_no_other(spark: SparkSession) -> None:
    good = [
        "2020-08-28T03:52:47",
        "2020-08-28 03:52:47",
        "2020:08:28 03:52:47",
        "2020-02-29T23:59:59",
        "2021-03-14T02:30:00",
    ]
    bad = [
        "2020:08:28T03:52:47",
        "2020-02-30T00:00:00",
        "2021-02-29T00:00:00",
        "2020-08-28",
        "2020-08-28T24:00:00",
    ]
    bad += [
        "2020-08-28T03:52:47Z",
        "28/08/2020 03:52:47",
        "2020-08-28T03:52:60",
        "0000-00-00 00:00:00",
        "soon",
    ]
    rows = clean(
        spark, "geo", *(geo_row(number, timestamp=text) for number, text in enumerate([*good, *bad]))
    )
    epoch = [datetime.fromisoformat(text.replace(":", "-", 2) if text[4] == ":" else text) for text in good]
    read = [row.timestamp.astimezone(UTC).replace(tzinfo=None) for row in rows[: len(good)]]
    assert read == epoch
    assert [row.timestamp for row in rows[len(good) :]] == [None] * len(bad)
    assert [row.reasons for row in rows[len(good) :]] == [
        [f"timestamp: '{text}' is not a datetime"] for text in bad
    ]


def test_coordinates_are_a_pair_within_their_bounds(spark: SparkSession) -> None:
    rows = clean(
        spark,
        "geo",
        geo_row(0, latitude=-90, longitude=180.0),
        geo_row(1, latitude=None, longitude=None),
        geo_row(2, latitude=None, longitude=1.5),
        geo_row(3, latitude=90.001, longitude=-180.5),
        geo_row(4, latitude="12.5"),
        b'{"ind":5,"timestamp":"2022-10-15T01:02:03","latitude":1.10,"longitude":1E2,"country":"Cuba"}',
        b'{"ind":6,"timestamp":"2022-10-15T01:02:03","latitude":1e400,"longitude":0,"country":"Cuba"}',
        geo_row(7, timestamp=None),
    )
    assert [row.coordinates for row in rows[:3]] == [[-90.0, 180.0], None, [None, 1.5]]
    assert rows[3].reasons == [
        "latitude: 90.001 is outside [-90, 90]",
        "longitude: -180.5 is outside [-180, 180]",
    ]
    assert rows[3].columns == ["latitude", "longitude"]
    assert rows[4].reasons == ["latitude: '12.5' is not a number"]
    assert rows[5].coordinates == [1.1, 100.0]
    assert rows[6].reasons == ["latitude: Infinity is outside [-90, 90]"]
    assert rows[7].reasons == ["timestamp: is NULL and must not be"]


def test_user_names_are_joined_and_never_hold_the_text_none(spark: SparkSession) -> None:
    rows = clean(
        spark,
        "user",
        user_row(0),
        user_row(1, first_name=None),
        user_row(2, last_name=" "),
        user_row(3, age=None),
    )
    assert [row.user_name for row in rows] == ["Aaron Abbott", None, None, "Aaron Abbott"]
    assert rows[3].age is None
    assert all(row.reasons == [] for row in rows)


def test_every_reason_of_a_row_is_told_and_a_wrong_json_type_is_never_converted(spark: SparkSession) -> None:
    rows = clean(
        spark,
        "user",
        user_row(0, age="20", first_name=5, last_name={"a": 1}, date_joined=[1]),
        b'{"ind":1,"age":20.5,"first_name":true,"last_name":"x","date_joined":1}',
        {"ind": 2},
        user_row(3, age=2**31),
        b'{"ind":4.0,"age":2e1,"first_name":"A","last_name":"B","date_joined":null,"added":{"x":[1]}}',
        b'{"ind":"5","age":21.0,"first_name":"A","last_name":"B","date_joined":""}',
        b'{"ind":6,"age":123456789012345678901234567890,"first_name":"A","last_name":"B","date_joined":null}',
    )
    assert rows[0].reasons == [
        "first_name: *** (BIGINT) is not a text",
        "last_name: *** (OBJECT) is not a text",
        "age: *** (STRING) is not an INT",
        "date_joined: *** (ARRAY) is not a datetime",
    ]
    assert rows[0].columns == ["first_name", "last_name", "age", "date_joined"]
    assert rows[1].reasons == [
        "first_name: *** (BOOLEAN) is not a text",
        "age: *** (DECIMAL) is not an INT",
        "date_joined: *** (BIGINT) is not a datetime",
    ]
    assert rows[2].reasons == [
        f"{name}: missing" for name in ("first_name", "last_name", "age", "date_joined")
    ]
    assert rows[3].reasons == ["age: *** (BIGINT) is not an INT"]
    assert [rows[4].ind, rows[4].age, rows[4].date_joined, rows[4].reasons] == [4, 20, None, []]
    assert [rows[5].id, rows[5].reasons] == [5, ["ind: '5' is not an INT"]]
    assert rows[6].reasons == ["age: *** (DECIMAL) is not an INT"]


def test_long_values_are_cut_in_reasons(spark: SparkSession) -> None:
    (row,) = clean(spark, "pin", pin_row(1, follower_count="9" * 500))
    assert row.reasons == [f"follower_count: '{'9' * 60}...' is not a BIGINT (digits, then k or M)"]


HOSTILE = [
    "😀 emoji \U0001f469\u200d\U0001f680",
    "مرحبا \u202ertl\u202c",
    "e\u0301 combining",
    "nul \x00 inside",
    "u2028 \u2028 u2029 \u2029 nel \x85",
    "line\nfeed\r\ntab\t",
    "quotes \" ' \\ \\n {}[]],}]",
    "=1+1; DROP TABLE x; {{ gold }} ${x} %s",
    "<script>alert(1)</script>",
    "\ufeffbom",
    "x" * 10_000,
    "\\ud83d spelled out",
]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_hostile_texts_arrive_exactly(spark: SparkSession, ascii_only: bool) -> None:
    lines = [
        json.dumps(pin_row(n, title=text), ensure_ascii=ascii_only).encode() for n, text in enumerate(HOSTILE)
    ]
    rows = clean(spark, "pin", *lines)
    assert [row.title for row in rows] == HOSTILE
    assert all(row.reasons == [] for row in rows)


def test_any_text_arrives_exactly_or_as_null_when_blank(spark: SparkSession) -> None:
    dice = random.Random(3)  # noqa: S311
    letters = "".join(map(chr, range(128))) + "é…\u00a0\u2028😀中\ufeff\u0301" + WHITESPACE
    texts = ["".join(dice.choices(letters, k=dice.randrange(12))) for _ in range(400)]
    lines = [
        json.dumps(pin_row(n, category=t), ensure_ascii=dice.random() < 0.5).encode()
        for n, t in enumerate(texts)
    ]
    rows = clean(spark, "pin", *lines)
    assert [row.category for row in rows] == [text if text.strip(WHITESPACE) else None for text in texts]


def test_broken_rows_with_an_id_say_what_is_wrong(spark: SparkSession) -> None:
    full = wire(pin_row(5))
    rows = clean(
        spark,
        "pin",
        full.replace(b'"title 5"', b'"a","title":"b"'),
        full.replace(b"title 5", b"\\ud83d"),
        full.replace(b"title 5", b"\\udE00"),
        full.replace(b"title 5", b"\xff\xfe"),
        full.replace(b'"downloaded":1', b'"downloaded":NaN'),
        full.replace(b'"downloaded":1', b'"downloaded":{"a":1,"a":2}'),
    )
    assert [row.id for row in rows] == [5] * 6
    assert [row.reasons for row in rows[:4]] == [
        ["row: repeated keys"],
        ["row: a lone surrogate"],
        ["row: a lone surrogate"],
        ["row: not UTF-8"],
    ]
    assert [row.reasons[0].startswith("row: not strict JSON") for row in rows[4:]] == [True, True]


def test_what_is_sent_instead_of_a_row_too_large_is_refused_for_that_reason_alone(
    spark: SparkSession,
) -> None:
    producer = run_path(str(REPO / "plugins" / "pinflow" / "wire.py"))
    lines = [producer["fit"](name, 5, b"x" * 2_000_000, 900_000) for name in ("index", "ind", "ind")]
    for table, line in zip(ROWS, lines, strict=True):
        (row,) = clean(spark, table, line)
        assert row.id == 5
        assert row.reasons == ["row: 2000000 bytes, more than max_row_bytes; its values were not sent"]
    (other,) = clean(spark, "pin", wire(pin_row(5, title='"pinflow_oversize"')))
    assert other.reasons == []


JUNK = [
    b"",
    b" ",
    b"null",
    b"[]",
    b'[{"ind":1}]',
    b"12",
    b'"text"',
    b"{",
    wire(user_row(1))[:-5],
    b"\xef\xbb\xbf" + wire(user_row(1)),
    wire(user_row(1)).replace(b"Aaron", b"Aa\x00ron"),
    wire(user_row(1)) + b" trailing",
    wire(user_row(1)) + wire(user_row(2)),
    wire(user_row(1)) + b"," + wire(user_row(2)),
    wire(user_row(1)) + b"],[1",
    wire(user_row(1)) + b'},{"a":1',
    b"{'ind':1}",
    b"{ind:1}",
    b"{}",
    b'{"ind":null}',
    b'{"ind":"abc"}',
    b'{"ind":1.5}',
    b'{"ind":99999999999}',
    b'{"ind":[1]}',
    b'{"ind":{"ind":1}}',
    b'{"IND":1}',
    b'{"x":{"ind":1}}',
    b"\xff\xfe\x00",
    b"[" * 50_000,
    b'{"ind":1,"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"ind":1,"n":' + b"9" * 5_000 + b"}",
]


def test_lines_that_are_no_row_of_anybody_have_no_id_and_stop_nothing(spark: SparkSession) -> None:
    rows = clean(spark, "user", *JUNK, user_row(3))
    assert [line for line, row in zip(JUNK, rows, strict=False) if row.id is not None] == []
    assert all(len(row.reasons) == 1 and row.reasons[0].startswith("row: ") for row in rows[:-1])
    assert rows[-1].id == 3
    assert rows[-1].reasons == []


def test_a_row_of_every_table_is_clean_with_space_around_it(spark: SparkSession) -> None:
    for table, make in ROWS.items():
        (row,) = clean(spark, table, b" \t" + wire(make(2)) + b"\r")
        assert [row.id, row.reasons] == [2, []]


VARIED: dict[str, dict[str, list[Any]]] = {
    "pin": {
        "title": [None, "", " \u2003", 5, "No Title Data Available ", "\u0000a", "😀"],
        "follower_count": [None, "", "12k", "1.5k", "1.2", "many", " User Info Error", 12],
        "downloaded": [None, 0, 1.5, "x"],
        "save_location": ["Local save in ", "Local save in /a", 7],
    },
    "geo": {
        "ind": [2**31 - 1, -(2**31), 3.0],
        "timestamp": ["2020:08:28 03:52:47", "2020-02-30T00:00:00", "", None, 5],
        "latitude": [None, 90, 90.0001, -90, "1", 1e-300, 123456789012345678901234567890, True],
        "country": ["Cote d'Ivoire", None, "\u00a0", 1],
    },
    "user": {
        "age": [None, 2**31, 2**63, -(2**31) - 1, 20.0, 20.5, "20"],
        "date_joined": [None, " ", "2015-10-21 00:00:00", "soon"],
        "first_name": [None, " ", "A", True],
    },
}


@pytest.mark.parametrize("table", ROWS)
def test_a_plain_row_and_the_same_row_with_one_more_field_are_cleaned_alike(
    spark: SparkSession, table: str
) -> None:
    rows = [ROWS[table](1)] + [
        ROWS[table](number) | {name: value}
        for name, values in VARIED[table].items()
        for number, value in enumerate(values)
    ]
    plain, other = clean(spark, table, *rows), clean(spark, table, *(row | {"zz": 1} for row in rows))
    assert plain == other
    assert {bool(row.reasons) for row in plain} == {True, False}


def test_the_short_cut_is_taken_by_plain_rows_only(spark: SparkSession) -> None:
    for table, make in ROWS.items():
        contract = load_contract(table)
        lines = [wire(make(1)).decode(), wire(make(2) | {"zz": 1}).decode()]
        frame = spark.createDataFrame([(line,) for line in lines], "raw STRING")
        fields = read_fields(parse_lines(frame, contract.id), contract).select("row", f"kind_{contract.id}")
        assert [[value is None for value in row] for row in fields.collect()] == [
            [False, True],
            [True, False],
        ]
