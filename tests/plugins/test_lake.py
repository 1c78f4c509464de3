import pytest

from pinflow.errors import LakeError
from pinflow.hooks.lake import LakeHook


def test_a_missing_bucket_or_object_names_itself_and_the_connection(bucket: str) -> None:
    for uri in ("s3://another-bucket/x", f"s3://{bucket}/absent"):
        with pytest.raises(LakeError, match=rf"{uri} is out of reach.*Repair: .*`pinterest_aws`.*#lake"):
            LakeHook().read(uri)
    with pytest.raises(LakeError, match="another-bucket"):
        LakeHook().write("s3://another-bucket/x", b"")
    with pytest.raises(LakeError, match="another-bucket"):
        list(LakeHook().keys_after("another-bucket", "topics/", ""))
