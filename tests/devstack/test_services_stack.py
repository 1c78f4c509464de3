"""The four services without Spark and Airflow, really started, with state and ports of their own."""

import time

import psutil
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from devstack import kafka, mariadb, memory, postgres, processes, s3proxy, supervise, supervisord
from devstack.config import Settings
from tests.listening import assert_loopback_only

pytestmark = pytest.mark.stack
NAMES = ["mysql", "postgres", "kafka", "s3"]


def silent(_):
    pass


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = Settings(state_dir=tmp_path_factory.mktemp("services") / "state", port_offset=4000)
    try:
        supervise.up(settings, NAMES, silent)
        yield settings
    finally:
        supervise.reset(settings, silent)
    assert processes.ours(settings.state_dir) == []


def rows(settings, sql):
    connection = mariadb.connect(settings, settings.mysql_database)
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        found = cursor.fetchall() if cursor.description else []
        connection.commit()
        return found
    finally:
        connection.close()


def pid(settings, name):
    return supervisord.rpc(settings).getProcessInfo(name)["pid"]


def await_service(settings, name, ready, old_pid):
    deadline = time.monotonic() + 60
    while pid(settings, name) in (0, old_pid) or not ready(settings):
        assert time.monotonic() < deadline, f"{name} did not come back"
        time.sleep(0.2)


def test_boto3_drives_s3(settings):
    s3 = s3proxy.client(settings)
    keys = [f"topics/t/partition=0/t+0+{offset:020}.json" for offset in (0, 1000, 2000)]
    for key in keys:
        s3.put_object(Bucket=settings.bucket, Key=key, Body=key.encode())
    after = s3.list_objects_v2(Bucket=settings.bucket, Prefix="topics/t/", StartAfter=keys[0])
    assert [entry["Key"] for entry in after["Contents"]] == keys[1:]
    assert s3.get_object(Bucket=settings.bucket, Key=keys[2])["Body"].read() == keys[2].encode()
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=settings.bucket, Key=keys[0], Body=b"again", IfNoneMatch="*")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=settings.bucket, Key="absent")


def test_s3_refuses_a_wrong_secret(settings):
    stranger = s3proxy.client(settings.model_copy(update={"s3_secret_key": "wrong"}))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.list_objects_v2(Bucket=settings.bucket)


def test_the_source_keeps_every_sign(settings):
    rows(settings, "CREATE TABLE signs (sign TEXT)")
    rows(settings, "INSERT INTO signs VALUES ('😀 \u202e é')")
    assert rows(settings, "SELECT sign FROM signs") == [("😀 \u202e é",)]


def test_a_topic_is_never_made_by_accident(settings):
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap(settings), "message.timeout.ms": 3000, "log_level": 0}
    )
    errors = []
    producer.produce("by-accident", b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert errors[0] is not None
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap(settings), "log_level": 0})
    assert "by-accident" not in admin.list_topics(timeout=5).topics


def test_everything_listens_on_loopback_only(settings):
    assert_loopback_only(settings)


def test_databases_never_run_as_root(settings):
    assert 0 not in {psutil.Process(pid(settings, name)).uids().real for name in ("mysql", "postgres")}


@pytest.mark.parametrize(("name", "ready"), [("kafka", kafka.ready), ("mysql", mariadb.ready)])
def test_a_killed_service_comes_back(settings, name, ready):
    old = pid(settings, name)
    psutil.Process(old).kill()
    await_service(settings, name, ready, old)


def test_a_restart_keeps_all_data(settings):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap(settings), "log_level": 0})
    admin.create_topics([NewTopic("kept", 3)])["kept"].result(10)
    s3proxy.client(settings).put_object(Bucket=settings.bucket, Key="kept", Body=b"kept")
    rows(settings, "CREATE TABLE kept AS SELECT 1 AS one")
    postgres.ask(settings, "CREATE TABLE kept AS SELECT 1 AS one", database=postgres.DATABASE)
    said = []
    supervise.down(settings, said.append)
    assert said == ["down: no process of the stack is left"]
    supervise.up(settings, NAMES, silent)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap(settings), "log_level": 0})
    assert len(admin.list_topics(timeout=5).topics["kept"].partitions) == 3
    assert s3proxy.client(settings).get_object(Bucket=settings.bucket, Key="kept")["Body"].read() == b"kept"
    assert rows(settings, "SELECT one FROM kept") == [(1,)]
    assert postgres.ask(settings, "SELECT one FROM kept", database=postgres.DATABASE) == [(1,)]


def test_the_peak_of_memory_is_recorded(settings):
    deadline = time.monotonic() + 15
    while not (found := memory.peak(settings)) or not set(NAMES) <= set(found["by_program"]):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert 100 < found["peak_megabytes"] < 2000
