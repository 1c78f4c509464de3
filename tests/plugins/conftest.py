import json
from collections.abc import Iterator

import pytest

from pinflow.hooks import batches

BUCKET = "user-12e834567890-bucket"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The lake's bucket in moto, with the connections and the Variable that lead there."""
    import boto3
    from moto import mock_aws

    aws = {"conn_type": "aws", "login": "k", "password": "s", "extra": {"region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_AWS", json.dumps(aws))
    monkeypatch.setenv(
        "AIRFLOW_VAR_PINFLOW", json.dumps({"sink": {"records_per_object": 3}, "transport": "direct"})
    )
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield BUCKET


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses the writer would have made."""
    seen: list[float] = []
    monkeypatch.setattr(batches, "_sleep", lambda _, seconds: seen.append(seconds))
    return seen
