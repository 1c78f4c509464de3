import pytest
from pydantic import ValidationError

from devstack.config import PORTS, Settings


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
