"""A source whose columns have changed, in the real database and as a login that may only read."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from devstack import source
from devstack.airflow_entries import as_variables
from devstack.config import Settings
from devstack.source.load import TABLES, connected
from pinflow.errors import SourceDriftError, SourceError
from pinflow.hooks.source import SourceHook
from pinflow.operators.mysql_to_kafka import MySqlToKafkaOperator
from pinflow.operators.mysql_to_lake import MySqlToLakeOperator
from pinflow.operators.select_posts import SelectPostsOperator
from tests.devstack.sources import database

pytestmark = pytest.mark.stack

READER = "reader"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with database(tmp_path_factory.mktemp("drift"), 2800) as made:
        with connected(made) as cursor:
            cursor.execute(f"CREATE USER '{READER}'@'%' IDENTIFIED BY 'read'")
        yield made


@pytest.fixture
def alter(server: Settings, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Thirty posts of one day, the connections of a login that may only read, and a way to alter tables."""
    source.seed(server, posts=30, span="2022-10-15..2022-10-15", random_seed=5)
    conn = json.loads(as_variables(server)["AIRFLOW_CONN_PINTEREST_RDS"])
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_RDS", json.dumps(conn | {"login": READER, "password": "read"}))
    brokers = {"conn_type": "generic", "host": "", "extra": {"test.mock.num.brokers": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA", json.dumps(brokers))

    def run(*statements: str) -> None:
        with connected(server) as cursor:
            for statement in statements:
                cursor.execute(statement)

    run(*may_read(*TABLES))
    return run


def may_read(*tables: str) -> list[str]:
    """Statements that let the reader read these tables only; the local user may not GRANT, but may do this."""
    rows = ", ".join(f"('%', DATABASE(), '{READER}', '{table}', 'Select')" for table in tables)
    return [
        f"DELETE FROM mysql.tables_priv WHERE User = '{READER}'",
        f"INSERT INTO mysql.tables_priv (Host, Db, User, Table_name, Table_priv) VALUES {rows}",
        "FLUSH PRIVILEGES",
    ]


def context() -> Any:
    day = datetime(2022, 10, 15, tzinfo=UTC)
    run = SimpleNamespace(
        dag_id="pinterest_batch", run_id="r", run_type="scheduled", logical_date=day, run_after=day
    )
    ti = SimpleNamespace(dag_id="pinterest_batch", run_id="r", task_id="t", map_index=-1, try_number=1)
    return {"dag_run": run, "ti": ti, "params": {}}


def select() -> dict[str, Any]:
    return SelectPostsOperator(task_id="select_posts").execute(context())


def test_a_source_as_seeded_is_as_the_contracts_expect_it(alter: Any) -> None:
    hook = SourceHook()
    assert hook.compare_columns() == []
    assert {frame: len(names) for frame, names in hook.columns.items()} == {"pin": 12, "geo": 5, "user": 5}


def test_an_added_column_is_warned_of_and_the_run_goes_on(
    alter: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    alter("ALTER TABLE pinterest_data ADD COLUMN language VARCHAR(5) DEFAULT 'en' AFTER title")
    selected = select()
    assert selected["count"] == 30
    # Airflow's tasks log to the one or the other
    lines = [*capsys.readouterr().out.splitlines(), *caplog.text.splitlines()]
    warning = next(line for line in lines if "warning" in line.lower() and "language" in line)
    assert "pinterest_data.language varchar(5) is not in the contract" in warning
    assert "{name: language, type: STRING, wire: text, doc: ...}" in warning
    (row,) = SourceHook(columns=selected["columns"]).rows("pin", [0])
    assert "language" not in row


def test_a_column_that_may_be_absent_is_left_out_of_what_is_read_and_sent(alter: Any, bucket: str) -> None:
    alter("ALTER TABLE pinterest_data DROP COLUMN downloaded")
    selected = select()
    assert "downloaded" not in selected["columns"]["pin"]
    emulate = MySqlToKafkaOperator(task_id="pin", table="pin", selected=selected)
    assert emulate.execute(context())["count"] == 30
    folder = MySqlToLakeOperator(task_id="snapshot").execute(context())
    s3, prefix = boto3.client("s3", region_name="us-east-1"), f"{folder.split('/', 3)[3]}/pin/"
    (part,) = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    lines = gzip.decompress(s3.get_object(Bucket=bucket, Key=part["Key"])["Body"].read()).splitlines()
    assert len(lines) == 30
    assert {"downloaded", "category"} & json.loads(lines[0]).keys() == {"category"}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE pinterest_data DROP COLUMN category", "pinterest_data has no column category."),
        (
            "ALTER TABLE pinterest_data CHANGE COLUMN category topic TEXT",
            "pinterest_data has no column category; renamed to topic text?",
        ),
        (
            "ALTER TABLE geolocation_data CHANGE COLUMN `timestamp` posted_at DATETIME",
            "geolocation_data has no column timestamp; renamed to posted_at datetime?",
        ),
    ],
)
def test_a_required_column_that_is_missing_stops_the_run_before_anything_is_written(
    alter: Any, bucket: str, statement: str, said: str
) -> None:
    alter(statement)
    with pytest.raises(SourceDriftError) as error:
        select()
    assert said in str(error.value)
    assert "Repair: " in str(error.value)
    assert "Contents" not in boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket=bucket)


def test_a_retyped_column_is_warned_of_and_read(alter: Any) -> None:
    alter("ALTER TABLE user_data MODIFY COLUMN age VARCHAR(3)")
    hook = SourceHook()
    (warning,) = hook.compare_columns()
    assert "user_data.age is varchar(3), the contract expects int: rows may go to quarantine" in warning
    (row,) = hook.rows("user", [0])
    assert isinstance(row["age"], str)


def test_a_table_the_login_may_not_read_is_named_with_the_grant(alter: Any) -> None:
    alter(*may_read("pinterest_data", "geolocation_data"))
    with pytest.raises(SourceError, match=r"may not read it: user_data\. Repair: grant SELECT"):
        select()
