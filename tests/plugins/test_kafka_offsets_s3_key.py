import json
from typing import Any

import boto3
import pytest

from pinflow.errors import ObjectGoneError
from pinflow.manifest import Manifest, Span
from pinflow.paths import landed_key
from pinflow.sensors.kafka_offsets_s3_key import KafkaOffsetsS3KeySensor

TOPIC = "12e834567890.geo"


def put(bucket: str, partition: int, start: int, ids: list[int]) -> str:
    key = landed_key(TOPIC, partition, start, 20)
    body = "".join(json.dumps({"ind": ind}) + "\n" for ind in ids)
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def manifest(bucket: str, partitions: dict[str, Span]) -> dict[str, Any]:
    ids = f"s3://{bucket}/manifests/geo/w/r/1.jsonl.gz"
    return Manifest("geo", TOPIC, "a", "b", "r", 9, 9, "s3://p", ids, partitions).to_json()


def poke(bucket: str, partitions: dict[str, Span]) -> Any:
    return KafkaOffsetsS3KeySensor(task_id="land", manifest=manifest(bucket, partitions)).poke({})


def listed(bucket: str, result: Any) -> list[str]:
    key = result.xcom_value["keys"].removeprefix(f"s3://{bucket}/")
    body = boto3.client("s3", region_name="us-east-1").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body.decode().split("\n") if body else []


def test_waits_while_nothing_has_landed(bucket: str) -> None:
    assert not poke(bucket, {"0": Span(0, 4, 14)}).is_done


def test_waits_while_the_last_id_is_not_in_the_newest_object(bucket: str) -> None:
    put(bucket, 0, 0, [10, 11, 12])
    put(bucket, 0, 3, [13])
    assert not poke(bucket, {"0": Span(0, 4, 14)}).is_done


def test_is_satisfied_by_the_last_id_in_the_newest_object(bucket: str) -> None:
    uris = [put(bucket, 0, 0, [10, 11, 12]), put(bucket, 0, 3, [13, 14])]
    result = poke(bucket, {"0": Span(0, 4, 14)})
    assert result.is_done
    assert listed(bucket, result) == uris
    assert result.xcom_value["objects"] == 2


def test_the_last_id_of_an_earlier_load_is_not_taken_for_this_one(bucket: str) -> None:
    put(bucket, 0, 0, [10, 11, 12])
    assert not poke(bucket, {"0": Span(3, 4, 12)}).is_done
    last = put(bucket, 0, 3, [11, 12])
    assert listed(bucket, poke(bucket, {"0": Span(3, 4, 12)})) == [last]


def test_is_satisfied_by_a_later_object_and_leaves_it_out(bucket: str) -> None:
    uris = [put(bucket, 0, 0, [10, 11, 12]), put(bucket, 0, 3, [13, 14])]
    put(bucket, 0, 5, [99])
    assert listed(bucket, poke(bucket, {"0": Span(1, 4, 14)})) == uris


def test_objects_before_the_first_offset_are_left_out(bucket: str) -> None:
    put(bucket, 0, 0, [1, 2, 3])
    put(bucket, 0, 3, [4, 5])
    last = put(bucket, 0, 5, [6, 7])
    assert listed(bucket, poke(bucket, {"0": Span(5, 6, 7)})) == [last]


def test_every_partition_must_have_landed(bucket: str) -> None:
    put(bucket, 0, 0, [1])
    assert not poke(bucket, {"0": Span(0, 0, 1), "2": Span(0, 0, 2)}).is_done
    put(bucket, 2, 0, [2])
    assert poke(bucket, {"0": Span(0, 0, 1), "2": Span(0, 0, 2)}).is_done


def test_an_empty_window_is_satisfied_at_once_with_no_keys(bucket: str) -> None:
    result = poke(bucket, {})
    assert result.is_done
    assert listed(bucket, result) == []


@pytest.mark.parametrize("junk", [b"not json\n", b"\xff\xfe\n", b"[1]\n", b'"1"\n', b"\n"])
def test_junk_lines_of_others_do_not_disturb(bucket: str, junk: bytes) -> None:
    key = landed_key(TOPIC, 0, 0, 20)
    boto3.client("s3", region_name="us-east-1").put_object(
        Bucket=bucket, Key=key, Body=b'{"ind": 5}\n' + junk
    )
    assert poke(bucket, {"0": Span(0, 0, 5)}).is_done


def test_landed_objects_that_are_gone_are_told_from_those_that_have_not_come(bucket: str) -> None:
    put(bucket, 0, 9, [99])
    with pytest.raises(
        ObjectGoneError, match=r"offsets 3 to 4 of .*9\.json.*Repair: clear emulate\.geo.*#gone"
    ):
        poke(bucket, {"0": Span(3, 4, 12)})
    assert not poke(bucket, {"0": Span(10, 12, 12)}).is_done


def test_a_last_row_that_was_erased_since_has_landed(bucket: str) -> None:
    put(bucket, 0, 0, [10, 11, 12])
    body = b'{"ind":13}\n{"ind":-2147483648}\n'
    key = landed_key(TOPIC, 0, 3, 20)
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=bucket, Key=key, Body=body)
    assert poke(bucket, {"0": Span(0, 4, 14)}).is_done
    assert not poke(bucket, {"0": Span(0, 5, 15)}).is_done
