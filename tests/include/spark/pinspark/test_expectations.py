import pytest

from pinspark.expectations import faults_in, names_in, quoted, renamed

COLUMNS = ["ind", "age", "user_name", "timestamp", "coordinates", "category"]


@pytest.mark.parametrize(
    ("expect", "names"),
    [
        ("age >= 13 AND age <= 120", ["age"]),
        ("Age BETWEEN 1e1 AND 5L or AGE is null", ["age"]),
        ("timestamp >= TIMESTAMP'2009-12-01' AND timestamp < TIMESTAMP '2100-01-01'", ["timestamp"]),
        ("coordinates[0] > -90 AND GET(coordinates, 1) < 180.0", ["coordinates"]),
        ("""user_name NOT IN ('age', 'it\\'s ind', "category", '`x`')""", ["user_name"]),
        ("TRY_CAST(user_name AS INT) IS NULL", ["user_name"]),
        ("`age` > 0 AND NOT (`user_name` RLIKE '^[0-9]+$')", ["age", "user_name"]),
        ("timestamp + INTERVAL 2 DAYS > timestamp", ["timestamp"]),
        ("CASE WHEN category = 'art' THEN age ELSE ind END > 0", ["category", "age", "ind"]),
        ("named_struct('age', ind).age = ind", ["ind"]),
    ],
)
def test_names_of_columns_are_told_from_everything_else(expect: str, names: list[str]) -> None:
    assert names_in(expect) == names
    assert faults_in(expect, COLUMNS) == []


def test_other_names_change_nothing_but_names() -> None:
    expect = r"timestamp >= TIMESTAMP'age' AND `age` > 1e2 AND user_name <> 'it\'s age' AND GET(coordinates, 0) > 0"
    assert renamed(expect, lambda name: f"clean_{name}") == (
        r"`clean_timestamp` >= TIMESTAMP'age' AND `clean_age` > 1e2 AND `clean_user_name` <> 'it\'s age' "
        "AND GET(`clean_coordinates`, 0) > 0"
    )


def test_every_unknown_name_is_named() -> None:
    assert faults_in("agee > 0 AND `no such` IS NULL AND age > posters", COLUMNS) == [
        "unknown column agee, no such, posters"
    ]


def test_a_cast_that_would_show_a_value_is_refused_but_not_a_text_that_looks_like_one() -> None:
    for expect in ("cast (age AS STRING) = 'x'", "age::STRING = 'x'"):
        assert "TRY_CAST" in faults_in(expect, COLUMNS)[-1]
    assert faults_in("user_name <> 'CAST(x)' AND user_name <> 'a::b'", COLUMNS) == []


def test_literals_hold_quotes_and_backslashes() -> None:
    assert [quoted("O'Hara \\"), quoted(5), quoted(1.5)] == ["'O\\'Hara \\\\'", "5", "1.5"]
