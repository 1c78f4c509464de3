"""A small typed client of Airflow's REST API v2, as far as the stack's commands need it."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import quote

import httpx

from devstack.airflow_entries import is_as_written
from devstack.errors import StackError

ENDED = ("success", "failed")
BAD = ("failed", "upstream_failed")
READ_TRIES = 4
PAGE = 100
BACKFILL_SECONDS = 0.5  # a day; Airflow makes every run before it answers
# states of tasks that have been looked at: a day whose turn has not come has none of these
BEGUN = (
    "scheduled", "queued", "running", "restarting", "deferred", "up_for_reschedule", "up_for_retry",
    "success", "skipped", *BAD,
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One DAG run."""

    dag_id: str
    run_id: str
    state: str
    logical_date: datetime | None
    queued: datetime | None
    start: datetime | None
    end: datetime | None
    conf: dict[str, Any]

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """Read the API's answer."""
        return cls(
            dag_id=found["dag_id"],
            run_id=found["dag_run_id"],
            state=found["state"],
            logical_date=_time(found["logical_date"]),
            queued=_time(found["queued_at"]),
            start=_time(found["start_date"]),
            end=_time(found["end_date"]),
            conf=found["conf"] or {},
        )

    @property
    def ended(self) -> bool:
        """Tell whether the run is over."""
        return self.state in ENDED

    @property
    def seconds(self) -> float:
        """Seconds it has taken so far."""
        if not self.start:
            return 0.0
        return ((self.end or datetime.now(UTC)) - self.start).total_seconds()


@dataclass(frozen=True)
class Task:
    """One task instance; seconds of its last try."""

    run_id: str
    task_id: str
    map_index: int
    state: str
    try_number: int
    start: datetime | None
    end: datetime | None
    seconds: float

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """Read the API's answer."""
        return cls(
            run_id=found["dag_run_id"],
            task_id=found["task_id"],
            map_index=found["map_index"],
            state=found["state"] or "waiting",
            try_number=found["try_number"],
            start=_time(found["start_date"]),
            end=_time(found["end_date"]),
            seconds=found["duration"] or 0.0,
        )


@dataclass(frozen=True)
class Backfill:
    """One backfill: its days, both included, and whether Airflow has completed it."""

    id: int
    dag_id: str
    first: date
    last: date
    paused: bool
    completed: bool

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """Read the API's answer."""
        first, last = (datetime.fromisoformat(found[key]) for key in ("from_date", "to_date"))
        return cls(
            id=found["id"],
            dag_id=found["dag_id"],
            first=first.astimezone(UTC).date(),
            last=last.astimezone(UTC).date(),
            paused=found["is_paused"],
            completed=found["completed_at"] is not None,
        )

    @property
    def cancelled(self) -> bool:
        """Tell whether a person has ended it: Airflow leaves it paused then."""
        return self.completed and self.paused

    def __str__(self) -> str:
        return f"number {self.id} ({self.first} to {self.last}{', paused' if self.paused else ''})"


class BackfillActiveError(StackError):
    """Another backfill of the DAG is not completed yet."""


class BackfillOptions(TypedDict, total=False):
    """What else a backfill can be told."""

    reprocess_behavior: str
    max_active_runs: int
    run_backwards: bool


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


