"""The audit of a stream's window: what came, what was refused, what is missing, and manifests that are wrong."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pinspark.contracts import TABLES
from pinspark.landing import LakeGoneError
from pinspark.manifest import ManifestError
from pinspark.stream_audit import RecordsMissingError
from tests.include.landed import Row
from tests.include.streams import WINDOW, Sent, Streams, insert

SHARD = "shardId-000000000000"
LONG = "9" * 20  # a sequence number that is shorter than those of the rows, and begins with a greater digit
Line = tuple[int, str, bool]  # id, sequence number, whether the record is a row


@pytest.fixture(scope="module")
def own(streams: Callable[[str], Streams]) -> Streams:
    """Tables that are filled by hand: the audit reads tables only."""
    return streams("0123456789e3")


def sequence(number: int, digits: int = 56) -> str:
    return f"4{number:0{digits - 1}}"


def fill(own: Streams, table: str, *lines: Line) -> None:
    """Write records as if they had come."""
    moment = {"geo": (", `timestamp`", ", timestamp'2022-10-15 01:02:03'")}.get(table, ("", ""))
    rows = [f"{ind}, '{SHARD}', '{number}'{moment[1]}" for ind, number, row in lines if row]
    insert(own.spark, own.rows_of(table), f"ind, shard_id, sequence_number{moment[0]}", *rows)
    refused = [f"'{table}', {ind}, 'own', '{number}'" for ind, number, row in lines if not row]
    insert(own.spark, own.quarantine, "source_table, ind, kind, sequence_number", *refused)


def sent(**lines: list[tuple[int, str]]) -> list[Sent]:
    return [Sent(t, ind, b"", (SHARD, number)) for t, pairs in lines.items() for ind, number in pairs]


def results(own: Streams, run: str) -> dict[tuple[str, str], tuple[str, int, int]]:
    rows = own.spark.table(f"{own.lake.ops}.quality_results").where(f"run = '{run}'").collect()
    assert {(f"{row.window_start:%H:%M}", f"{row.window_end:%H:%M}") for row in rows} == {("13:00", "14:00")}
    found = {(row.source_table, row.rule): (row.action, row.rows, row.failed) for row in rows}
    assert len(found) == len(rows) == 4 * len(TABLES)
    return found


@pytest.fixture(scope="module")
def window(own: Streams) -> list[Sent]:
    """Posts 1 to 4 of each table; user 2 is refused, user 3 was sent before, pin 4 came in a newer sending only."""
    for table in TABLES:
        lines = [(n, sequence(n), (table, n) != ("user", 2)) for n in (1, 2, 3, 4)]
        if table == "user":
            lines.append((3, sequence(0), True))
        if table == "pin":
            lines[3] = (4, sequence(99), True)
        fill(own, table, *lines)
    return sent(**{table: [(n, sequence(n)) for n in (1, 2, 3, 4)] for table in TABLES})


def test_all_that_was_acknowledged_has_come_as_a_row_or_refused(own: Streams, window: list[Sent]) -> None:
    audit = own.audit(window, "b00000000001", selected=5)
    assert {table: audit[table] for table in TABLES} == {
        "pin": "4 acknowledged, 4 rows + 0 refused",
        "geo": "4 acknowledged, 4 rows + 0 refused",
        "user": "4 acknowledged, 3 rows + 1 refused",
    }
    found = results(own, "b00000000001")
    assert {found[table, "stream_sums"] for table in TABLES} == {("fail", 4, 0)}
    assert found["user", "stream_refused"] == ("warn", 4, 1)
    assert found["user", "stream_doubles"] == ("warn", 4, 1)
    assert found["pin", "stream_doubles"] == ("warn", 4, 0)
    assert {found[table, "stream_orphans"] for table in TABLES} == {("warn", 5, 1)}
    warnings = [line.split(":")[0] for line in audit["log"] if line.startswith("WARNING")]
    assert warnings == [
        *("WARNING pin stream_orphans", "WARNING geo stream_orphans", "WARNING user stream_refused"),
        *("WARNING user stream_doubles", "WARNING user stream_orphans"),
    ]


def test_a_record_that_has_not_come_stops_the_run_until_it_has(own: Streams, window: list[Sent]) -> None:
    # 5 never came; of 3 an older record did; of 4 one did whose number is shorter and so older
    later = [(3, sequence(50)), (4, sequence(60)), (5, sequence(51))]
    fill(own, "geo", (4, LONG, True))
    more = [*window, *sent(geo=later)]
    with pytest.raises(RecordsMissingError) as error:
        own.audit(more, "b00000000002")
    assert str(error.value) == (
        "geo: 3 records are missing (5 acknowledged, 2 rows + 0 refused; ids [3, 4, 5]). Repair: clear `ingest`, "
        "which reads on where it stood, while the stream still holds them; otherwise clear the `emulate` task of "
        "this table, which sends the window again."
    )
    assert results(own, "b00000000002")["geo", "stream_sums"] == ("fail", 5, 3)
    # they come, one of them refused; the results take the place of the first ones
    fill(own, "geo", (3, sequence(50), True), (4, sequence(60), False), (5, sequence(51), True))
    audit = own.audit(more, "b00000000002")
    assert audit["geo"] == "5 acknowledged, 4 rows + 1 refused"
    assert results(own, "b00000000002")["geo", "stream_sums"] == ("fail", 5, 0)


def test_an_id_file_of_another_sending_is_no_proof(own: Streams, window: list[Sent]) -> None:
    said = r"^pin: 5 records are missing \(9 acknowledged, 4 rows \+ 0 refused\); geo: 5 records"
    with pytest.raises(RecordsMissingError, match=said):
        own.audit(window, "b00000000009", count=9)


@pytest.mark.parametrize(
    "changes",
    [
        {"table": "silver`.`pin"},
        {"table": "users"},
        {"run": "1' OR '1'='1"},
        {"run": ""},
        {"run": ["b00000000003"]},
        {"ids": None},
        {"count": None},
        {"stream": None},
    ],
    ids=str,
)
def test_a_manifest_that_is_none_of_ours_is_refused(own: Streams, window: list[Sent], changes: Row) -> None:
    with pytest.raises(ManifestError, match=r"Repair: clear the emulate task"):
        own.audit(window, "b00000000003", **changes)
    assert own.spark.table(f"{own.lake.ops}.quality_results").where("run LIKE 'b00000000003%'").isEmpty()


@pytest.mark.parametrize("text", ["[7]", "[[]]", "[null]", '["pin"]', "[]", "7", '{"table": "pin"}'])
def test_what_is_no_list_of_manifests_is_refused(own: Streams, text: str) -> None:
    with pytest.raises(ManifestError, match=r"Repair: clear the emulate task"):
        own.run_job("audit_stream", json.loads(text), **own.own)


@pytest.mark.parametrize(
    "moments", [("yesterday", WINDOW[1]), (WINDOW[0], 7), ("2022-10-15T13:00:00", WINDOW[1]), WINDOW[::-1]]
)
def test_a_window_that_is_none_is_refused(own: Streams, window: list[Sent], moments: tuple[Any, Any]) -> None:
    start, end = moments
    with pytest.raises(ManifestError, match=r"Repair: clear the emulate task"):
        own.audit(window, "b00000000004", window_start=start, window_end=end)


def test_manifests_of_two_runs_or_less_than_three_are_refused(own: Streams, window: list[Sent]) -> None:
    mixed = [own.manifest(table, window, f"b0000000000{n}") for n, table in enumerate(TABLES, 5)]
    for given in (mixed, mixed[:1], mixed[:1] * 3):
        with pytest.raises(ManifestError, match=r"Repair: clear the emulate task"):
            own.run_job("audit_stream", given, **own.own)


def test_an_id_file_that_is_gone_says_what_sends_the_window_again(own: Streams, window: list[Sent]) -> None:
    gone = f"file://{own.folder}/gone.jsonl.gz"
    with pytest.raises(LakeGoneError, match=r"The id file .*gone\.jsonl\.gz .*Repair: clear emulate\.pin"):
        own.audit(window, "b00000000008", ids=gone)
