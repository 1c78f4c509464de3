import base64
import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from pinflow import spark_code
from pinflow.paths import include_dir


def test_the_same_sources_give_the_same_bytes_and_hash() -> None:
    assert spark_code.build() == spark_code.build()
    assert len(spark_code.build().digest) == 16


def test_the_hash_changes_with_any_byte() -> None:
    code = spark_code.build()
    changed = spark_code.SparkCode({**code.files, "jobs/clean.py": code.files["jobs/clean.py"] + b"#"})
    assert changed.digest != code.digest


def test_the_wheel_holds_package_contracts_checks_and_record() -> None:
    code = spark_code.build()
    names = zipfile.ZipFile(io.BytesIO(code.files[code.wheel])).namelist()
    assert "pinspark/__init__.py" in names
    assert {f"pinspark/contracts_data/{t}.yaml" for t in ("pin", "geo", "user")} <= set(names)
    checks = {f"pinspark/checks_data/{p.name}" for p in (include_dir() / "sql" / "checks").glob("*.sql")}
    assert checks
    assert checks <= set(names)


def test_name_metadata_and_record_of_the_wheel_agree() -> None:
    code = spark_code.build()
    name, version, _, _ = parse_wheel_filename(code.wheel)
    archive = zipfile.ZipFile(io.BytesIO(code.files[code.wheel]))
    packed = set(archive.namelist())
    info = PathDistribution(zipfile.Path(archive, f"{name}-{version}.dist-info/"))
    assert (info.metadata["Name"], info.version) == (name, str(version))
    listed = {str(file): file.hash for file in info.files or ()}
    assert set(listed) == packed
    for file, recorded in listed.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(file)).digest()).rstrip(b"=").decode()
        assert recorded is None or recorded.value == digest
    assert [file for file, recorded in listed.items() if recorded is None] == [
        f"{name}-{version}.dist-info/RECORD"
    ]


def test_other_sources_are_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = spark_code.build().wheel
    shutil.copytree(include_dir(), tmp_path / "include", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(spark_code, "include_dir", lambda: tmp_path / "include")
    assert spark_code.build().wheel == before
    (tmp_path / "include" / "spark" / "pinspark" / "more.py").write_text("")
    assert spark_code.build().wheel != before


def test_the_package_is_imported_from_the_wheel(tmp_path: Path) -> None:
    built = spark_code.build()
    wheel = tmp_path / built.wheel
    wheel.write_bytes(built.files[built.wheel])
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import pinspark; print(pinspark.__file__)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert built.wheel in shown.stdout
