"""What `runs/submit` accepts, checked before anything starts."""

import re
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from devstack.databricks import faults

KINDS = ("spark_python_task",)
COMPUTE = ("environment_key", "existing_cluster_id", "new_cluster")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TASK_FIELDS = ("spark_python_task", *COMPUTE, "libraries")


def check_path(value: str) -> str:
    """Accept what the local engine can read: an S3 URI or a file of a volume."""
    if value.startswith("s3://") and "/" in value.removeprefix("s3://"):
        return value
    if re.fullmatch(r"(dbfs:)?/Volumes/[^/]+/[^/]+/[^/]+/.+", value):
        return value.removeprefix("dbfs:")
    place = "DBFS is gone from new workspaces" if value.startswith("dbfs:") else "it cannot be read here"
    raise ValueError(
        f"{value!r} is no s3://bucket/key and no /Volumes/catalog/schema/volume/path; {place}. Repair: "
        "upload the file to S3 or, by the Files API, to a volume, and name it so"
    )


class SparkPythonTask(BaseModel):
    """A Python file and its arguments."""

    python_file: str
    parameters: list[str] = []
    source: str | None = None

    _path = field_validator("python_file")(check_path)

    @field_validator("source")
    @classmethod
    def _no_git(cls, value: str | None) -> str | None:
        if value == "GIT":
            raise ValueError("source GIT is not served locally; name a file in S3 or a volume")
        return value


class Dependency(BaseModel):
    """One task this one waits for."""

    task_key: str


class Task(BaseModel):
    """One task of a run; unknown fields are kept for `runs/get`, unknown kinds of task are refused."""

    model_config = {"extra": "allow"}

    task_key: str
    spark_python_task: SparkPythonTask
    depends_on: list[Dependency] = []
    libraries: list[dict[str, Any]] = []
    environment_key: str | None = None
    timeout_seconds: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _known_kind(cls, value: Any) -> Any:
        if isinstance(value, dict):
            kinds = [name for name in value if name.endswith("_task")]
            if kinds != list(KINDS):
                found = ", ".join(kinds) or "no task at all"
                raise ValueError(f"exactly one spark_python_task is asked for, this has {found}")
            if value.get("run_if", "ALL_SUCCESS") != "ALL_SUCCESS" or int(value.get("max_retries", 0)):
                raise ValueError(
                    "run_if other than ALL_SUCCESS and max_retries are not served locally; leave them out"
                )
            if value.get("job_cluster_key"):
                raise ValueError(
                    "job_cluster_key belongs to jobs, a submitted run has no job clusters; "
                    f"give the task one of {', '.join(COMPUTE)}"
                )
            if not any(value.get(name) for name in COMPUTE):
                raise ValueError(
                    f"no compute is named; give one of {', '.join(COMPUTE)} (their contents do not matter)"
                )
        return value

    @field_validator("task_key")
    @classmethod
    def _key(cls, value: str) -> str:
        if not _KEY.fullmatch(value):
            raise ValueError("a task_key holds 1 to 100 letters, digits, - and _")
        return value

    def dependencies(self) -> list[str]:
        """Return what the task's libraries ask for."""
        found = []
        for library in self.libraries:
            if "whl" in library:
                found.append(str(library["whl"]))
            elif "pypi" in library:
                found.append(str(library["pypi"].get("package", "")))
            else:
                raise ValueError(
                    f"library {library} is neither whl nor pypi, which is all that is served locally"
                )
        return found


class Submission(BaseModel):
    """The body of `runs/submit`, in the form with `tasks`."""

    run_name: str = "Untitled"
    tasks: list[Task] = Field(min_length=1, max_length=100)
    environments: list[dict[str, Any]] = []
    timeout_seconds: int = Field(0, ge=0)
    idempotency_token: str | None = Field(None, max_length=64)

    @model_validator(mode="before")
    @classmethod
    def _from_single_task(cls, value: Any) -> Any:
        """Take null for absent, and accept the older form, whose one task is written at the top."""
        if isinstance(value, dict):
            value = {name: item for name, item in value.items() if item is not None}
        if isinstance(value, dict) and "tasks" not in value and any(name.endswith("_task") for name in value):
            task = {name: value[name] for name in value if name in _TASK_FIELDS or name.endswith("_task")}
            return {**value, "tasks": [{"task_key": "main", **task}]}
        return value

    @model_validator(mode="after")
    def _linked(self) -> Self:
        keys = [task.task_key for task in self.tasks]
        if len(set(keys)) < len(keys):
            raise ValueError(f"task keys repeat: {', '.join(keys)}")
        known = {str(item.get("environment_key")) for item in self.environments}
        before: set[str] = set()
        for task in self.tasks:
            absent = {item.task_key for item in task.depends_on} - before
            if absent:
                raise ValueError(f"task {task.task_key} depends on {', '.join(absent)}, not listed before it")
            before.add(task.task_key)
            if task.environment_key and task.environment_key not in known:
                raise ValueError(
                    f"task {task.task_key} names the environment {task.environment_key}, not in environments"
                )
            for path in self.dependencies(task):
                if path.startswith(("/", "dbfs:", "s3")):
                    check_path(path)
        return self

    def dependencies(self, task: Task) -> list[str]:
        """Return the wheels and packages a task asks for."""
        found = task.dependencies()
        for item in self.environments:
            if task.environment_key and item.get("environment_key") == task.environment_key:
                found += [str(name) for name in (item.get("spec") or {}).get("dependencies") or []]
        return found


def parse(body: Any) -> Submission:
    """Check a body; raises Fault with every wrong field."""
    try:
        return Submission.model_validate(body)
    except ValidationError as error:
        raise faults.explain(error) from error
