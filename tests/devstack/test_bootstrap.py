import json
import subprocess
import sys
from pathlib import Path

import pytest

from devstack import bootstrap


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """Two environments as a finished set-up leaves them."""
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "RECORD", tmp_path / "downloads.json")
    for name in bootstrap.ENVIRONMENTS:
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python").touch()
        bootstrap.stamp_file(name).write_text(bootstrap.lock_stamp(name))
    return tmp_path


def test_a_second_set_up_downloads_nothing_and_is_silent(venv, monkeypatch, capfd):
    monkeypatch.setattr(bootstrap, "fetch_jars", lambda: 0.0)
    monkeypatch.setattr(bootstrap, "sync", None)
    bootstrap.main()
    assert capfd.readouterr() == ("", "")
    record = json.loads((venv / "downloads.json").read_text())
    assert (record["wheels"], record["jars"]) == (0, 0)


def test_a_changed_lock_is_installed_after_saying_what_it_costs(venv, monkeypatch, capfd):
    bootstrap.stamp_file("spark").write_text("older")
    synced = []
    monkeypatch.setattr(bootstrap, "fetch_jars", lambda: 0.0)
    monkeypatch.setattr(bootstrap, "find_uv", lambda: "uv")
    monkeypatch.setattr(bootstrap, "find_python", lambda uv: "python3.12")
    monkeypatch.setattr(bootstrap, "sync", lambda uv, name, python: synced.append(name))
    bootstrap.main()
    said = capfd.readouterr()
    assert synced == ["spark"]
    assert said.out == ""
    assert said.err.startswith("set-up: downloads up to ")
    assert str(venv) in said.err
    assert "GB of memory" in said.err


def test_without_uv_and_pip_the_message_says_what_to_install(venv, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    monkeypatch.setattr(bootstrap.sys, "executable", str(venv / "no-python"))
    with pytest.raises(SystemExit, match=r"neither uv nor .* Repair: install uv .*python3-venv"):
        bootstrap.find_uv()


def test_the_script_needs_no_package():
    script = Path(bootstrap.__file__)
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='not main')"
    assert subprocess.run([sys.executable, "-S", "-I", "-c", code], check=False).returncode == 0
