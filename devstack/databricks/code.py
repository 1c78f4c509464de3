"""Python files and wheels brought from S3 to this machine, kept under what they contain."""

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from devstack.config import Settings
from devstack.s3proxy import client

VOLUMES = "volumes"


class CodeError(RuntimeError):
    """A file of a run cannot be had; the message names the repair."""


def place(settings: Settings, path: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI or of a file of a volume."""
    if path.startswith("/Volumes/"):
        return settings.bucket, f"{VOLUMES}/{path.removeprefix('/Volumes/')}"
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return bucket, key


class Code:
    """A cache of fetched files; safe to use from several threads."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.s3: Any = client(settings)

    def order(self, task: dict[str, Any], dependencies: list[str]) -> dict[str, Any]:
        """Fetch what a task needs and write its order to the engine; raises CodeError."""
        script = task["spark_python_task"]
        wheels = [name for name in dependencies if name.startswith(("s3://", "/Volumes/", "dbfs:/Volumes/"))]
        return {
            "kind": "python",
            "file": str(self.file(script["python_file"])),
            "parameters": script["parameters"],
            "path": [str(self.wheel(name.removeprefix("dbfs:"))) for name in wheels],
            "requirements": [name for name in dependencies if name not in wheels],
        }

    def file(self, path: str) -> Path:
        """Fetch one file unless this very content is already here."""
        bucket, key = place(self.settings, path)
        try:
            tag = self.s3.head_object(Bucket=bucket, Key=key)["ETag"]
            target = self._folder(path, tag) / Path(key).name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
                    self.s3.download_fileobj(bucket, key, part)
                Path(part.name).replace(target)
        except (ClientError, BotoCoreError) as error:
            raise CodeError(
                f"Cannot read {path} (s3://{bucket}/{key}): {error}. "
                "Repair: upload it, or correct the path in the task."
            ) from error
        return target

    def wheel(self, path: str) -> Path:
        """Fetch a wheel and unpack it; return the folder to import from."""
        file = self.file(path)
        if file.suffix != ".whl":
            raise CodeError(f"{path} is no wheel. Repair: give dependencies as .whl files.")
        target = file.parent / "unpacked"
        if not target.exists():
            part = Path(tempfile.mkdtemp(dir=file.parent))
            try:
                with zipfile.ZipFile(file) as archive:
                    archive.extractall(part)
            except zipfile.BadZipFile as error:
                raise CodeError(f"{path} is no wheel: {error}. Repair: build and upload it again.") from error
            part.chmod(0o755)
            try:
                part.rename(target)
            except OSError:  # another run was faster
                shutil.rmtree(part)
        return target

    def _folder(self, path: str, tag: str) -> Path:
        return self.folder / hashlib.sha256(f"{path} {tag}".encode()).hexdigest()[:24]
