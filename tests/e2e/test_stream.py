"""The speed layer on the real stack: each post sent is one row that readers see, whatever happens, in this order."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from devstack import stream as live
from devstack import supervise
from devstack.s3proxy import client
from devstack.source.generate import Chunk
from tests.e2e.browser import page
from tests.e2e.conftest import SETUP, TABLES, Stack
from tests.e2e.streamed import (
    BASE,
    STREAM,
    Flood,
    Split,
    Window,
    assert_came,
    assert_one_row_each,
    categories_expected,
    categories_of_the_year,
    checkpoints,
    delete,
    generated,
    ids_of,
    in_tables,
    insert,
    returned,
    speed,
    streamed,
    unpause,
)
from tests.e2e.test_batch import GOLD

pytestmark = pytest.mark.e2e

ALL = Window("2021-11-20", "2021-11-27")
FOUR_DAYS = Window("2021-11-20", "2021-11-24")
LOGS = {
    "emulate.pin": r"\d+ posts selected, \d+ records acknowledged in `streaming-.*-pin`",
    "emulate.geo": r"geo: \d+ records were sent again",
    "ingest": r"user: batch \d+, \d+ records in [\d.]+ s, \d+ so far",
    "audit": r"pin stream_sums: 0 of (\d+), \1 acknowledged, \1 rows \+ 0 refused",
    "analytics.categories_by_year": r"rows\npost_year",
}
LIVE_HOUR = Window("2022-12-04T05:00", "2022-12-04T06:00")
KILLED, RESTARTED = Window("2021-11-24", "2021-11-25"), Window("2021-11-25", "2021-11-26")


@pytest.fixture(scope="module", autouse=True)
def posts(stack: Stack) -> Iterator[Chunk]:
    """Add posts to the source and serve both layers; put back source, settings, views and answers after all."""
    before = stack.api.get_variable("pinflow")
    made = generated()
    delete(stack)
    insert(stack, made)
    unpause(stack)
    stack.api.set_variable("pinflow", json.dumps({**json.loads(before), "serving": "lambda"}))
    yield made
    stack.api.unpause(STREAM, paused=True)
    stack.api.set_variable("pinflow", before)
    delete(stack)
    stack.finish(SETUP, stack.trigger(SETUP))
    stack.load(ALL.start, ALL.end)
    assert stack.rows(f"SELECT ind FROM gold.post_wide WHERE ind >= {BASE} OR layer <> 'batch'") == []
    assert categories_of_the_year(stack) == []


def test_a_streamed_post_is_one_row_that_readers_see_and_in_the_answers(stack: Stack) -> None:
    assert categories_of_the_year(stack) == []
    others = stack.checksum("gold.categories_by_year", "post_year <> 2021")
    before = in_tables(stack, FOUR_DAYS)
    run_id = streamed(stack, FOUR_DAYS)
    assert_came(before, assert_one_row_each(stack, run_id, FOUR_DAYS), len(ids_of(stack, FOUR_DAYS)))
    found = categories_of_the_year(stack)
    print(f"{sum(count for _, count in found)} posts in gold.categories_by_year")
    assert found == categories_expected(stack, FOUR_DAYS)
    assert stack.checksum("gold.categories_by_year", "post_year <> 2021") == others
    for task_id, words in LOGS.items():
        assert re.search(words, stack.log(STREAM, run_id, task_id)), task_id


@pytest.mark.long
def test_sent_again_by_the_other_transport_to_a_stream_split_meanwhile_and_a_busy_shard(
    stack: Stack, posts: Chunk, variable: dict[str, Any]
) -> None:
    stack.api.set_variable("pinflow", json.dumps({**variable, "transport": "direct"}))
    split, flood = Split(stack, "pin"), Flood(stack, posts.geos[0])
    before, count = in_tables(stack, FOUR_DAYS), len(ids_of(stack, FOUR_DAYS))
    run_id = stack.trigger(STREAM, {**FOUR_DAYS.conf, "rate": 40})
    stack.until(run_id, lambda: stack.task(STREAM, run_id, "select_posts").state == "success", dag_id=STREAM)
    flood.start()
    try:
        split.when_written()
        stack.until(
            run_id, lambda: stack.task(STREAM, run_id, "emulate.geo").state == "success", dag_id=STREAM
        )
    finally:
        flood.ended.set()
        flood.join()
    stack.finish(STREAM, run_id)
    (resent,) = re.findall(r"geo: (\d+) records were sent again", stack.log(STREAM, run_id, "emulate.geo"))
    shards = returned(stack, run_id, "emulate.pin")["shards"]
    written = {shard: span["count"] for shard, span in shards.items()}
    print(
        f"\nflood: {flood.sent} records in, {flood.refused} refused; ours sent again: {resent}; pin: {written}"
    )
    assert int(resent) > 0 < flood.refused
    assert {split.shard["ShardId"], *split.children()} <= set(written)
    assert_came(before, assert_one_row_each(stack, run_id, FOUR_DAYS), count, geo=flood.sent)
    assert categories_of_the_year(stack) == categories_expected(stack, FOUR_DAYS)


@pytest.mark.long
def test_the_spark_server_dies_while_it_reads(stack: Stack) -> None:
    before, known = in_tables(stack, KILLED), set(checkpoints(stack))
    run_id = stack.trigger(STREAM, KILLED.conf)
    stack.until(
        run_id, lambda: any("/offsets/" in key for key in set(checkpoints(stack)) - known), dag_id=STREAM
    )
    os.kill(stack.pid("spark"), signal.SIGKILL)  # a batch is planned, and not in its table
    stack.finish(STREAM, run_id)
    print(f"\ningest was tried {stack.task(STREAM, run_id, 'ingest').try_number} times")
    assert stack.task(STREAM, run_id, "ingest").try_number > 1
    assert_came(before, assert_one_row_each(stack, run_id, KILLED), len(ids_of(stack, KILLED)))


@pytest.mark.long
def test_after_a_restart_of_the_stack_the_checkpoints_go_on(stack: Stack) -> None:
    before = in_tables(stack, RESTARTED)
    supervise.down(stack.settings)
    supervise.up(stack.settings)
    run_id = streamed(stack, RESTARTED)
    numbers = re.findall(r"(?:pin|geo|user): batch (\d+), ", stack.log(STREAM, run_id, "ingest"))
    print(f"\nbatches {numbers}")
    assert len(numbers) >= len(TABLES)
    assert min(map(int, numbers)) > 0
    assert_came(before, assert_one_row_each(stack, run_id, RESTARTED), len(ids_of(stack, RESTARTED)))


@pytest.fixture(scope="module")
def published(stack: Stack) -> dict[str, str]:
    """Publish all days while readers see the batch layer only; return the checksum of each answer."""
    settings = stack.api.get_variable("pinflow")
    stack.api.set_variable("pinflow", json.dumps({**json.loads(settings), "serving": "batch"}))
    stack.finish(SETUP, stack.trigger(SETUP))
    assert stack.rows("SELECT ind FROM gold.post_wide WHERE layer = 'speed'") == []
    stack.load(ALL.start, ALL.end)
    stack.api.set_variable("pinflow", settings)
    return checksums(stack)


def checksums(stack: Stack) -> dict[str, str]:
    return {name: stack.checksum(f"gold.{name}") for name in GOLD}


@pytest.mark.long
def test_a_lost_checkpoint_is_refused_and_a_rebuild_gives_what_the_batch_layer_gives(
    stack: Stack, published: dict[str, str]
) -> None:
    s3, bucket = client(stack.settings), stack.settings.bucket
    for key in list(checkpoints(stack, "geo")):
        s3.delete_object(Bucket=bucket, Key=key)
    before = {table: stack.checksum(speed(stack, table)) for table in TABLES}
    run_id = streamed(stack, RESTARTED, expect="failed")
    said = stack.log(STREAM, run_id, "ingest")
    print(
        "\n" + next(line for line in said.splitlines() if "CheckpointLostError" in line and "Repair" in line)
    )
    assert f"has rows, and its checkpoint s3://{bucket}/checkpoints/" in said
    assert "run pinterest_stream with the param `rebuild`" in said
    assert {table: stack.checksum(speed(stack, table)) for table in TABLES} == before
    assert stack.task(STREAM, run_id, "serve_posts").state == "upstream_failed"

    run_id = streamed(stack, RESTARTED, rebuild=True)
    assert_one_row_each(stack, run_id, RESTARTED, layer="batch", rebuilt=True)
    inds = [int(row["ind"]) for row in stack.rows(f"SELECT ind FROM gold.post_speed WHERE ind >= {BASE}")]
    sent = [ind for window in (FOUR_DAYS, KILLED, RESTARTED) for ind in ids_of(stack, window)]
    print(f"{len(sent)} posts were sent, {len(inds)} are in gold.post_speed")
    assert sorted(inds) == sorted(sent)
    # over star and speed as over the star alone
    assert checksums(stack) == published


@pytest.mark.long
def test_a_late_post_of_a_published_day_is_seen_at_once(
    stack: Stack, posts: Chunk, published: dict[str, str]
) -> None:
    ind, moment = BASE + 900_000, "2021-11-22T13:14:15"
    late = Chunk(
        [(ind, *posts.pins[0][1:])],
        [(ind, moment, *posts.geos[0][2:])],
        [(ind, *posts.users[0][1:])],
    )
    insert(stack, late)
    try:
        before = dict(categories_of_the_year(stack))
        run_id = streamed(stack, Window("2021-11-22T13:00", "2021-11-22T14:00"))
        (row,) = stack.rows(f"SELECT layer, post_ts, title FROM gold.post_wide WHERE ind = {ind}")
        count = returned(stack, run_id, "emulate.pin")["count"]
        print(f"\nof {count} posts of the hour the late one is served as {row}")
        assert (row["layer"], row["post_ts"][:10]) == ("speed", "2021-11-22")
        category = posts.pins[0][-1]
        assert dict(categories_of_the_year(stack)) == {**before, category: before.get(category, 0) + 1}
        others = f"ind >= {BASE} AND ind <> {ind} AND layer <> 'batch'"
        assert stack.rows(f"SELECT ind FROM gold.post_wide WHERE {others}") == []
    finally:
        delete(stack, ind)


def test_the_graph_is_green_and_the_page_of_the_run_shows_each_batch(stack: Stack, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PINFLOW_IMAGES") or tmp_path)
    run_id = max(run.run_id for run in stack.api.runs(STREAM, run_type="manual", state="success"))
    path = f"/dags/{STREAM}/dagRuns/{run_id}/taskInstances/ingest/links"
    link = stack.api._call("GET", path).json()["extra_links"]["See Databricks Job Run"]
    with page() as tab:
        tab.goto(stack.api.run_link(STREAM, run_id))
        tab.get_by_text("wait_for_streams").first.wait_for(timeout=60_000)
        graph = tab.get_by_role("button", name="Graph")
        if graph.count():
            graph.first.click()
        tab.locator(".react-flow__node").first.wait_for(timeout=60_000)
        tab.get_by_text("Success").first.wait_for(timeout=60_000)
        assert tab.locator(".react-flow__node").count() >= 8
        tab.screenshot(path=folder / "pinterest_stream.png")
        tab.goto(link)
        tab.locator("b.SUCCESS").first.wait_for(timeout=60_000)
        said = tab.locator("pre").all_inner_texts()
        tab.screenshot(path=folder / "ingest_batches.png")
    for table in TABLES:
        assert any(re.search(rf"{table}: batch \d+, \d+ records in [\d.]+ s", text) for text in said), said
    assert {task.state for task in stack.api.tasks(STREAM, run_id)} == {"success"}


def records(stack: Stack) -> dict[str, tuple[int, int]]:
    """Count rows and records of the three tables."""
    sql = "SELECT count(*) `rows`, count(DISTINCT sequence_number) records FROM "
    found = {table: stack.rows(sql + speed(stack, table))[0] for table in TABLES}
    return {table: (int(row["rows"]), int(row["records"])) for table, row in found.items()}


@pytest.mark.long
def test_live_posts_are_read_continuously_and_the_hourly_run_leaves_its_reading_to_that(
    stack: Stack, variable: dict[str, Any]
) -> None:
    stack.api.set_variable("pinflow", json.dumps({**variable, "serving": "batch"}))
    before, said = records(stack), list[str]()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(live.main, stack.settings, 60, 40, said.append)
        ends = time.monotonic() + 120
        while not (runs := stack.api.runs(live.DAG)):
            assert time.monotonic() < ends, said
            time.sleep(0.5)
        live_run = runs[-1].run_id
        stack.until(live_run, lambda: stack.has_submitted(live.DAG, live_run, "ingest"), dag_id=live.DAG)
        hour = stack.trigger(STREAM, LIVE_HOUR.conf)
        watch = watching.result(600)
    stack.finish(STREAM, hour)
    sent = {
        table: [returned(stack, run_id, f"emulate.{table}", dag_id)["count"] for dag_id, run_id in
                ((live.DAG, live_run), (STREAM, hour))]
        for table in TABLES
    }  # fmt: skip
    print("\n" + "\n".join(said) + f"\nacknowledged by the live and the hourly run: {sent}")
    assert stack.task(STREAM, hour, "ingest").state == "skipped"
    assert "reads the streams continuously, and these records too" in stack.log(STREAM, hour, "ingest")
    after = records(stack)
    for table in TABLES:
        assert sent[table] == [800, len(ids_of(stack, LIVE_HOUR))]
        came = tuple(now - then for now, then in zip(after[table], before[table], strict=True))
        assert came == (sum(sent[table]), sum(sent[table])), table
    assert len(watch.rows) == sum(map(sum, sent.values()))
    assert any(re.search(r"\d+ rows/s +lag +[\d.]+ s +sent to visible: p50", line) for line in said)
    batches = re.findall(r"pin: batch \d+, \d+ records", stack.log(live.DAG, live_run, "ingest"))
    assert len(batches) > 1, "read in one batch: not continuously"
