"""The Spark code as it is shipped: pinspark as a wheel, the jobs beside it, under their content hash."""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pinflow.paths import include_dir

VERSION = "0.1.0"
_WHEEL_METADATA = b"Wheel-Version: 1.0\nGenerator: pinflow\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# folder in the wheel, as pinspark.report.resources knows it: folder below include/
REPORT = {"page": "report", "sections": "sql/report", "questions": "sql/analytics"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SparkCode:
    """Files by their path below the upload folder, and the hash that names the folder."""

    files: dict[str, bytes]

    @property
    def wheel(self) -> str:
        """Name of pinspark's wheel."""
        return next(name for name in self.files if name.endswith(".whl"))

    @property
    def digest(self) -> str:
        """Sixteen hex digits over names and contents."""
        return _hash(self.files)[:16]


def _hash(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sources(include: Path) -> dict[str, bytes]:
    package = include / "spark" / "pinspark"
    code = {f"pinspark/{p.relative_to(package)}": p.read_bytes() for p in sorted(package.rglob("*.py"))}
    contracts = {
        f"pinspark/contracts_data/{p.name}": p.read_bytes()
        for p in sorted((include / "contracts").glob("*.yaml"))
    }
    checks = {
        f"pinspark/checks_data/{p.name}": p.read_bytes()
        for p in sorted((include / "sql" / "checks").glob("*.sql"))
    }
    report = {
        f"pinspark/report_data/{name}/{p.name}": p.read_bytes()
        for name, folder in REPORT.items()
        for p in sorted((include / folder).glob("*.*"))
    }
    return code | contracts | checks | report


def _wheel(sources: dict[str, bytes]) -> tuple[str, bytes]:
    """Return name and content; other sources are another version, so that a cluster installs them anew."""
    version = f"{VERSION}.post{int(_hash(sources)[:8], 16)}"
    info = f"pinspark-{version}.dist-info"
    files = {
        **sources,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pinspark\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": _WHEEL_METADATA,
    }
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for name, content in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return f"pinspark-{version}-py3-none-any.whl", buffer.getvalue()


def build() -> SparkCode:
    """Build the wheel and collect the jobs; the same sources give the same bytes."""
    include = include_dir()
    jobs = {f"jobs/{p.name}": p.read_bytes() for p in sorted((include / "spark" / "jobs").glob("*.py"))}
    name, wheel = _wheel(_sources(include))
    return SparkCode({name: wheel, **jobs})
