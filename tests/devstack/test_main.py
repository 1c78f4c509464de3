import os
import sys

import pytest

from devstack import __main__ as commands
from devstack import demo, supervise


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("command", "module", "name", "said"),
    [
        ("demo", demo, "main", "the stack goes on running, and so do the runs that Airflow has started"),
        ("up", supervise, "up", "`make status` shows it, `make down` stops it"),
    ],
)
def test_who_interrupts_a_command_reads_what_goes_on(monkeypatch, capsys, command, module, name, said):
    monkeypatch.setattr(module, name, interrupt)
    monkeypatch.setattr(sys, "argv", ["devstack", command])
    with pytest.raises(SystemExit) as end:
        commands.main()
    assert end.value.code == 130
    assert said in capsys.readouterr().err


def test_no_command_asks_a_proxy_for_its_own_services(monkeypatch):
    for spelling in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(spelling, "")
    monkeypatch.setattr(sys, "argv", ["devstack", "--help"])
    with pytest.raises(SystemExit):
        commands.main()
    assert "127.0.0.1" in os.environ["no_proxy"]