class AirflowApi:
    """Speak with one api-server; with all-admins it gives a token to everyone who asks."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        self.url = url
        self.timeout = timeout
        self._http = httpx.Client(base_url=url, timeout=timeout, trust_env=False)
        self._token = ""

    def _call(
        self, method: str, path: str, *, expected: tuple[int, ...] = (), **options: Any
    ) -> httpx.Response:
        """Send a request; a dead token is renewed once, any unexpected answer is an error with its words."""
        for _ in range(2):
            if not self._token:
                self._token = str(self._send("GET", "/auth/token").json()["access_token"])
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = self._send(method, f"/api/v2{path}", headers=headers, **options)
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                break
            self._token = ""
        if answer.is_success or answer.status_code in expected:
            return answer
        raise StackError(
            f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}. "
            f"Repair: read the message; the same can be done by hand at {self.url}."
        )

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._tenacious(method, path, **options)
        except httpx.TransportError as error:
            raise StackError(
                f"Airflow does not answer at {self.url}: {error!r}. Repair: `make up`, then `make status`."
            ) from error

    def _tenacious(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; a reading one is repeated when a busy machine lets it time out."""
        for _ in range(READ_TRIES - 1 if method == "GET" else 0):
            try:
                return self._http.request(method, path, **options)
            except httpx.TimeoutException:
                continue
        return self._http.request(method, path, **options)

    def put_connection(self, body: dict[str, Any], before: dict[str, Any] | None) -> bool:
        """Create a connection, or renew one still as written before; tell whether it is now as given."""
        return self._put("/connections", body["connection_id"], body, before)

    def put_variable(self, body: dict[str, Any], before: dict[str, Any] | None) -> bool:
        """Create a Variable, or renew one still as written before; tell whether it is now as given."""
        return self._put("/variables", body["key"], body, before)

    def _put(self, path: str, key: str, body: dict[str, Any], before: dict[str, Any] | None) -> bool:
        place = f"{path}/{quote(key)}"
        found = self._call("GET", place, expected=(404,))
        if not found.is_success:
            self._call("POST", path, json=body, expected=(409,))
            return True
        if before is None or not is_as_written(found.json(), before):
            return is_as_written(found.json(), body)
        whole = {**dict.fromkeys(before), **body}
        # only these: a password that a person changed cannot be seen
        changed = [name for name, value in whole.items() if value != before.get(name)]
        if changed:
            self._call("PATCH", place, params={"update_mask": changed}, json=whole)
        return True

    def get_variable(self, key: str) -> Any:
        """Return a Variable's text."""
        return self._call("GET", f"/variables/{quote(key)}").json()["value"]

    def set_variable(self, key: str, value: str) -> None:
        """Overwrite a Variable."""
        self._call("PATCH", f"/variables/{quote(key)}", json={"key": key, "value": value})

    def import_errors(self) -> dict[str, str]:
        """Return {file: stack trace} of DAG files that do not load."""
        found = self._call("GET", "/importErrors").json()["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in found}

    def wait_for_dag(self, dag_id: str, seconds: float = 90) -> None:
        """Wait until the dag-processor has read a DAG."""
        deadline = time.monotonic() + seconds
        while not self._call("GET", f"/dags/{dag_id}", expected=(404,)).is_success:
            if time.monotonic() > deadline:
                errors = "; ".join(
                    f"{file}: {text.splitlines()[-1]}" for file, text in self.import_errors().items()
                )
                raise StackError(
                    f"Airflow knows no {dag_id} after {seconds:.0f} s. Import errors: {errors or 'none'}. "
                    "Repair: mend the file, or read `python -m devstack logs airflow-dags`."
                )
            time.sleep(0.5)

    def unpause(self, dag_id: str, *, paused: bool = False) -> None:
        """Let a DAG run (or pause it)."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def start_date(self, dag_id: str) -> date | None:
        """Return the first UTC day of a DAG."""
        found = self._call("GET", f"/dags/{dag_id}/details").json()["start_date"]
        return datetime.fromisoformat(found).astimezone(UTC).date() if found else None

    def edges(self, dag_id: str) -> dict[str, list[str]]:
        """Return {task: the tasks that wait for it}."""
        found = self._call("GET", f"/dags/{dag_id}/tasks").json()["tasks"]
        return {task["task_id"]: task["downstream_task_ids"] or [] for task in found}

    def trigger(
        self, dag_id: str, run_id: str, conf: dict[str, Any], logical_date: datetime | None = None
    ) -> Run:
        """Start a manual run; without a logical date its day follows from when it runs."""
        body = {
            "dag_run_id": run_id,
            "logical_date": logical_date.isoformat() if logical_date else None,
            "conf": conf,
        }
        return Run.of(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body).json())

    def run(self, dag_id: str, run_id: str) -> Run:
        """Return one run."""
        return Run.of(self._call("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}").json())

    def runs(self, dag_id: str, **filters: Any) -> list[Run]:
        """Return runs by the API's own filters, oldest logical date first."""
        found: list[Run] = []
        while True:
            query = {"limit": PAGE, "offset": len(found), "order_by": "logical_date", **filters}
            page = self._call("GET", f"/dags/{dag_id}/dagRuns", params=query).json()
            found += [Run.of(row) for row in page["dag_runs"]]
            if not page["dag_runs"] or len(found) >= page["total_entries"]:
                return found

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        """Return the task instances of a run by start time."""
        return self._tasks(dag_id, quote(run_id), order_by="start_date")

    def changed_tasks(self, dag_id: str, since: datetime, **filters: Any) -> list[Task]:
        """Return the task instances of all runs that have begun and were touched since a moment."""
        options = {"updated_at_gte": since.isoformat(), "state": BEGUN, "order_by": "id", **filters}
        return self._tasks(dag_id, "~", **options)

    def _tasks(self, dag_id: str, run: str, **options: Any) -> list[Task]:
        path = f"/dags/{dag_id}/dagRuns/{run}/taskInstances"
        found: list[Task] = []
        while True:
            query = {"limit": PAGE, "offset": len(found), **options}
            page = self._call("GET", path, params=query).json()
            found += [Task.of(row) for row in page["task_instances"]]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def log(self, dag_id: str, run_id: str, task: Task) -> list[str]:
        """Return the lines of a task's last try."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task.task_id}/logs/{task.try_number}"
        query = {"map_index": task.map_index, "full_content": True}
        answer = self._call("GET", path, params=query, expected=(404,)).json()
        return [_line(entry) for entry in answer.get("content", [])]

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """Return an XCom value, or None when the task pushed none."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        query = {"map_index": map_index, "deserialize": False}
        answer = self._call("GET", path, params=query, expected=(404,))
        return answer.json()["value"] if answer.is_success else None

    def clear(self, dag_id: str, run_id: str, task_ids: list[str], *, downstream: bool = False) -> list[str]:
        """Clear task instances of a run so that they run again; return the ids cleared."""
        body = {
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "include_downstream": downstream,
            "only_failed": False,
            "reset_dag_runs": True,
            "dry_run": False,
        }
        found = self._call("POST", f"/dags/{dag_id}/clearTaskInstances", json=body).json()
        return [row["task_id"] for row in found["task_instances"]]

    def create_backfill(
        self, dag_id: str, first: date, last: date, **options: Unpack[BackfillOptions]
    ) -> Backfill:
        """Create a backfill of the days from first to last, both included."""
        answer = self._backfill("/backfills", dag_id, (first, last), expected=(409,), **options)
        if answer.status_code == httpx.codes.CONFLICT:
            raise BackfillActiveError(self.active_text(dag_id, self.active_backfills(dag_id)))
        return Backfill.of(answer.json())

    def days_to_run(
        self, dag_id: str, first: date, last: date, **options: Unpack[BackfillOptions]
    ) -> list[date]:
        """Return the days that such a backfill would run, in its order; nothing is made."""
        answer = self._backfill("/backfills/dry_run", dag_id, (first, last), **options)
        found = (datetime.fromisoformat(row["logical_date"]) for row in answer.json()["backfills"])
        return [moment.astimezone(UTC).date() for moment in found]

    def _backfill(
        self,
        path: str,
        dag_id: str,
        span: tuple[date, date],
        expected: tuple[int, ...] = (),
        **options: Unpack[BackfillOptions],
    ) -> httpx.Response:
        first, last = span
        body = {
            "dag_id": dag_id,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T00:00:00Z",
            **options,
        }
        patience = self.timeout + BACKFILL_SECONDS * ((last - first).days + 1)
        return self._call("POST", path, json=body, expected=expected, timeout=patience)

    def active_backfills(self, dag_id: str) -> list[Backfill]:
        """Return the backfills of a DAG that Airflow has not completed, newest first."""
        query = {"dag_id": dag_id, "order_by": "-id", "limit": PAGE}
        found = self._call("GET", "/backfills", params=query).json()["backfills"]
        return [Backfill.of(row) for row in found if not row["completed_at"]]

    def active_text(self, dag_id: str, active: list[Backfill]) -> str:
        """Say which backfills stand in the way of another one, and where to end them."""
        return (
            f"A backfill of {dag_id} is active: {', '.join(map(str, active)) or 'one just made'}, "
            f"{self.backfills_link(dag_id)}. Repair: wait until it ends, or press *Cancel backfill* on that "
            "page; Airflow runs one backfill a DAG at a time."
        )

    def backfill(self, number: int) -> Backfill:
        """Return a backfill."""
        return Backfill.of(self._call("GET", f"/backfills/{number}").json())

    def backfills_link(self, dag_id: str) -> str:
        """Return the UI's page of a DAG's backfills, where a running one can be paused and cancelled."""
        return f"{self.url}/dags/{dag_id}/backfills"

    def run_link(self, dag_id: str, run_id: str) -> str:
        """Return the UI's page of a run."""
        return f"{self.url}/dags/{dag_id}/runs/{quote(run_id)}"

    def task_link(self, dag_id: str, run_id: str, task: Task) -> str:
        """Return the UI's page of a task instance."""
        mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
        return f"{self.run_link(dag_id, run_id)}/tasks/{task.task_id}{mapped}"


def _line(entry: Any) -> str:
    """Show a structured log entry as a line: level when it matters, the event, and an error's text."""
    if isinstance(entry, str):
        return entry
    level = str(entry.get("level", "")).upper()
    shown = f"{level}: " if level in ("WARNING", "ERROR", "CRITICAL") else ""
    details = entry.get("error_detail") or []
    errors = "".join(f" | {part.get('exc_type')}: {part.get('exc_value')}" for part in details)
    return f"{shown}{entry.get('event', '')}{errors}"
