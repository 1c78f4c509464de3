"""However a run of a day came about, select_posts picks the same posts from the real database."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devstack import source
from devstack.airflow_entries import as_variables
from devstack.config import REPO, Settings
from devstack.source.load import connected
from tests.devstack.sources import database

pytestmark = pytest.mark.stack

WAYS = ("by_schedule", "by_backfill", "by_hand", "by_hand_without_a_date", "by_dag_test")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A source with posts of the days around yesterday, the only day that all the ways can choose."""
    today = datetime.now(UTC).date()
    with database(tmp_path_factory.mktemp("ways"), 2700) as made:
        source.seed(made, posts=400, span=f"{today - timedelta(days=3)}..{today}", random_seed=4)
        yield made


@pytest.fixture(scope="module")
def found(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What tests/plugins/run_types.py prints, with a metadata database of its own."""
    home = tmp_path_factory.mktemp("airflow")
    aws = {"conn_type": "aws", "login": "k", "password": "s", "extra": {"region_name": "us-east-1"}}
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
        **as_variables(settings),
        "AIRFLOW_CONN_PINTEREST_AWS": json.dumps(aws),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPO / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "none"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": f"{REPO / 'plugins'}:{REPO}",
        "NO_PROXY": "127.0.0.1",
        "TZ": "Pacific/Apia",  # the other end of the world from UTC
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], env=environment, cwd=home, capture_output=True, text=True, check=False,
            timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    run("-m", "airflow", "db", "migrate")
    return json.loads(run(str(Path(__file__).with_name("run_types.py"))).splitlines()[-1])


@pytest.mark.parametrize("way", WAYS)
def test_the_posts_are_those_of_the_day_however_the_run_came_about(
    found: Any, settings: Settings, way: str
) -> None:
    day = date.fromisoformat(found["day"])
    with connected(settings) as cursor:
        cursor.execute("SELECT ind FROM geolocation_data WHERE date(`timestamp`) = %s ORDER BY ind", (day,))
        expected = [ind for (ind,) in cursor.fetchall()]
    end = day + timedelta(days=1)
    made = found["ways"][way]
    assert len(expected) > 50
    assert sorted(made["ids"]) == expected
    assert made["window"] == f"{day:%Y%m%d}T000000Z_{end:%Y%m%d}T000000Z"


def test_airflow_gives_these_runs_other_types_and_other_intervals(found: Any) -> None:
    """Which is why neither the type nor the interval may decide."""
    assert [found["ways"][way]["run_type"] for way in WAYS] == [
        "scheduled", "backfill", "manual", "manual", "manual",
    ]  # fmt: skip
    assert len({tuple(found["ways"][way]["interval"]) for way in WAYS}) == 3
