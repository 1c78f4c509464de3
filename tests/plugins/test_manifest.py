import pytest

from pinflow import paths
from pinflow.errors import ManifestError
from pinflow.manifest import Manifest, Span, pack, pack_ids, spans, unpack
from pinflow.window import Window

WINDOW = Window.parse("2022-10-15T00:00:00Z", "2022-10-16T00:00:00Z")


def test_spans_hold_first_and_last_offset_and_the_last_id_per_partition() -> None:
    assert spans([(7, 1, 12), (8, 0, 3), (9, 1, 10), (6, 1, 11)]) == {
        "0": Span(3, 3, 8),
        "1": Span(10, 12, 7),
    }


def test_a_manifest_survives_json_and_leaves_absent_fields_out() -> None:
    manifest = Manifest(
        "pin",
        "u.pin",
        WINDOW.start_text,
        WINDOW.end_text,
        "r",
        2,
        1,
        "s3://b/p",
        "s3://b/i",
        {"0": Span(1, 2, 3)},
    )
    assert "keys" not in manifest.to_json()
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize("raw", [None, "text", {}, {"partitions": {"0": {"first": 1}}}])
def test_a_malformed_manifest_says_what_to_clear(raw: object) -> None:
    with pytest.raises(ManifestError, match="clear the `emulate` task"):
        Manifest.from_json(raw)


def test_packed_rows_are_the_same_bytes_each_time_and_read_back() -> None:
    rows = [{"ind": 1, "post_ts": "2022-10-15T00:00:00Z"}, {"ind": 2, "post_ts": "x"}]
    assert pack(rows) == pack(rows)
    assert list(unpack(pack(rows))) == rows
    assert list(unpack(pack([]))) == []


def test_an_id_file_is_ordered_by_place_and_says_when_each_post_was() -> None:
    written = pack_ids([(7, 1, 12), (8, 0, 3), (7, 1, 2)], {7: "t7", 8: "t8"})
    assert list(unpack(written)) == [
        {"ind": 8, "post_ts": "t8", "partition": 0, "offset": 3},
        {"ind": 7, "post_ts": "t7", "partition": 1, "offset": 2},
        {"ind": 7, "post_ts": "t7", "partition": 1, "offset": 12},
    ]


def test_keys_are_padded_as_asked_and_parsed_at_any_width() -> None:
    assert paths.landed_key("u.pin", 2, 42, 10) == "topics/u.pin/partition=2/u.pin+2+0000000042.json"
    assert paths.start_offset(paths.landed_key("u.pin", 2, 42, 20)) == 42
    assert paths.start_offset("topics/u.pin/partition=2/other.json") is None


def test_the_run_hash_tells_runs_apart() -> None:
    assert paths.run_hash("a", "b/c") == paths.run_hash("a", "b/c")
    assert paths.run_hash("a", "b") != paths.run_hash("a", "c")
    assert len(paths.run_hash("a", "b")) == 12


def test_manifest_keys_name_table_window_run_and_try() -> None:
    key = paths.manifest_key("pin", WINDOW, "0123456789ab", 2)
    assert key == "manifests/pin/20221015T000000Z_20221016T000000Z/0123456789ab/2.jsonl.gz"


def test_the_run_of_a_manifest_is_read_from_its_key_and_from_no_other() -> None:
    key = paths.manifest_key("pin", WINDOW, "abc123", 2)
    assert paths.run_of_manifest(key) == "abc123"
    assert paths.run_of_manifest(f"{key.removesuffix('.jsonl.gz')}.keys.txt") == "abc123"
    for other in ("manifests/setup-check", "reconcile/abc/snapshot_source/1/pin", key + "/x"):
        assert paths.run_of_manifest(other) is None
