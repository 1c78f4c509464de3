import json
from datetime import UTC, date, datetime

import httpx
import pytest

from devstack.airflow_api import AirflowApi, Backfill, Task
from devstack.errors import StackError


class Server:
    """Answers by (method, path); remembers what was asked."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []
        self.tokens = 0

    def __call__(self, request):
        if request.url.path == "/auth/token":
            self.tokens += 1
            return httpx.Response(201, json={"access_token": f"token-{self.tokens}"})
        self.asked.append(request)
        answer = self.answers[request.method, request.url.path.removeprefix("/api/v2")]
        answer = answer.pop(0) if isinstance(answer, list) else answer
        return httpx.Response(answer[0], json=answer[1])


def client(**answers):
    server = Server({tuple(key.split(" ", 1)): answer for key, answer in answers.items()})
    api = AirflowApi("http://airflow")
    api._http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(server))
    return api, server


AWS = {
    "connection_id": "pinterest_aws",
    "conn_type": "aws",
    "login": "local",
    "password": "locallocal",
    "extra": '{"endpoint_url":"http://127.0.0.1:29900"}',
}
# as Airflow shows it: the password masked, the extra formatted anew, what was not given null
LIVE = AWS | {
    "password": "***",
    "extra": '{"endpoint_url": "http://127.0.0.1:29900"}',
    "host": None,
    "description": None,
    "team_name": None,
}


def test_an_absent_connection_is_created():
    api, server = client(**{"GET /connections/pinterest_aws": (404, {}), "POST /connections": (201, {})})
    assert api.put_connection(AWS, None)
    assert json.loads(server.asked[-1].content)["conn_type"] == "aws"


def test_a_connection_as_we_wrote_it_follows_a_moved_port_and_keeps_its_password():
    one = "/connections/pinterest_aws"
    api, server = client(**{f"GET {one}": (200, LIVE), f"PATCH {one}": (200, {})})
    moved = AWS | {"extra": '{"endpoint_url":"http://127.0.0.1:30900"}'}
    assert api.put_connection(moved, AWS)
    patch = server.asked[-1]
    assert (patch.method, patch.url.query) == ("PATCH", b"update_mask=extra")
    assert json.loads(patch.content)["extra"] == moved["extra"]


@pytest.mark.parametrize("edit", [{"host": "s3.example"}, {"password": None}, {"extra": "{}"}])
def test_a_connection_that_a_person_edited_stays(edit):
    api, server = client(**{"GET /connections/pinterest_aws": (200, LIVE | edit)})
    assert not api.put_connection(AWS | {"login": "other"}, AWS)
    assert [request.method for request in server.asked] == ["GET"]


def test_of_an_entry_never_written_here_only_one_as_ours_counts_as_ours():
    for live, ours in ((LIVE, True), (LIVE | {"login": "person"}, False)):
        api, server = client(**{"GET /connections/pinterest_aws": (200, live)})
        assert api.put_connection(AWS, None) is ours
        assert [request.method for request in server.asked] == ["GET"]


def test_a_variable_as_we_wrote_it_follows_the_user_id():
    before = {"key": "pinflow", "value": '{"user_id": "a"}'}
    now = {"key": "pinflow", "value": '{"user_id": "b"}'}
    one = "/variables/pinflow"
    api, server = client(**{f"GET {one}": (200, before | {"is_encrypted": True}), f"PATCH {one}": (200, {})})
    assert api.put_variable(now, before)
    assert json.loads(server.asked[-1].content) == now


def test_a_dead_token_is_renewed_once():
    api, server = client(**{"GET /variables/pinflow": [(401, {}), (200, {"value": "{}"})]})
    assert api.get_variable("pinflow") == "{}"
    assert server.tokens == 2


def test_an_unexpected_answer_is_an_error_with_its_words():
    api, _ = client(**{"GET /variables/pinflow": (500, {"detail": "disk full"})})
    with pytest.raises(StackError, match=r"answered 500 to GET /variables/pinflow: .*disk full.* Repair:"):
        api.get_variable("pinflow")


def test_no_airflow_says_how_to_start_it():
    api = AirflowApi("http://127.0.0.1:9", timeout=1)
    with pytest.raises(StackError, match=r"does not answer at http://127.0.0.1:9.*Repair: `make up`"):
        api.run("pinterest_batch", "one")


def backfill(number, **changed):
    """A backfill as Airflow answers it."""
    days = {"from_date": "2022-10-01T00:00:00Z", "to_date": "2022-10-03T00:00:00Z"}
    return (
        {"id": number, "dag_id": "pinterest_batch", "is_paused": False, "completed_at": None} | days | changed
    )


def test_a_second_backfill_is_refused_with_the_running_ones_number_days_and_link():
    running = {"backfills": [backfill(7), backfill(6, completed_at="2022-01-01T00:00:00Z")]}
    api, server = client(**{"POST /backfills": (409, {}), "GET /backfills": (200, running)})
    with pytest.raises(StackError) as refused:
        api.create_backfill("pinterest_batch", date(2022, 10, 1), date(2022, 10, 2))
    assert str(refused.value) == (
        "A backfill of pinterest_batch is active: number 7 (2022-10-01 to 2022-10-03), "
        "http://airflow/dags/pinterest_batch/backfills. Repair: wait until it ends, or press *Cancel backfill* "
        "on that page; Airflow runs one backfill a DAG at a time."
    )
    assert server.asked[-1].url.params["order_by"] == "-id"  # the answer holds the first 100 only


def test_a_backfill_that_was_cancelled_is_known_by_its_pause():
    cancelled = Backfill.of(backfill(7, is_paused=True, completed_at="2022-10-04T00:00:00Z"))
    assert (cancelled.cancelled, str(cancelled)) == (True, "number 7 (2022-10-01 to 2022-10-03, paused)")
    assert not Backfill.of(backfill(7, is_paused=True)).cancelled


def test_a_dry_run_hands_on_the_options_and_makes_nothing():
    found = {
        "backfills": [{"logical_date": "2022-10-02T00:00:00Z"}, {"logical_date": "2022-10-01T00:00:00Z"}]
    }
    api, server = client(**{"POST /backfills/dry_run": (200, found)})
    span = date(2022, 10, 1), date(2022, 10, 2)
    options = {"reprocess_behavior": "failed", "run_backwards": True, "max_active_runs": 3}
    assert api.days_to_run("pinterest_batch", *span, **options) == [date(2022, 10, 2), date(2022, 10, 1)]
    assert json.loads(server.asked[-1].content) == {
        "dag_id": "pinterest_batch", "from_date": "2022-10-01T00:00:00Z", "to_date": "2022-10-02T00:00:00Z",
        **options,
    }  # fmt: skip


def test_the_tasks_of_many_runs_that_changed_are_one_question():
    row = {
        "dag_run_id": "r", "task_id": "clean.pin", "map_index": -1, "state": "running", "try_number": 1,
        "start_date": "2022-10-01T00:00:00Z", "end_date": None, "duration": None,
    }  # fmt: skip
    answer = {"task_instances": [row], "total_entries": 1}
    api, server = client(**{"GET /dags/d/dagRuns/~/taskInstances": (200, answer)})
    since = datetime(2022, 10, 1, tzinfo=UTC)
    tasks = api.changed_tasks("d", since, logical_date_gte="2022-10-01T00:00:00Z")
    assert [(task.run_id, task.task_id, task.state) for task in tasks] == [("r", "clean.pin", "running")]
    asked = server.asked[-1].url.params
    assert asked["updated_at_gte"] == "2022-10-01T00:00:00+00:00"
    assert {"running", "deferred", "failed", "success"} < set(asked.get_list("state"))


def test_a_dag_tells_its_first_day_and_which_task_waits_for_which():
    tasks = {
        "tasks": [
            {"task_id": "a", "downstream_task_ids": ["b"]},
            {"task_id": "b", "downstream_task_ids": None},
        ]
    }
    api, _ = client(
        **{
            "GET /dags/d/details": (200, {"start_date": "2017-10-20T00:00:00Z"}),
            "GET /dags/d/tasks": (200, tasks),
        }
    )
    assert api.start_date("d") == date(2017, 10, 20)
    assert api.edges("d") == {"a": ["b"], "b": []}


def test_log_lines_show_level_event_and_error():
    content = [
        {"event": "moved 3 rows", "level": "info"},
        {
            "event": "Task failed",
            "level": "error",
            "error_detail": [{"exc_type": "Boom", "exc_value": "no table"}],
        },
    ]
    path = "/dags/d/dagRuns/r/taskInstances/t/logs/2"
    api, _ = client(**{f"GET {path}": (200, {"content": content})})
    task = Task("r", "t", -1, "failed", 2, None, None, 1.0)
    assert api.log("d", "r", task) == ["moved 3 rows", "ERROR: Task failed | Boom: no table"]


def test_links_quote_run_ids():
    api = AirflowApi("http://airflow")
    task = Task("r", "clean.pin", 3, "failed", 1, None, None, 1.0)
    run_id = "manual__2022-10-15T00:00:00+00:00"
    assert api.task_link("d", run_id, task) == (
        "http://airflow/dags/d/runs/manual__2022-10-15T00%3A00%3A00%2B00%3A00/tasks/clean.pin/mapped/3"
    )
