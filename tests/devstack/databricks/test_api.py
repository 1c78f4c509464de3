"""Tokens, errors, files and the small answers of the endpoint."""

import io

import httpx
import pytest
from databricks.sdk.errors import AlreadyExists, BadRequest, NotFound

from tests.devstack.databricks.conftest import Workspace

VOLUME = "/Volumes/main/default/code"


def test_only_the_token_opens_the_api(light: Workspace) -> None:
    url = f"{light.settings.databricks_url}/api/2.2/jobs/runs/list"
    nobody = httpx.get(url)
    assert (nobody.status_code, nobody.json()["error_code"]) == (401, "UNAUTHENTICATED")
    stranger = httpx.get(url, headers={"Authorization": "Bearer wrong"})
    assert (stranger.status_code, stranger.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert "Repair:" in stranger.json()["message"]


def test_other_hosts_are_refused(light: Workspace) -> None:
    page = httpx.get(f"{light.settings.databricks_url}/runs", headers={"Host": "evil.example"})
    assert page.status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/2.2/jobs/runs/get", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "/api/2.2/jobs/runs/get?run_id=x", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "/api/2.2/jobs/runs/get?run_id=1", 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "/api/2.2/jobs/runs/submit", 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "/api/2.2/jobs/run-now", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "/api/2.0/sql/statements/none", 404, "NOT_FOUND"),
        ("POST", "/api/2.0/sql/statements", 400, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_errors_have_the_shape_of_databricks(
    light: Workspace, method: str, path: str, status: int, code: str
) -> None:
    answer = light.http.request(method, path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.json()["message"]


def test_the_run_id_may_come_in_a_body_of_a_get(light: Workspace) -> None:
    run_id = light.submit(light.body("print('here')"))
    answer = light.http.request("GET", "/api/2.2/jobs/runs/get", json={"run_id": run_id})
    assert answer.json()["run_id"] == run_id
    light.wait(run_id)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"statement": "SELECT 1"}, "warehouse_id: Field required"),
        ({"statement": "", "warehouse_id": "local"}, "statement: String should have at least 1"),
        ({"statement": "SELECT 1", "warehouse_id": "local", "wait_timeout": "3s"}, "between 5s and 50s"),
        ({"statement": "SELECT 1", "warehouse_id": "local", "format": "CSV"}, "format: Input should be"),
    ],
)
def test_bad_statements_are_refused_by_field(light: Workspace, body: dict[str, str], words: str) -> None:
    answer = light.http.post("/api/2.0/sql/statements", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_files_are_written_read_and_deleted(light: Workspace) -> None:
    files, path, content = light.sdk.files, f"{VOLUME}/a b/ü.bin", bytes(range(256)) * 100
    files.upload(path, io.BytesIO(content))
    with pytest.raises(AlreadyExists, match="overwrite=true"):
        files.upload(path, io.BytesIO(b"other"))
    files.upload(path, io.BytesIO(content), overwrite=True)
    assert files.download(path).contents.read() == content
    assert files.get_metadata(path).content_length == len(content)
    span = light.http.get(f"/api/2.0/fs/files{path}", headers={"Range": "bytes=1-3"})
    assert (span.status_code, span.content) == (206, b"\x01\x02\x03")
    key = "volumes/main/default/code/a b/ü.bin"
    assert light.s3.get_object(Bucket=light.settings.bucket, Key=key)["Body"].read() == content
    files.delete(path)
    with pytest.raises(NotFound):
        files.download(path)
    with pytest.raises(NotFound):
        files.delete(path)


def test_directories_are_made_listed_and_removed(light: Workspace) -> None:
    files, folder = light.sdk.files, f"{VOLUME}/listed"
    with pytest.raises(NotFound):
        list(files.list_directory_contents(folder))
    files.create_directory(folder)
    files.get_directory_metadata(folder)
    assert list(files.list_directory_contents(folder)) == []
    files.upload(f"{folder}/x.py", io.BytesIO(b"1"))
    files.upload(f"{folder}/deep/y.py", io.BytesIO(b"2"))
    found = {entry.path: entry.is_directory for entry in files.list_directory_contents(folder, page_size=1)}
    assert found == {f"{folder}/deep": True, f"{folder}/x.py": False}
    with pytest.raises(BadRequest, match="not empty"):
        files.delete_directory(folder)
    files.delete(f"{folder}/x.py")
    files.delete(f"{folder}/deep/y.py")
    files.delete_directory(folder)


def test_places_outside_a_volume_are_refused(light: Workspace) -> None:
    for path in ("/Volumes/main/default", "/FileStore/a", "/Volumes/a/b/c/../../../../secret"):
        with pytest.raises((BadRequest, NotFound), match=r"Repair|No API"):
            light.sdk.files.upload(path, io.BytesIO(b""))


def test_a_run_reads_its_file_from_a_volume(light: Workspace) -> None:
    light.sdk.files.upload(f"{VOLUME}/run.py", io.BytesIO(b"print('from a volume')"), overwrite=True)
    body = light.body("")
    body["tasks"][0]["spark_python_task"]["python_file"] = f"{VOLUME}/run.py"
    assert light.run(body)["logs"] == "from a volume\n"


def test_clients_learn_who_and_where_they_are(light: Workspace) -> None:
    assert light.sdk.current_user.me().user_name == "local@localhost"
    assert [warehouse.id for warehouse in light.sdk.warehouses.list()] == ["local"]
    assert light.sdk.clusters.spark_versions().versions
