"""The erasure's own tasks, with the lake in moto: what is rewritten, and what stays byte for byte."""

import gzip
import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from pinflow.erasure import ERASED
from pinflow.errors import EraseError
from pinflow.hooks.lake import LakeHook
from pinflow.operators import erase_user
from pinflow.operators.erase_user import EraseObjectsOperator, PlanErasureOperator
from pinflow.paths import landed_key

PARAM = {"user_name": "Zoë Abbott", "age": 20}
FOUND = {
    "posts": [4, 5],
    "known": True,
    "age": 20,
    "date_joined": "2015-10-21 03:04:05",
    "sole": True,
    "unclear": 0,
}
WINDOW = "20221015T000000Z_20221016T000000Z/aaaa00000001"
ERASED_POSTS = "manifests/erased/"


def context(erase: Any, rebuild: bool = False) -> Any:
    run = SimpleNamespace(dag_id="pinterest_maintenance", run_id="manual__1")
    return {"params": {"erase": erase, "rebuild": rebuild}, "dag_run": run}


def user(ind: int, first: str = "Zoë", age: int = 20) -> bytes:
    row = {"ind": ind, "first_name": first, "last_name": "Abbott", "age": age}
    return json.dumps({**row, "date_joined": "2015-10-21 03:04:05"}, ensure_ascii=False).encode()


def lines(*each: bytes) -> bytes:
    return b"".join(line + b"\n" for line in each)


def topic(table: str, start: int, partition: int = 0, owner: str = "12e834567890") -> str:
    return landed_key(f"{owner}.{table}", partition, start, 20)


OBJECTS = {
    topic("pin", 0): lines(b'{"index":3}', b'{"index":4,"t":"x"}', b"junk \xff", b'{"index":5}'),
    topic("geo", 0): lines(b'{"ind":4}', b'{"ind":40}'),
    topic("geo", 2, 1): lines(b'{"ind":5}', b'{"ind":6}', b'{"ind":4}'),
    topic("user", 0): lines(user(3, "Other"), user(4), user(6, age=21), user(7)),
    f"reconcile/bbbb/snapshot_source/1/user/partition=0/user+0+{0:020d}.json.gz": gzip.compress(
        lines(user(5), user(8, "Other"))
    ),
    f"reconcile/bbbb/snapshot_source/1/posts/partition=0/posts+0+{0:020d}.json.gz": gzip.compress(
        lines(b'{"ind":4,"post_ts":"x"}', b'{"ind":9,"post_ts":"x"}')
    ),
    f"manifests/posts/{WINDOW}/1.jsonl.gz": gzip.compress(lines(b'{"ind":5}', b'{"ind":6}')),
    f"manifests/pin/{WINDOW}/1.jsonl.gz": gzip.compress(
        lines(b'{"ind":4,"offset":1}', b'{"ind":3,"offset":0}')
    ),
}
OTHERS = {
    topic("pin", 500): lines(b'{"index":50}', b"\xff\xfe", b""),
    topic("user", 500): lines(user(50, "Other")),
    topic("user", 0, owner="aaaaaaaaaaaa"): lines(user(4)),
    topic("probe", 0): lines(b'{"ind":4}'),
    f"topics/12e834567890.pin/partition=0/{'notes'}.txt": lines(b'{"index":4}'),
    f"manifests/geo/{WINDOW}/1.jsonl.gz": gzip.compress(lines(b'{"ind":3,"offset":0}')),
    f"manifests/geo/{WINDOW}/1.keys.txt": b"s3://x",
    "manifests/setup-check": b"ok",
    f"reconcile/bbbb/snapshot_source/1/pin/partition=0/pin+0+{0:020d}.json.gz": gzip.compress(
        b'{"index":3}\n'
    ),
    "code/abc/jobs/clean.py": lines(user(4)),
    "reports/4.html": lines(user(4)),
    "lake/silver/pin/part-0.parquet": b'{"index":4}',
}


@pytest.fixture
def client(bucket: str) -> Any:
    made = boto3.client("s3", region_name="us-east-1")
    for key, body in {**OBJECTS, **OTHERS}.items():
        made.put_object(Bucket=bucket, Key=key, Body=body)
    return made


def stored(client: Any, bucket: str) -> dict[str, bytes]:
    entries = client.list_objects_v2(Bucket=bucket)["Contents"]
    return {
        entry["Key"]: client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in entries
    }


def erase(found: Any = FOUND) -> dict[str, Any]:
    task = EraseObjectsOperator(task_id="erase_objects", found=found)
    return dict(task.execute(context(PARAM)))


