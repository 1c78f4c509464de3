"""What runs/submit accepts and refuses, without any service."""

from typing import Any

import pytest

from devstack.databricks.faults import Fault
from devstack.databricks.submit import parse


def _task(**changes: Any) -> dict[str, Any]:
    task = {
        "task_key": "clean",
        "spark_python_task": {"python_file": "s3://bucket/code/clean.py", "parameters": ["--stage", "stage"]},
        "existing_cluster_id": "any",
    }
    return {name: value for name, value in {**task, **changes}.items() if value is not None}


def _body(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"run_name": "name", "tasks": list(tasks or [_task()]), **more}


def test_a_body_with_tasks_is_accepted() -> None:
    submission = parse(_body(timeout_seconds="600", idempotency_token="x" * 64))
    assert submission.timeout_seconds == 600
    assert submission.tasks[0].spark_python_task.parameters == ["--stage", "stage"]


def test_the_older_form_with_one_task_at_the_top_is_accepted() -> None:
    submission = parse(
        {"new_cluster": {"num_workers": "1"}, "spark_python_task": {"python_file": "s3://bucket/a.py"}}
    )
    assert [task.task_key for task in submission.tasks] == ["main"]


def test_wheels_come_from_environment_and_libraries() -> None:
    body = _body(
        _task(environment_key="e", existing_cluster_id=None, libraries=[{"pypi": {"package": "pyyaml>=6"}}]),
        environments=[{"environment_key": "e", "spec": {"dependencies": ["s3://bucket/p.whl"]}}],
    )
    submission = parse(body)
    assert submission.dependencies(submission.tasks[0]) == ["pyyaml>=6", "s3://bucket/p.whl"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "tasks: Field required"),
        ({"tasks": []}, "tasks: List should have at least 1 item"),
        (_body(_task(task_key="no spaces")), "tasks.0.task_key: a task_key holds"),
        (_body(_task(), _task()), "task keys repeat: clean, clean"),
        (_body(_task(existing_cluster_id=None)), "no compute is named; give one of environment_key"),
        (_body(_task(job_cluster_key="shared")), "tasks.0: job_cluster_key belongs to jobs"),
        (_body(_task(environment_key="e")), "names the environment e, not in environments"),
        (_body(_task(depends_on=[{"task_key": "other"}])), "depends on other, not listed before it"),
        (_body(_task(spark_python_task=None, notebook_task={})), "this has notebook_task"),
        (_body(_task(spark_python_task=None)), "this has no task at all"),
        (_body(_task(spark_python_task={})), "python_file: Field required"),
        (_body(_task(spark_python_task={"python_file": "dbfs:/a.py"})), "Repair: upload the file to S3"),
        (_body(_task(spark_python_task={"python_file": "/Workspace/a.py"})), "it cannot be read here"),
        (_body(_task(spark_python_task={"python_file": "s3://b/a.py", "source": "GIT"})), "source GIT"),
        (_body(_task(max_retries=2)), "max_retries are not served locally"),
        (_body(_task(libraries=[{"jar": "s3://b/a.jar"}])), "neither whl nor pypi"),
        (_body(timeout_seconds=-1), "timeout_seconds: Input should be greater than or equal to 0"),
        (_body(idempotency_token="x" * 65), "idempotency_token: String should have at most 64"),
    ],
)
def test_a_bad_body_is_refused_with_the_field_and_a_repair(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Fault) as refused:
        parse(body)
    assert (refused.value.status, refused.value.code) == (400, "INVALID_PARAMETER_VALUE")
    assert words in refused.value.message
    assert "Repair:" in refused.value.message
