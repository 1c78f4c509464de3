import os
import tempfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from devstack.config import PORTS, Settings
from devstack.errors import StackError


def test_offset_moves_every_port_that_is_not_set_by_hand(monkeypatch, tmp_path):
    monkeypatch.setenv("DEVSTACK_KAFKA_PORT", "9092")
    settings = Settings(state_dir=tmp_path, port_offset=1000)
    assert settings.kafka_port == 9092
    assert settings.s3_port == PORTS["s3_port"] + 1000


def test_a_child_process_gets_the_same_settings(monkeypatch, tmp_path):
    settings = Settings(state_dir=tmp_path, port_offset=7, user_id="1e5")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    child = Settings()
    assert {name: getattr(child, name) for name in PORTS} == {name: getattr(settings, name) for name in PORTS}
    assert (child.state_dir, child.bucket) == (tmp_path, "user-1e5-bucket")
    assert settings.environment()["DEVSTACK_STATE"] == str(tmp_path)


def test_a_wrong_value_is_refused(monkeypatch):
    monkeypatch.setenv("DEVSTACK_S3_PORT", "many")
    with pytest.raises(ValidationError, match="s3_port"):
        Settings()


def test_socket_paths_stay_short_for_a_deep_state_folder(tmp_path):
    settings = Settings(state_dir=tmp_path / ("deep" * 40))
    assert len(str(settings.run_dir / "postgres" / ".s.PGSQL.29432.lock")) < 100


def test_relative_folders_are_made_absolute_and_empty_ones_ignored(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVSTACK_STATE_DIR", "state")
    monkeypatch.setenv("DEVSTACK_VENV_DIR", "")
    assert Settings().state_dir == tmp_path / "state"
    assert Settings(cache_dir=Path("cache")).cache_dir == tmp_path / "cache"
    assert Settings().venv_dir.is_absolute()
    assert Settings().venv_dir.name == ".venv"


@pytest.fixture
def run_dir(monkeypatch, tmp_path):
    """Where the run folder will be; nothing is there yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = Settings(state_dir=tmp_path / "state")
    settings.run_dir.rmdir()
    return settings.run_dir


def refused(tmp_path, why):
    with pytest.raises(StackError, match=rf"{why}\. Repair: remove it, or set TMPDIR"):
        _ = Settings(state_dir=tmp_path / "state").run_dir


def test_a_run_folder_is_made_once_and_closed_to_other_writers(run_dir, tmp_path):
    assert [Settings(state_dir=tmp_path / "state").run_dir for _ in range(2)] == [run_dir] * 2
    assert run_dir.stat().st_mode & 0o022 == 0


def test_a_planted_link_is_no_run_folder(run_dir, tmp_path):
    (tmp_path / "theirs").mkdir()
    run_dir.symlink_to(tmp_path / "theirs")
    refused(tmp_path, "is no folder")


def test_a_run_folder_that_others_may_write_is_refused(run_dir, tmp_path):
    run_dir.mkdir()
    run_dir.chmod(0o777)
    refused(tmp_path, "can be written by other accounts")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_run_folder_of_somebody_else_is_refused(run_dir, tmp_path):
    run_dir.mkdir(mode=0o755)
    os.chown(run_dir, 65534, 65534)
    refused(tmp_path, "belongs to another account")
