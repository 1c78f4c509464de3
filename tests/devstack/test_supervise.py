import socket
import subprocess
import sys
import time

import psutil
import pytest

from devstack import memory, processes, registry, supervise, supervisord
from devstack.config import Settings
from devstack.errors import StackError
from devstack.service import Service

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A stack of plain Python processes under a real supervisor."""
    settings = Settings(state_dir=tmp_path / "state")
    monkeypatch.setattr(supervise.jars, "ensure", lambda _: 0.0)
    yield settings
    supervise.down(settings, lambda _: None)


def use(monkeypatch, *services):
    known = {service.name: service for service in services}
    monkeypatch.setattr(registry, "services", lambda _: known)
    monkeypatch.setattr(memory, "service", lambda _: Service("memory", SLEEP, ready=lambda: True))


def sleeper(name, **options):
    return Service(name, SLEEP, ready=options.pop("ready", lambda: True), **options)


def states(settings):
    return {row.name: row.state for row in supervise.status(settings) if row.pid}


def test_only_what_is_wanted_and_needed_starts_in_order(settings, monkeypatch):
    seen = []
    use(
        monkeypatch,
        sleeper("lake", after=lambda: seen.append("lake is ready")),
        sleeper("engine", needs=("lake",), prepare=lambda: seen.append("engine may start")),
        sleeper("other"),
    )
    supervise.up(settings, ["engine"], lambda _: None)
    assert seen == ["lake is ready", "engine may start"]
    assert set(states(settings)) == {"lake", "engine", "memory"}


def test_down_leaves_nothing_and_a_second_up_works(settings, monkeypatch):
    use(monkeypatch, sleeper("one"))
    said = []
    for _ in range(2):
        supervise.up(settings, (), lambda _: None)
        assert processes.ours(settings.state_dir)
        supervise.down(settings, said.append)
        assert processes.ours(settings.state_dir) == []
    assert said == ["down: no process of the stack is left"] * 2


def test_down_ends_and_names_what_escaped_the_supervisor(settings, monkeypatch):
    use(monkeypatch, sleeper("one"))
    supervise.up(settings, (), lambda _: None)
    escaped = subprocess.Popen(
        SLEEP, env=settings.environment(), start_new_session=True, stdout=subprocess.DEVNULL
    )
    said = []
    supervise.down(settings, said.append)
    assert f"ending 1 leftover process(es): {escaped.pid}" in said[0]
    assert not psutil.pid_exists(escaped.pid)


def test_a_killed_service_comes_back(settings, monkeypatch):
    use(monkeypatch, sleeper("one"))
    supervise.up(settings, (), lambda _: None)
    time.sleep(1.2)
    first = supervisord.rpc(settings).getProcessInfo("one")["pid"]
    psutil.Process(first).kill()
    deadline = time.monotonic() + 10
    while supervisord.rpc(settings).getProcessInfo("one")["pid"] in (0, first):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_service_that_dies_is_reported_with_its_log(settings, monkeypatch):
    dying = [sys.executable, "-c", "print('no such table: pin'); raise SystemExit(3)"]
    use(monkeypatch, Service("one", dying, ready=lambda: False))
    with pytest.raises(StackError, match=r"(?s)Service one .*one\.log.*no such table: pin.*Repair:"):
        supervise.up(settings, (), lambda _: None)


def test_a_service_that_is_never_ready_ends_the_wait(settings, monkeypatch):
    use(monkeypatch, sleeper("one", ready=lambda: False, ready_seconds=0.5))
    with pytest.raises(StackError, match=r"was not ready after 0 s"):
        supervise.up(settings, (), lambda _: None)


def test_a_taken_port_is_named_with_setting_and_holder(settings, monkeypatch):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        use(monkeypatch, sleeper("kafka", ports={"kafka_port": port}))
        with pytest.raises(StackError, match=rf"port {port} of kafka is taken by .*DEVSTACK_KAFKA_PORT"):
            supervise.up(settings, (), lambda _: None)


def test_an_unknown_service_is_refused_with_the_names(settings, monkeypatch):
    use(monkeypatch, sleeper("one"))
    with pytest.raises(StackError, match=r"no service 'two'. Repair: choose from one"):
        supervise.up(settings, ["two"], lambda _: None)


def test_reset_forgets_the_state(settings, monkeypatch):
    use(monkeypatch, sleeper("one"))
    supervise.up(settings, (), lambda _: None)
    supervise.reset(settings, lambda _: None)
    assert not settings.state_dir.exists()
    settings.run_dir.mkdir()


def test_a_folder_with_other_things_is_never_taken_as_state(settings, monkeypatch):
    use(monkeypatch, sleeper("one"))
    settings.state_dir.mkdir()
    (settings.state_dir / "thesis.doc").touch()
    with pytest.raises(StackError, match=r"thesis\.doc.*Repair: set DEVSTACK_STATE_DIR"):
        supervise.up(settings, (), lambda _: None)
    with pytest.raises(StackError, match=r"was not made by `up`"):
        supervise.reset(settings, lambda _: None)
    assert (settings.state_dir / "thesis.doc").exists()


def test_the_sampler_counts_a_stack_and_its_children_once(settings):
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    parent = subprocess.Popen([sys.executable, "-c", child], env=settings.environment())
    try:
        time.sleep(0.5)
        total = memory.Sampler(settings).sample()
        assert total.keys() == {"supervisor"}
        assert 1 < total["supervisor"] < 100
    finally:
        processes.end(processes.tree(parent.pid))
        parent.wait()


def test_after_a_failed_up_the_mended_service_starts(settings, monkeypatch):
    dying = [sys.executable, "-c", "raise SystemExit(3)"]
    use(monkeypatch, Service("one", dying, ready=lambda: False))
    with pytest.raises(StackError, match="ended while starting"):
        supervise.up(settings, (), lambda _: None)
    use(monkeypatch, sleeper("one"))
    supervise.up(settings, (), lambda _: None)
    assert states(settings)["one"] in ("starting", "running")


def test_a_changed_setting_of_a_running_service_is_refused_and_the_old_one_still_goes(settings, monkeypatch):
    use(monkeypatch, sleeper("one"), sleeper("two"))
    supervise.up(settings, ["one"], lambda _: None)
    other = settings.model_copy(update={"spark_memory": "1g"})
    said = (
        r"settings of memory, one changed .*\(DEVSTACK_SPARK_MEMORY\)\. Repair: .*`make down`, then `make up`"
    )
    with pytest.raises(StackError, match=said):
        supervise.up(other, (), lambda _: None)
    pids = {row.name: row.pid for row in supervise.status(settings) if row.pid}
    supervise.up(settings, (), lambda _: None)
    assert pids.items() < {row.name: row.pid for row in supervise.status(settings)}.items()
    assert set(states(settings)) == {"one", "two", "memory"}


def test_reset_forgets_what_status_made(settings):
    supervise.status(settings)
    assert settings.state_dir.exists()
    supervise.reset(settings, lambda _: None)
    assert not settings.state_dir.exists()
    settings.run_dir.mkdir()
