"""Every acknowledged record is once a row or refused: nothing new, sent again, split and merged in between."""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pinspark.contracts import TABLES
from tests.include.landed import ROWS, geo_row, pin_row, user_row, wire
from tests.include.poison import JUNK, WAYS
from tests.include.streams import Place, Sent, Streams

POSTS = 120
EVERY = 10
NULLS = 900  # the post of which nothing is known but when and that
BINARY = b"\xff\xfe\x00junk"
FOREIGN = [*JUNK.values(), BINARY, b"", b'{"title":"no id"}', b'{"index":"12e8"}', b"[]"]


@dataclass
class Moment:
    """What was in the lake after a run."""

    said: dict[str, Any]
    places: dict[str, list[Place]]
    refused: list[Any]
    posts: list[Any]

    @classmethod
    def now(cls, streams: Streams, said: dict[str, Any]) -> "Moment":
        places = {table: streams.places(table) for table in TABLES}
        return cls(said, places, streams.refused(), streams.posts())


@dataclass
class Story:
    """One person's streams, run by run."""

    streams: Streams
    sent: list[Sent]
    reasons: dict[tuple[str, int], list[str]]
    moments: list[Moment]
    audits: list[dict[str, Any]]


def first_window() -> tuple[dict[str, list[tuple[int | None, bytes]]], dict[tuple[str, int], list[str]]]:
    """Lay out the window's records: one post in ten is bad in one of the ways; junk between the pins."""
    ways = list(WAYS.values())
    records: dict[str, list[tuple[int | None, bytes]]] = {table: [] for table in TABLES}
    reasons = {}
    for ind in range(POSTS):
        lines = {table: wire(ROWS[table](ind)) for table in TABLES}
        if ind % EVERY == 0:
            table, line, why = ways[ind // EVERY % len(ways)]
            lines[table], reasons[table, ind] = line(ind), why
        for table in TABLES:
            records[table].append((ind, lines[table]))
    known = {
        "pin": pin_row(NULLS) | dict.fromkeys([n for n in pin_row(NULLS) if n != "index"]),
        "geo": geo_row(NULLS) | dict.fromkeys(["country", "latitude", "longitude"]),
        "user": user_row(NULLS) | dict.fromkeys(["first_name", "last_name", "age", "date_joined"]),
    }
    for table in TABLES:
        records[table].append((NULLS, wire(known[table])))
    records["pin"][7:7] = [(None, junk) for junk in FOREIGN]
    return records, reasons


@pytest.fixture(scope="module")
def story(streams: Callable[[str], Streams]) -> Story:
    own = streams("12e834567890").create(shards=2)
    records, reasons = first_window()
    sent = [one for table in TABLES for one in own.send(table, records[table])]
    moments = [Moment.now(own, own.ingest())]
    audits = [own.audit(sent, "a00000000001")]
    moments.append(Moment.now(own, own.ingest()))
    again = [one for table in TABLES for one in own.send(table, records[table])]
    # a page is smaller than what a shard holds: many batches, and children in the middle of them
    own.kinesis.split(own.name("pin"), 0)
    own.kinesis.merge(own.name("geo"), 0, 1)
    again += own.send_posts(*range(1000, 1040))
    moments.append(Moment.now(own, own.ingest(options='{"maxRecordsPerFetch": "90"}')))
    audits.append(own.audit(again, "a00000000002"))
    return Story(own, sent, reasons, moments, audits)


def good(sent: list[Sent], story: Story, table: str) -> list[Place]:
    own = [one for one in sent if one.table == table and one.ind is not None]
    return sorted(one.place for one in own if (table, one.ind) not in story.reasons)


def test_every_record_is_a_row_or_refused_once(story: Story) -> None:
    first = story.moments[0]
    for table in TABLES:
        assert first.places[table] == good(story.sent, story, table)
    bad = [one for one in story.sent if one.ind is None or (one.table, one.ind) in story.reasons]
    assert len(bad) == len(story.reasons) + len(FOREIGN) == POSTS // EVERY + len(FOREIGN)
    found = [(row.source_table, row.shard_id, row.sequence_number) for row in first.refused]
    assert sorted(found) == sorted((one.table, *one.place) for one in bad)
    counts = {table: sum(one.table == table for one in story.sent) for table in TABLES}
    assert {table: first.said[table]["records"] for table in TABLES} == counts
    assert sum(map(len, first.places.values())) + len(first.refused) == sum(counts.values())


def test_a_refused_record_is_kept_as_it_came_with_its_reasons(story: Story) -> None:
    refused = story.moments[0].refused
    own = {(row.source_table, row.ind): row for row in refused if row.kind == "own"}
    assert {place: row.reasons for place, row in own.items()} == story.reasons
    data = {one.place: one.data for one in story.sent}
    for row in refused:
        raw = row.raw.encode()
        raw = base64.b64decode(raw.removeprefix(b"base64:")) if raw.startswith(b"base64:") else raw
        assert raw == data[row.shard_id, row.sequence_number]
    foreign = [row for row in refused if row.kind == "foreign"]
    assert len(foreign) == len(FOREIGN)
    assert {(row.source_table, row.ind) for row in foreign} == {("pin", None)}
    assert all(row.reasons for row in refused)


def test_a_run_without_anything_new_changes_nothing(story: Story) -> None:
    first, second = story.moments[:2]
    assert [second.said[table] for table in TABLES] == [{"batches": 0, "records": 0}] * 3
    assert (second.places, second.posts) == (first.places, first.posts)
    assert len(second.refused) == len(first.refused)


def test_a_second_sending_and_new_shards_come_once_each(story: Story) -> None:
    first, third = story.moments[0], story.moments[2]
    everything = story.streams.acknowledged
    for table in TABLES:
        assert third.places[table] == good(everything, story, table)
        assert len(third.places[table]) == 2 * len(first.places[table]) + 40
        assert third.said[table]["records"] == POSTS + 1 + 40 + (len(FOREIGN) if table == "pin" else 0)
    assert len(third.refused) == 2 * len(first.refused)
    shards = {table: {shard[-1] for shard, _ in third.places[table]} for table in TABLES}
    assert shards == {"pin": set("0123"), "geo": set("012"), "user": set("01")}
    assert third.said["pin"]["batches"] >= 2


def test_a_post_is_shown_once_however_often_it_came(story: Story) -> None:
    for moment, more in ((story.moments[0], 0), (story.moments[2], 40)):
        assert Counter(row.ind for row in moment.posts) == Counter(
            [*range(POSTS), NULLS, *range(1000, 1000 + more)]
        )
        assert {row.layer for row in moment.posts} == {"speed"}
    posts = {row.ind: row.asDict() for row in story.moments[2].posts}
    assert posts[1]["title"] == "title 1"
    assert posts[1]["follower_count"] == 12_000
    assert (posts[1]["latitude"], posts[1]["user_name"]) == (-89.9787, "Aaron Abbott")
    assert f"{posts[1]['post_ts']} {posts[1]['post_date']}" == "2022-10-15 01:02:03 2022-10-15"
    known = {name for name, value in posts[NULLS].items() if value is not None}
    assert known == {"ind", "post_ts", "post_date", "layer"}
    # its pin was refused, the rest of it is there
    assert posts[0]["title"] is None
    assert posts[0]["country"] == "Cuba"


def test_the_audit_finds_every_record_of_both_sendings(story: Story) -> None:
    bad = Counter(table for table, _ in story.reasons)
    for audit, more in zip(story.audits, (0, 40), strict=True):
        for table in TABLES:
            total = POSTS + 1 + more
            said = f"{total} acknowledged, {total - bad[table]} rows + {bad[table]} refused"
            assert audit[table] == said
    doubles = [line for line in story.audits[1]["log"] if "stream_doubles" in line]
    assert doubles == [
        f"WARNING {t} stream_doubles: {POSTS + 1} of {POSTS + 41}, older records of these posts"
        for t in TABLES
    ]


def test_streams_without_records_are_read_and_then_what_comes(streams: Callable[[str], Streams]) -> None:
    own = streams("0ec6d756577b").create()
    said = own.ingest()
    assert {table: said[table]["records"] for table in TABLES} == dict.fromkeys(TABLES, 0)
    own.send_posts(1, 2, 3)
    said = own.ingest()
    assert {table: said[table]["records"] for table in TABLES} == dict.fromkeys(TABLES, 3)
    for table in TABLES:
        assert own.places(table) == sorted(one.place for one in own.acknowledged if one.table == table)
    assert own.refused() == []
    assert [(row.ind, row.layer) for row in own.posts()] == [(n, "speed") for n in (1, 2, 3)]
