import pytest
from supervisor.options import ServerOptions

from devstack import supervisord
from devstack.config import Settings
from devstack.errors import StackError
from devstack.service import Service


def parsed(settings, *services):
    """What supervisor itself reads from our file."""
    settings.state_dir.joinpath("logs").mkdir(parents=True, exist_ok=True)
    path = supervisord.config_file(settings)
    path.write_text(supervisord.render(settings, {service.name: service for service in services}))
    options = ServerOptions()
    options.realize(["-c", str(path)])
    return {group.name: group.process_configs[0] for group in options.process_group_configs}


@pytest.fixture
def settings(tmp_path):
    return Settings(state_dir=tmp_path / "a state", cache_dir=tmp_path)


def test_supervisor_reads_back_what_a_service_says(settings):
    service = Service(
        name="one", command=["/bin/echo", "two words", "100%", "it's"], ready=lambda: True,
        env={"URL": "http://127.0.0.1:1/?a=b,c&d=%20", "KEY": "a=b=="}, stop_signal="INT", stop_seconds=7,
    )  # fmt: skip
    program = parsed(settings, service)["one"]
    assert program.command == "/bin/echo 'two words' 100% 'it'\"'\"'s'"
    assert program.environment["URL"] == service.env["URL"]
    assert program.environment["KEY"] == "a=b=="
    assert program.environment["DEVSTACK_STATE"] == str(settings.state_dir)
    assert (program.stopsignal, program.stopwaitsecs) == (2, 7)
    assert program.stopasgroup
    assert program.killasgroup


def test_crashed_services_come_back_but_nothing_starts_by_itself(settings):
    program = parsed(settings, Service(name="one", command=["/bin/true"], ready=lambda: True))["one"]
    assert not program.autostart
    assert program.autorestart is not False


@pytest.mark.parametrize("value", ['with "quotes"', "two\nlines", "a ;comment", "a #comment"])
def test_a_value_that_the_file_cannot_hold_is_refused(settings, value):
    service = Service(name="one", command=["/bin/true"], ready=lambda: True, env={"SECRET": value})
    with pytest.raises(StackError, match=r"SECRET of one .* Repair:"):
        supervisord.render(settings, {"one": service})


def test_the_shell_one_starts_from_leaks_nothing(monkeypatch, settings):
    seen = {}

    def run(command, env, **_):
        seen.update(env)
        raise InterruptedError

    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    monkeypatch.setattr(supervisord.subprocess, "run", run)
    with pytest.raises(InterruptedError):
        supervisord._start(settings)
    assert not {"PYTHONPATH", "AWS_PROFILE"} & set(seen)
    assert seen["https_proxy"] == "http://127.0.0.1:3128"
    assert seen["NO_PROXY"] == seen["no_proxy"] == "intranet.example,127.0.0.1,localhost"
