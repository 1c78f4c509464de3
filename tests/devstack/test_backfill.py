"""A backfill of many days: patience while Airflow makes its runs, few questions while they run."""

from datetime import UTC, date, datetime

import httpx
import pytest

from devstack import runs
from devstack.airflow_api import AirflowApi, Backfill, Run

NOW = datetime(2022, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(("last", "seconds"), [(date(2022, 1, 1), 30.5), (date(2026, 12, 27), 941)])
def test_creating_a_backfill_may_take_as_long_as_it_has_days(last, seconds):
    patience = {}

    def answer(request):
        patience[request.url.path] = request.extensions["timeout"]["read"]
        return httpx.Response(
            201, json={"access_token": "t", "id": 1, "dag_id": "pinterest_batch", "completed_at": None}
        )

    api = AirflowApi("http://airflow")
    api._http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(answer), timeout=30)
    api.create_backfill("pinterest_batch", date(2022, 1, 1), last)
    assert patience == {"/auth/token": 30, "/api/v2/backfills": seconds}


@pytest.mark.parametrize(("count", "pause"), [(1, 1.0), (1822, 19.0)])
def test_a_long_backfill_is_looked_at_less_often(monkeypatch, count, pause):
    class Api:
        looks = 0

        def backfill(self, number):
            return Backfill(number, "pinterest_batch", False)

        def runs(self, dag_id, **filters):
            self.looks += 1
            state = "running" if self.looks == 1 else "success"
            return [Run(dag_id, str(number), state, NOW, NOW, NOW, NOW, {}) for number in range(count)]

    pauses = []
    monkeypatch.setattr(runs.time, "sleep", pauses.append)
    runs._await_backfill(Api(), 1, (NOW.date(), NOW.date()), NOW, lambda _: None)
    assert pauses == [pause]
