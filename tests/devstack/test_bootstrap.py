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
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("UV_CACHE_DIR", "DEVSTACK_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
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
    assert bootstrap.tempfile.gettempdir() in said.err


def test_without_uv_and_pip_the_message_says_what_to_install(venv, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    monkeypatch.setattr(bootstrap.sys, "executable", str(venv / "no-python"))
    with pytest.raises(SystemExit, match=r"neither uv nor .* Repair: install uv .*python3-venv"):
        bootstrap.find_uv()


def test_the_script_needs_no_package():
    script = Path(bootstrap.__file__)
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='not main')"
    assert subprocess.run([sys.executable, "-S", "-I", "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "UV_CACHE_DIR", "DEVSTACK_CACHE_DIR"])
def test_a_cache_that_cannot_be_written_stops_before_a_download(venv, monkeypatch, variable):
    bootstrap.stamp_file("spark").write_text("older")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    monkeypatch.setattr(bootstrap, "find_uv", None)
    (venv / "file").touch()
    monkeypatch.setenv(variable, str(venv / "file" / "below"))
    with pytest.raises(
        SystemExit, match=r"/file/below.* cannot be written \(.*\)\. Repair: set XDG_CACHE_HOME"
    ):
        bootstrap.main()


def test_little_disk_is_a_warning(venv, monkeypatch, capfd):
    monkeypatch.setattr(bootstrap, "DISK_GIGABYTES", 10**9)
    bootstrap.cache_dir().mkdir(parents=True)
    bootstrap.announce(["spark"])
    assert f"GB are free for {venv}; it may not be enough" in capfd.readouterr().err


def test_where_venv_lacks_ensurepip_the_pip_that_is_there_installs_uv(venv, monkeypatch):
    python = venv / "python3"
    python.write_text(
        "#!/bin/sh\n"
        'if [ "$2" = venv ]; then mkdir -p "$4/bin"; exit 1; fi\n'
        'test "$2 $3 $5" = "pip install --target" -a ! -e "$6" && mkdir -p "$6/bin" && echo "$7" > "$6/bin/uv"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    monkeypatch.setattr(bootstrap.sys, "executable", str(python))
    assert bootstrap.find_uv() == str(venv / "uv" / "bin" / "uv")
    assert (venv / "uv" / "bin" / "uv").read_text() == f"{bootstrap.UV}\n"


def test_a_python_without_lzma_is_passed_over(venv, monkeypatch):
    python = venv / "python3.12"
    python.write_text('#!/bin/sh\ncase "$2" in *lzma*) exit 1;; esac; echo 3.12\n')
    python.chmod(0o755)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: str(python))
    monkeypatch.setenv("PYENV_ROOT", str(venv))
    assert bootstrap.find_python("true") == bootstrap.PYTHON


def test_environments_that_cannot_be_written_are_told_first(venv, monkeypatch):
    (venv / "file").touch()
    monkeypatch.setattr(bootstrap, "VENV", venv / "file" / "venv")
    with pytest.raises(SystemExit, match=r"/file/venv cannot be written .*Repair: set DEVSTACK_VENV_DIR"):
        bootstrap.main()
