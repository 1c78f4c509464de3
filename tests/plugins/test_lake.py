import json

import boto3
import pytest
from botocore.exceptions import ClientError

from pinflow import setup
from pinflow.errors import LakeError, SetupError
from pinflow.hooks.lake import LakeHook


def test_a_missing_bucket_or_object_names_itself_and_the_connection(bucket: str) -> None:
    for uri in ("s3://another-bucket/x", f"s3://{bucket}/absent"):
        with pytest.raises(LakeError, match=rf"{uri} is out of reach.*Repair: .*`pinterest_aws`.*#lake"):
            LakeHook().read(uri)
    with pytest.raises(LakeError, match="another-bucket"):
        LakeHook().write("s3://another-bucket/x", b"")
    with pytest.raises(LakeError, match="another-bucket"):
        list(LakeHook().keys_after("another-bucket", "topics/", ""))


def test_setup_makes_an_absent_bucket_and_says_one_repair_when_it_may_not(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PINFLOW", json.dumps({"bucket": "made-by-setup"}))
    setup.check_lake()
    setup.check_lake()
    names = [each["Name"] for each in boto3.client("s3", region_name="us-east-1").list_buckets()["Buckets"]]
    assert sorted(names) == ["made-by-setup", bucket]

    def denied(*_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    monkeypatch.setattr(LakeHook, "check_for_bucket", denied)
    with pytest.raises(SetupError, match=r"made-by-setup cannot be used: .*AccessDenied.*#setup") as raised:
        setup.check_lake()
    assert str(raised.value).count("Repair: ") == 1
