import hashlib

import pytest

from devstack import jars
from devstack.config import Settings
from devstack.errors import StackError


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A cache with one jar a configuration, and a lock that names them."""
    lock = tmp_path / "jars.sha256"
    names = [
        "kafka/a-1.jar",
        "s3/b-1.jar",
        "spark/c-1.jar",
        "mariadb/d-1.jar",
        f"{jars.postgres_conf()}/e-1.jar",
    ]
    lines = [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in names]
    lock.write_text("".join([*lines, f"{'0' * 64}  postgres-elsewhere/f-1.jar\n"]))
    monkeypatch.setattr(jars, "JARS_LOCK", lock)
    monkeypatch.setattr(Settings, "jars_dir", tmp_path / "jars")
    for name in names:
        path = tmp_path / "jars" / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    return Settings(state_dir=tmp_path / "state", cache_dir=tmp_path)


def forbid_fetch(*_):
    raise AssertionError("nothing should be fetched")


def test_all_there_needs_no_network_and_is_stamped(locked, monkeypatch):
    monkeypatch.setattr(jars, "_fetch", forbid_fetch)
    assert jars.ensure(locked) == 0
    assert (locked.jars_dir / "verified.json").exists()
    assert jars.ensure(locked) == 0


def test_a_missing_jar_is_fetched_and_counted(locked, monkeypatch):
    (locked.jars_dir / "s3/b-1.jar").unlink()

    def fetch(settings, confs):
        assert "postgres-elsewhere" not in confs
        (settings.jars_dir / "s3/b-1.jar").write_text("s3/b-1.jar")
        return 12.5

    monkeypatch.setattr(jars, "_fetch", fetch)
    assert jars.ensure(locked) == 12.5


def test_a_jar_that_differs_from_the_lock_is_named_with_its_repair(locked, monkeypatch):
    (locked.jars_dir / "kafka/a-1.jar").write_text("something else")
    monkeypatch.setattr(jars, "_fetch", lambda *_: 0.0)
    with pytest.raises(StackError, match=r"kafka/a-1\.jar has SHA-256 .* Repair: delete"):
        jars.ensure(locked)


def test_a_jar_changed_after_the_check_is_seen(locked, monkeypatch):
    jars.ensure(locked)
    (locked.jars_dir / "kafka/a-1.jar").write_text("changed later")
    monkeypatch.setattr(jars, "_fetch", lambda *_: 0.0)
    with pytest.raises(StackError, match=r"kafka/a-1\.jar"):
        jars.ensure(locked)


def test_a_jar_the_lock_does_not_name_leaves_the_class_path(locked, monkeypatch):
    (locked.jars_dir / "kafka/a-1.jar").unlink()
    (locked.jars_dir / "kafka/old-0.jar").write_text("old")

    def fetch(settings, confs):
        (settings.jars_dir / "kafka/a-1.jar").write_text("kafka/a-1.jar")
        return 1.0

    monkeypatch.setattr(jars, "_fetch", fetch)
    jars.ensure(locked)
    assert [path.name for path in (locked.jars_dir / "kafka").iterdir()] == ["a-1.jar"]


def test_an_own_database_binary_needs_no_mariadb_jar(tmp_path):
    settings = Settings(source_db_binary=tmp_path / "mariadbd")
    assert not [name for name in jars.wanted(settings) if name.startswith("mariadb/")]


def test_a_cache_that_cannot_be_written_is_told_with_its_repair(locked):
    (locked.cache_dir / "file").touch()
    settings = locked.model_copy(update={"cache_dir": locked.cache_dir / "file"})
    with pytest.raises(StackError, match=r"could not be put into .*/file: .* Repair: .*XDG_CACHE_HOME"):
        jars.ensure(settings)
