"""A deployment beside the DAGs, plugins and requirements of others: moto's S3, and an MWAA that answers as the service."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.mwaa import DeployError, requirements
from infra.mwaa.build import build, pack
from infra.mwaa.deploy import deploy

BUCKET, NAME = "theirs-mwaa", "shared"
OURS = "dags/pinflow/"


class Mwaa:
    """Stands for the service behind a real client, which checks what is asked; moto has no MWAA."""

    def __init__(self, **fields: Any) -> None:
        self.fields = {
            "Name": NAME,
            "Status": "AVAILABLE",
            "AirflowVersion": "3.3.1",
            "SourceBucketArn": f"arn:aws:s3:::{BUCKET}",
            "DagS3Path": "dags/",
            "WebserverUrl": "abc.airflow.us-east-1.on.aws",
            **fields,
        }
        self.updates: list[dict[str, Any]] = []
        # what the environment is after an update, one for each time it is asked
        self.ahead: list[dict[str, Any]] = [
            {"Status": "UPDATING"},
            {"Status": "UPDATING"},
            {"Status": "AVAILABLE"},
        ]
        self.client = boto3.client("mwaa", region_name="us-east-1")
        self.client.meta.events.register("before-call.mwaa.GetEnvironment", self.get)
        self.client.meta.events.register("before-call.mwaa.UpdateEnvironment", self.update)

    def get(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        if not params["url_path"].endswith(f"/environments/{NAME}"):
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}
            return type("Answer", (), {"status_code": 404}), error
        if self.updates and self.ahead:
            self.fields |= self.ahead.pop(0)
        return type("Answer", (), {"status_code": 200}), {"Environment": self.fields}

    def update(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        import json

        changes = json.loads(params["body"])
        self.updates.append(changes)
        self.fields |= {name: value for name, value in changes.items() if name != "WorkerReplacementStrategy"}
        return type("Answer", (), {"status_code": 200}), {"Arn": "arn"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("mwaa") / "out").parent


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


def zipped(**files: str) -> bytes:
    target = io.BytesIO()
    pack(target, {name.replace("__", "."): text.encode() for name, text in files.items()})
    return target.getvalue()


def put(s3: Any, **objects: bytes) -> None:
    names = {"plugins": "plugins.zip", "requirements": "requirements.txt", "startup": "startup.sh"}
    for name, content in objects.items():
        s3.put_object(Bucket=BUCKET, Key=names[name], Body=content)


def listing(s3: Any) -> dict[str, tuple[str, str]]:
    """Every key outside our folder, with version and digest; a marker of a deletion counts as a change."""
    answer = s3.list_object_versions(Bucket=BUCKET)
    entries = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
    return {
        f"{e['Key']}@{e['VersionId']}": (e.get("ETag", "deleted"), str(e["LastModified"]))
        for e in entries
        if not e["Key"].startswith(OURS)
    }


def body(s3: Any, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content


def run(
    s3: Any, mwaa: Mwaa, built: Path, bucket: str = BUCKET, name: str = NAME, **wishes: Any
) -> tuple[str | None, str]:
    said: list[str] = []
    options = {"merge": False, "with_plugins": True, "agreed": lambda plan: True} | wishes
    try:
        address = deploy(
            s3, mwaa.client, built, bucket, name, say=said.append, sleep=lambda _: None, **options
        )
    except DeployError as error:
        said += [] if "Repair: " in str(error) else ["NO REPAIR"]
        return None, "\n".join([*said, f"refused: {error}"])
    return address, "\n".join(said)


def others(s3: Any) -> dict[str, tuple[str, str]]:
    for key in ("dags/sales.py", "dags/pinflow_of_others.py", "dags/lib/x.py", "readme.md"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    put(
        s3,
        plugins=zipped(sales_plugin__py="x = 1"),
        requirements=b"sqlfluff==4.2.2\nconfluent-kafka==2.15.0\n",
    )
    return listing(s3)


THEIRS = {"PluginsS3Path": "plugins.zip", "RequirementsS3Path": "requirements.txt"}


def test_what_others_have_is_untouched_and_goes_on_in_what_the_environment_reads(
    s3: Any, built: Path
) -> None:
    before, mwaa = others(s3), Mwaa(**THEIRS)
    address, said = run(s3, mwaa, built, merge=True)
    assert listing(s3) == before
    assert address == "https://abc.airflow.us-east-1.on.aws"
    assert "MWAA replaces its workers" in said
    assert "shared is UPDATING\nshared is AVAILABLE" in said
    (update,) = mwaa.updates
    assert update["WorkerReplacementStrategy"] == "GRACEFUL"
    assert update["RequirementsS3Path"] == f"{OURS}environment/requirements.txt"
    assert update["PluginsS3Path"] == f"{OURS}environment/plugins.zip"
    for part in ("Requirements", "Plugins"):
        head = s3.head_object(Bucket=BUCKET, Key=update[f"{part}S3Path"])
        assert head["VersionId"] == update[f"{part}S3ObjectVersion"]
    lines = body(s3, update["RequirementsS3Path"]).decode().splitlines()
    assert lines[:3] == ["sqlfluff==4.2.2", "confluent-kafka==2.15.0", requirements.BEGIN]
    assert sum(line.startswith("confluent-kafka") for line in lines) == 1
    assert {line for line in (built / "requirements.txt").read_text().splitlines()} <= set(lines)
    with zipfile.ZipFile(io.BytesIO(body(s3, update["PluginsS3Path"]))) as archive:
        assert archive.namelist() == ["pinflow_plugin.py", "pinflow_runbook.md", "sales_plugin.py"]
        assert archive.read("sales_plugin.py") == b"x = 1"


def test_the_whole_tree_arrives_and_what_a_newer_one_lacks_leaves(s3: Any, built: Path) -> None:
    others(s3)
    mwaa = Mwaa(**THEIRS)
    run(s3, mwaa, built, merge=True)
    s3.put_object(Bucket=BUCKET, Key=f"{OURS}pinterest_old.py", Body=b"old")
    s3.put_object(Bucket=BUCKET, Key=f"{OURS}window.py", Body=b"old")
    before = listing(s3)
    _, said = run(s3, mwaa, built)
    assert listing(s3) == before
    assert len(mwaa.updates) == 1, "nothing of the environment has changed"
    assert "uploaded 1 files, deleted 1" in said
    tree = {
        str(p.relative_to(built / "dags")): p.read_bytes() for p in (built / "dags").rglob("*") if p.is_file()
    }
    found = {
        entry["Key"]: body(s3, entry["Key"])
        for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=OURS)["Contents"]
    }
    kept = {name: content for name, content in found.items() if "/environment/" not in name}
    assert kept == {f"dags/{name}": content for name, content in tree.items()}
    assert "/environment/" in found[f"{OURS}.airflowignore"].decode()


def test_an_environment_of_our_own_takes_everything(s3: Any, built: Path) -> None:
    mwaa = Mwaa()
    address, said = run(s3, mwaa, built)
    assert address
    assert {name for name in mwaa.updates[0] if name.endswith("Path")} == {
        "RequirementsS3Path", "PluginsS3Path", "StartupScriptS3Path",
    }  # fmt: skip
    assert body(s3, f"{OURS}environment/plugins.zip") == (built / "plugins.zip").read_bytes()
    assert body(s3, f"{OURS}environment/startup.sh") == (built / "startup.sh").read_bytes()
    assert "+aws-msk-iam-sasl-signer-python" in said


@pytest.mark.parametrize(
    ("theirs", "fields", "words"),
    [
        ({"plugins": zipped(sales_plugin__py="x")}, {"PluginsS3Path": "plugins.zip"}, "is not ours, it holds sales_plugin.py"),
        ({"plugins": b"no zip"}, {"PluginsS3Path": "plugins.zip"}, "The environment's plugins.zip cannot be read"),
        ({"requirements": b"pandas\n"}, {"RequirementsS3Path": "requirements.txt"}, "has requirements of others"),
        (
            {"requirements": b"Confluent_Kafka == 2.3.0\n"},
            {"RequirementsS3Path": "requirements.txt"},
            "Confluent_Kafka == 2.3.0 there, confluent-kafka==2.15.0 here",
        ),
        ({}, {"AirflowVersion": "3.1.7"}, "runs Airflow 3.1.7; the DAGs need 3.2 or newer"),
        ({}, {"AirflowVersion": "2.11.0"}, "runs Airflow 2.11.0; the DAGs need 3.2 or newer"),
        ({}, {"SourceBucketArn": "arn:aws:s3:::another"}, "reads the bucket another, not theirs-mwaa"),
        ({}, {"Status": "UPDATING"}, "shared is UPDATING"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    s3: Any, built: Path, theirs: dict[str, bytes], fields: dict[str, str], words: str
) -> None:
    put(s3, **theirs)
    before, mwaa = listing(s3), Mwaa(**fields)
    address, said = run(s3, mwaa, built)
    assert address is None
    assert words in said.split("refused: ")[1]
    assert "NO REPAIR" not in said
    assert listing(s3) == before
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix=OURS)
    assert mwaa.updates == []


def test_the_version_in_use_is_merged_not_one_that_nobody_has_put_into_use(s3: Any, built: Path) -> None:
    key = {"Bucket": BUCKET, "Key": "requirements.txt"}
    used = s3.put_object(**key, Body=b"sqlfluff==4.2.2\n")["VersionId"]
    s3.put_object(**key, Body=b"sqlfluff==5.0.0\n")
    mwaa = Mwaa(RequirementsS3Path="requirements.txt", RequirementsS3ObjectVersion=used)
    assert run(s3, mwaa, built, merge=True)[0]
    assert body(s3, f"{OURS}environment/requirements.txt").startswith(b"sqlfluff==4.2.2\n")


def test_other_pins_are_refused_even_when_told_to_merge(s3: Any, built: Path) -> None:
    put(s3, requirements=b"confluent-kafka==2.3.0\n")
    mwaa = Mwaa(RequirementsS3Path="requirements.txt")
    _, said = run(s3, mwaa, built, merge=True)
    assert "pins other versions" in said.split("refused: ")[1]
    assert mwaa.updates == []


def test_the_plugins_of_others_can_be_left_alone(s3: Any, built: Path) -> None:
    put(s3, plugins=zipped(sales_plugin__py="x"))
    mwaa = Mwaa(PluginsS3Path="plugins.zip")
    address, _ = run(s3, mwaa, built, with_plugins=False)
    assert address
    assert "PluginsS3Path" not in mwaa.updates[0]


def test_the_startup_script_of_others_stays(s3: Any, built: Path) -> None:
    put(s3, startup=b"export THEIRS=1\n")
    mwaa = Mwaa(StartupScriptS3Path="startup.sh")
    _, said = run(s3, mwaa, built)
    assert "StartupScriptS3Path" not in mwaa.updates[0]
    assert "startup.sh: the environment's own stays" in said


def test_without_consent_nothing_is_written(s3: Any, built: Path) -> None:
    mwaa = Mwaa()
    address, said = run(s3, mwaa, built, agreed=lambda plan: False)
    assert address is None
    assert "files to upload" in said
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)
    assert mwaa.updates == []


def test_a_folder_of_that_name_that_is_not_ours_is_refused(s3: Any, built: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{OURS}__init__.py", Body=b'"""Another."""')
    _, said = run(s3, Mwaa(), built)
    assert "holds something that is not pinflow" in said
    assert body(s3, f"{OURS}__init__.py") == b'"""Another."""'


def test_dags_are_not_uploaded_when_the_update_fails(s3: Any, built: Path) -> None:
    mwaa = Mwaa()
    failed = {
        "Status": "AVAILABLE",
        "LastUpdate": {"Status": "FAILED", "Error": {"ErrorMessage": "pip failed"}},
    }
    mwaa.ahead = [{"Status": "UPDATING"}, failed]
    address, said = run(s3, mwaa, built)
    assert address is None
    assert "ended as AVAILABLE: pip failed" in said
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert all(key.startswith(f"{OURS}environment/") for key in keys)
    # and the next try, after the repair, goes through though the environment still remembers the failure
    mwaa.fields |= {
        "RequirementsS3Path": "",
        "LastUpdate": {"Status": "FAILED", "Error": {"ErrorMessage": "old"}},
    }
    mwaa.updates.clear()
    mwaa.ahead = [
        {"Status": "UPDATING", "LastUpdate": {"Status": "PENDING"}},
        {"Status": "AVAILABLE", "LastUpdate": {"Status": "SUCCESS"}},
    ]
    assert run(s3, mwaa, built)[0]


def test_a_bucket_without_versions_and_an_unknown_environment_are_named(s3: Any, built: Path) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert "keeps no versions" in run(s3, Mwaa(), built)[1]
    assert "There is no environment other in us-east-1" in run(s3, Mwaa(), built, name="other")[1]


def test_our_lines_are_replaced_by_newer_ones_and_leave_with_their_block() -> None:
    theirs = "# theirs\nsqlfluff==4\n"
    once = requirements.merged(theirs, "a==1\nb==1\n")
    again = requirements.merged(once, "a==2\nb==1\n")
    assert requirements.conflicts(once, "a==2\nb==1\n") == []
    assert again == f"{theirs}{requirements.BEGIN}\na==2\nb==1\n{requirements.END}\n"
    assert requirements.merged(again, "sqlfluff==4\n") == theirs
    assert (
        requirements.merged("--find-links x", "a==1")
        == f"--find-links x\n{requirements.BEGIN}\na==1\n{requirements.END}\n"
    )


def test_the_command_says_in_one_line_what_aws_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from infra.mwaa import __main__ as command

    monkeypatch.setattr(command, "build_tree", lambda: tmp_path / "dags")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(
        "sys.argv", ["x", "deploy", "--bucket", "b", "--environment", "e", "--region", "us-east-1"]
    )
    with pytest.raises(SystemExit, match=re.compile("error: AWS: .*credentials.* Repair: ")):
        command.main()
