"""Runs on the real engine and endpoint; nothing here needs Spark."""

import io
import json
import os
import time
import zipfile
from typing import Any

import psutil
import pytest
from databricks.sdk.errors import ResourceDoesNotExist
from databricks.sdk.service import compute, jobs

from tests.devstack.databricks.conftest import Workspace


def _wheel(version: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("shipped/__init__.py", f"VERSION = {version!r}\n")
        archive.writestr("shipped-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: shipped\nVersion: 1\n")
    return buffer.getvalue()


SURROUNDINGS = """
import json, os, sys, time
open("mine", "w").write(sys.argv[1])
import shipped
time.sleep(1)
print(json.dumps({
    "argv": sys.argv[1:], "name": __name__, "files": os.listdir(), "version": shipped.VERSION,
    "engine": [m for m in sys.modules if m.startswith("devstack")], "leader": os.getpid() == os.getsid(0),
    "remote": os.environ["SPARK_REMOTE"], "stdin": sys.stdin.read(),
}))
"""


def test_parallel_runs_share_neither_arguments_nor_folder_nor_modules(light: Workspace) -> None:
    ids = []
    for version in ("one", "two"):
        body = light.body(SURROUNDINGS, f"argument {version}", "", "ü", name="surroundings.py")
        wheel = light.put(f"{version}/shipped-1-py3-none-any.whl", _wheel(version))
        body["environments"][0]["spec"]["dependencies"] = [wheel, "pyyaml>=6"]
        ids.append(light.submit(body))
    for run_id in ids:
        light.wait(run_id)
    one, two = (json.loads(light.output(run_id)["logs"]) for run_id in ids)
    assert one["argv"] == ["argument one", "", "ü"]
    assert (one["name"], one["files"], one["engine"], one["stdin"]) == ("__main__", ["mine"], [], "")
    assert (one["version"], two["version"]) == ("one", "two")
    assert one["leader"]
    assert one["remote"] != two["remote"]


def test_a_wheel_put_anew_under_its_name_is_read_anew(light: Workspace) -> None:
    versions = []
    for version in ("first", "second"):
        body = light.body("import shipped\nprint(shipped.VERSION)", name="version.py")
        wheel = light.put("same/shipped-1-py3-none-any.whl", _wheel(version))
        body["environments"][0]["spec"]["dependencies"] = [wheel]
        versions.append(light.run(body)["logs"].strip())
    assert versions == ["first", "second"]


def test_a_failure_gives_its_message_and_traceback(light: Workspace) -> None:
    script = "import sys\nprint('before')\n\ndef clean():\n    raise ValueError('no rows')\n\nclean()\n"
    output = light.run(light.body(script, name="fails.py"))
    assert (output["state"]["life_cycle_state"], output["state"]["result_state"]) == ("TERMINATED", "FAILED")
    assert output["state"]["state_message"] == "ValueError: no rows"
    assert output["error"] == "ValueError: no rows"
    assert output["logs"] == "before\n"
    lines = output["error_trace"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert 'fails.py", line 7, in <module>' in lines[1]
    assert lines[-1] == "ValueError: no rows"


@pytest.mark.parametrize(
    ("script", "result", "error"),
    [
        ("import sys; sys.exit(0)", "SUCCESS", None),
        ("import sys; sys.exit()", "SUCCESS", None),
        ("import sys; sys.exit('Window is empty. Repair: widen it.')", "FAILED", "Window is empty. Repair"),
        ("import sys; sys.exit(3)", "FAILED", "ended itself with status 3"),
        ("import os; os._exit(4)", "FAILED", "ended with status 4"),
        ("import os; os.kill(os.getpid(), 9)", "FAILED", "ended by signal 9. Repair: if that was not you"),
        ("def broken(:\n", "FAILED", "SyntaxError"),
        ("import nowhere", "FAILED", "ModuleNotFoundError: No module named 'nowhere'"),
        ("import devstack", "FAILED", "ModuleNotFoundError: No module named 'devstack'"),
        ("import threading,time;threading.Thread(target=lambda:time.sleep(.3)).start()", "SUCCESS", None),
    ],
)
def test_the_ways_a_script_ends(light: Workspace, script: str, result: str, error: str | None) -> None:
    output = light.run(light.body(script, name="ends.py"))
    assert output["state"]["result_state"] == result
    assert error is None or error in output["error"]


def test_a_missing_file_and_a_missing_package_name_the_repair(light: Workspace) -> None:
    body = light.body("print()")
    body["tasks"][0]["spark_python_task"]["python_file"] = "s3://nowhere/absent.py"
    output = light.run(body)
    assert output["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    assert "Repair: upload it" in output["error"]
    body = light.body("print()")
    body["environments"][0]["spec"]["dependencies"] = ["numpy>=1000"]
    assert "Repair: give it as a wheel" in light.run(body)["error"]


def _sleeper(light: Workspace, **more: Any) -> tuple[int, list[int]]:
    """Start a run that has a process of its own, and return the run with all its processes."""
    script = "import os, subprocess, sys, time\np = subprocess.Popen(['sleep', '600'])\n"
    script += "print(os.getpid(), p.pid, 'ready')\ntime.sleep(600)\n"
    run_id = light.submit(light.body(script, name="sleeps.py", **more))
    light.until_logged(run_id, "ready")
    return run_id, [int(pid) for pid in light.output(run_id)["logs"].split()[:2]]


def _gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 5
    while any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids
    ):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_cancel_ends_the_run_and_what_it_started(light: Workspace) -> None:
    run_id, pids = _sleeper(light)
    assert light.get(run_id)["state"]["life_cycle_state"] == "RUNNING"
    light.sdk.jobs.cancel_run(run_id)
    state = light.wait(run_id)["state"]
    assert (state["life_cycle_state"], state["result_state"]) == ("TERMINATED", "CANCELED")
    assert state["state_message"] == "Run cancelled."
    assert _gone(pids)
    light.sdk.jobs.cancel_run(run_id)  # an ended run is left alone
    assert light.get(run_id)["state"]["result_state"] == "CANCELED"


@pytest.mark.parametrize("where", ["run", "task"])
def test_a_time_out_ends_the_run(light: Workspace, where: str) -> None:
    body = light.body("import time\nprint('on', flush=True)\ntime.sleep(600)", name="late.py")
    (body if where == "run" else body["tasks"][0])["timeout_seconds"] = "1"
    run = light.wait(light.submit(body), 20)
    assert run["state"]["result_state"] == "TIMEDOUT"
    assert run["state"]["user_cancelled_or_timedout"] is True
    assert "timed out after 1 seconds" in run["state"]["state_message"]


def test_the_same_token_gives_the_same_run(light: Workspace) -> None:
    token = f"token-{time.time_ns()}"
    first = light.submit(light.body("print('once')", idempotency_token=token))
    assert light.submit(light.body("print('twice')", idempotency_token=token)) == first
    light.wait(first)
    assert light.submit(light.body("print('again')", idempotency_token=token)) == first
    assert light.output(first)["logs"] == "once\n"


def test_tasks_run_in_order_and_skip_after_a_failure(light: Workspace) -> None:
    body = light.body("print('a')", name="a.py")
    files = {
        key: light.put(f"{key}.py", text)
        for key, text in {"b": "1/0", "c": "print('c')", "d": "print('d')"}.items()
    }
    for key, needs in (("b", ["main"]), ("c", ["b"]), ("d", ["main"])):
        body["tasks"].append(
            {
                "task_key": key,
                "depends_on": [{"task_key": need} for need in needs],
                "spark_python_task": {"python_file": files[key]},
                "environment_key": "default",
            }
        )
    run = light.wait(light.submit(body))
    assert run["state"]["result_state"] == "FAILED"
    assert run["state"]["state_message"].startswith("Task b: ZeroDivisionError")
    results = {task["task_key"]: task["state"]["result_state"] for task in run["tasks"]}
    assert results == {"main": "SUCCESS", "b": "FAILED", "c": "UPSTREAM_FAILED", "d": "SUCCESS"}
    ends = {task["task_key"]: task for task in run["tasks"]}
    assert ends["b"]["start_time"] + ends["b"]["setup_duration"] >= ends["main"]["end_time"]
    assert "multiple tasks is not supported" in light.output(run["run_id"])["message"]
    assert "ZeroDivisionError" in light.output(ends["b"]["run_id"])["error"]


def test_the_sdk_submits_waits_and_lists(light: Workspace) -> None:
    task = jobs.SubmitTask(
        task_key="main",
        spark_python_task=jobs.SparkPythonTask(light.put("sdk.py", "print('from the sdk')")),
        environment_key="e",
    )
    environment = jobs.JobEnvironment("e", spec=compute.Environment(environment_version="4"))
    run = light.sdk.jobs.submit(run_name="by sdk", tasks=[task], environments=[environment]).result()
    assert run.run_name == "by sdk"
    assert run.status.state == jobs.RunLifecycleStateV2State.TERMINATED
    assert run.status.termination_details.code == jobs.TerminationCodeCode.SUCCESS
    assert light.sdk.jobs.get_run_output(run.tasks[0].run_id).logs == "from the sdk\n"
    assert next(iter(light.sdk.jobs.list_runs())).run_id == run.run_id
    light.sdk.jobs.delete_run(run.run_id)
    with pytest.raises(ResourceDoesNotExist):
        light.sdk.jobs.get_run(run.run_id)


def test_lists_are_paged_and_filtered(light: Workspace) -> None:
    ids = [light.submit(light.body("print()")) for _ in range(3)]
    for run_id in ids:
        light.wait(run_id)
    sleeper, _ = _sleeper(light)

    def listed(**parameters: Any) -> dict[str, Any]:
        found: dict[str, Any] = light.http.get("/api/2.2/jobs/runs/list", params=parameters).json()
        return found

    assert [run["run_id"] for run in listed(active_only="true")["runs"]] == [sleeper]
    page = listed(completed_only="true", limit=2)
    assert [run["run_id"] for run in page["runs"]] == ids[:0:-1]
    assert page["has_more"]
    after = listed(completed_only="true", limit=2, page_token=page["next_page_token"])
    assert after["runs"][0]["run_id"] == ids[0]
    assert "tasks" not in page["runs"][0]
    assert listed(limit=1, expand_tasks="true")["runs"][0]["tasks"][0]["task_key"] == "main"
    assert "limit must be 1 to 25" in listed(limit=26)["message"]
    light.sdk.jobs.cancel_run_and_wait(sleeper)


def test_runs_go_on_while_the_endpoint_restarts(light: Workspace) -> None:
    waits = (
        "import sys, time, pathlib\nprint('on', flush=True)\nwhile not pathlib.Path(sys.argv[1]).exists(): "
    )
    gate = light.settings.state_dir / "gate"
    run_id = light.submit(light.body(waits + "time.sleep(.05)\nprint('off')", str(gate), name="gate.py"))
    light.until_logged(run_id, "on")
    light.restart()
    assert light.get(run_id)["state"]["life_cycle_state"] == "RUNNING"
    gate.touch()
    assert light.wait(run_id)["state"]["result_state"] == "SUCCESS"
    assert light.output(run_id)["logs"] == "on\noff\n"


def test_the_page_shows_state_parameters_and_log_as_text(light: Workspace) -> None:
    script = (
        "import sys\nprint('<b>' + sys.argv[1])\nprint('aside', file=sys.stderr)\nraise SystemExit('<i>no')"
    )
    run_id = light.submit(light.body(script, "<script>alert(1)</script>", name="page.py"))
    run = light.wait(run_id)
    page = light.http.get(run["run_page_url"])
    assert page.status_code == 200
    for text in (
        "&lt;script&gt;alert(1)",
        "&lt;b&gt;&lt;script",
        "aside",
        "&lt;i&gt;no",
        "FAILED",
        "page.py",
    ):
        assert text in page.text
    assert "<script>" not in page.text
    assert 'http-equiv="refresh"' not in page.text
    assert str(run_id) in light.http.get("/runs").text
    assert light.http.get("/runs/1").status_code == 404
    sleeper, _ = _sleeper(light)
    assert 'http-equiv="refresh"' in light.http.get(f"/runs/{sleeper}").text
    light.sdk.jobs.cancel_run_and_wait(sleeper)


def test_the_engine_answers_after_many_runs_without_leftovers(light: Workspace) -> None:
    ids = [light.submit(light.body("print('quick')")) for _ in range(10)]
    assert {light.wait(run_id)["state"]["result_state"] for run_id in ids} == {"SUCCESS"}
    engine = next(
        process
        for process in psutil.process_iter()
        if process.ppid() == os.getpid() and "devstack.engine" in process.cmdline()
    )
    before = engine.cpu_times()
    time.sleep(1)
    after = engine.cpu_times()
    assert (after.user + after.system) - (before.user + before.system) < 0.3
    zombies = [child for child in engine.children() if child.status() == psutil.STATUS_ZOMBIE]
    assert not zombies
