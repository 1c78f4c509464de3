from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from devstack.sink.store import HeldError, Store, StoreError
from tests.devstack.sink_doubles import TOPIC, config

CONFIG = replace(config(), bucket="lake", region="us-east-1", access_key="a", secret_key="b")


@pytest.fixture
def store() -> Iterator[Store]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="lake")
        yield Store(CONFIG)


def test_an_object_comes_back_as_it_was(store: Store) -> None:
    key = CONFIG.key(TOPIC, 0, 3)
    store.put(key, b'{"a":1.10}\n', replace=False)
    assert store.read(key) == b'{"a":1.10}\n'


def test_a_held_name_is_not_written_over_unless_asked(store: Store) -> None:
    key = CONFIG.key(TOPIC, 0, 3)
    store.put(key, b"old\n", replace=False)
    with pytest.raises(HeldError):
        store.put(key, b"new\n", replace=False)
    assert store.read(key) == b"old\n"
    store.put(key, b"new\n", replace=True)
    assert store.read(key) == b"new\n"


def test_starts_are_listed_past_an_offset_over_many_pages(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = store._call
    monkeypatch.setattr(store, "_call", lambda name, **given: call(name, MaxKeys=3, **given))
    for start in range(8, 18):
        call("put_object", Key=CONFIG.key(TOPIC, 0, start), Body=b"x\n")
    call("put_object", Key=CONFIG.key(TOPIC, 1, 5000), Body=b"x\n")
    call("put_object", Key=CONFIG.key_prefix(TOPIC, 0) + "notes.txt", Body=b"x\n")
    assert list(store.starts(TOPIC, 0, -1)) == list(range(8, 18))
    assert list(store.starts(TOPIC, 0, 15)) == [16, 17]


def test_a_missing_object_and_a_missing_bucket_can_be_asked_for_again(store: Store) -> None:
    with pytest.raises(StoreError, match="NoSuchKey"):
        store.read("nothing")
    with pytest.raises(StoreError, match="head_bucket"):
        Store(replace(CONFIG, bucket="elsewhere")).check()


def test_a_last_line_without_an_end_is_ended(store: Store) -> None:
    store.put("k", b"a\nb", replace=False)
    assert store.read("k") == b"a\nb\n"
