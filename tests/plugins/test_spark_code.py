import io
import subprocess
import sys
import zipfile
from pathlib import Path

from pinflow import spark_code


def test_the_same_sources_give_the_same_bytes_and_hash() -> None:
    assert spark_code.build() == spark_code.build()
    assert len(spark_code.build().digest) == 16


def test_the_hash_changes_with_any_byte() -> None:
    code = spark_code.build()
    changed = spark_code.SparkCode({**code.files, "jobs/clean.py": code.files["jobs/clean.py"] + b"#"})
    assert changed.digest != code.digest


def test_the_wheel_holds_package_contracts_and_record() -> None:
    names = zipfile.ZipFile(io.BytesIO(spark_code.build().files[spark_code.WHEEL])).namelist()
    assert "pinspark/__init__.py" in names
    assert {f"pinspark/contracts_data/{t}.yaml" for t in ("pin", "geo", "user")} <= set(names)
    assert "pinspark-0.1.0.dist-info/RECORD" in names


def test_pip_accepts_the_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / spark_code.WHEEL
    wheel.write_bytes(spark_code.build().files[spark_code.WHEEL])
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import pinspark; print(pinspark.__file__)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert spark_code.WHEEL in shown.stdout