def test_a_users_lines_leave_every_kind_of_object_and_the_others_keep_their_offsets(
    bucket: str, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    result = erase()
    log = capsys.readouterr().out
    after = stored(client, bucket)
    pin, geo = b'{"index":%d}' % ERASED, b'{"ind":%d}' % ERASED
    assert after[topic("pin", 0)] == lines(b'{"index":3}', pin, b"junk \xff", pin)
    assert after[topic("geo", 0)] == lines(geo, b'{"ind":40}')
    assert after[topic("geo", 2, 1)] == lines(geo, b'{"ind":6}', geo)
    # post 7 is another's by now, this old line of it is the user's
    assert after[topic("user", 0)] == lines(user(3, "Other"), geo, user(6, age=21), geo)
    inside = {key: gzip.decompress(body) for key, body in after.items() if key.endswith(".gz")}
    packed = [key for key in OBJECTS if key.endswith(".gz")]
    assert [inside[key] for key in packed] == [
        lines(geo, user(8, "Other")),
        lines(b'{"ind":9,"post_ts":"x"}'),
        lines(b'{"ind":6}'),
        lines(b'{"ind":3,"offset":0}'),
    ]
    assert result["objects"] == dict.fromkeys(OBJECTS, 1) | {
        topic("pin", 0): 2,
        topic("geo", 2, 1): 2,
        topic("user", 0): 2,
    }
    assert {key: after[key] for key in OTHERS} == OTHERS
    assert f"{topic('pin', 0)}: 2 lines erased" in log
    for told in (log, json.dumps(result)):
        assert "Abbott" not in told
        assert "Zo" not in told


def test_what_is_not_the_users_is_not_even_written(bucket: str, client: Any) -> None:
    written: list[str] = []

    class Watched(LakeHook):
        def write(self, uri: str, content: bytes) -> str:
            written.append(uri.removeprefix(f"s3://{bucket}/"))
            return str(super().write(uri, content))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erase_user, "LakeHook", Watched)
        posts = erase()["posts"].removeprefix(f"s3://{bucket}/")
        assert posts.startswith(ERASED_POSTS)
        assert sorted(written) == sorted([*OBJECTS, posts])
        written.clear()
        again = erase()
    assert written == [posts]
    assert again["objects"] == {}


def test_the_ids_are_handed_on_as_a_file_and_the_rest_without_the_name(bucket: str, client: Any) -> None:
    result = erase()
    key = result["posts"].removeprefix(f"s3://{bucket}/")
    assert stored(client, bucket)[key] == b'{"ind":4}\n{"ind":5}\n'
    assert result["found"] == {name: value for name, value in FOUND.items() if name != "posts"}
    assert len(result["name_sha256"]) == 64


def test_objects_by_which_a_user_is_found_go_after_the_others_of_their_kind(bucket: str, client: Any) -> None:
    landed = [key for key in erase()["objects"] if key.startswith("topics/")]
    assert [key.split("/")[1].partition(".")[2] for key in landed] == ["pin", "geo", "geo", "user"]


def test_nobody_is_found_and_nothing_is_written(bucket: str, client: Any) -> None:
    nobody = {**FOUND, "posts": [], "known": False, "age": None, "date_joined": None, "sole": False}
    assert erase(nobody)["objects"] == {}
    after = stored(client, bucket)
    assert {key: after[key] for key in {**OBJECTS, **OTHERS}} == {**OBJECTS, **OTHERS}


def test_without_the_param_or_what_was_found_nothing_is_touched(bucket: str, client: Any) -> None:
    task = EraseObjectsOperator(task_id="erase_objects", found=FOUND)
    with pytest.raises(EraseError, match="Repair: "):
        task.execute(context(None))
    with pytest.raises(EraseError, match="Repair: clear `find_user`"):
        erase(None)
    assert stored(client, bucket) == {**OBJECTS, **OTHERS}


def plan(erase: Any, rebuild: bool = False) -> dict[str, Any]:
    return dict(PlanErasureOperator(task_id="plan_erasure").execute(context(erase, rebuild)))


def test_a_run_without_the_param_skips_and_one_that_rebuilds_too_is_refused(bucket: str) -> None:
    with pytest.raises(AirflowSkipException):
        plan(None)
    with pytest.raises(AirflowSkipException):
        plan(None, rebuild=True)
    with pytest.raises(EraseError, match=r"erases or rebuilds.*#erase"):
        plan(PARAM, rebuild=True)


def test_the_plan_says_where_to_look_and_whom_for_without_the_name(
    bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = plan({**PARAM, "date_joined": "2015-10-21"})
    log = capsys.readouterr().out
    assert made["wanted"].keys() == {"name_sha256", "age", "date_joined"}
    assert made["objects"] == [
        f"s3://{bucket}/topics/12e834567890.user/partition=*/*.json",
        f"s3://{bucket}/reconcile/*/*/*/user/partition=0/*",
    ]
    assert "Abbott" not in log + json.dumps(made)
    assert "Erase them in the source first" in log
