"""Put the Spark code where jobs can read it."""

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow import spark_code
from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.hooks.lake import LakeHook
from pinflow.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class UploadSparkCodeOperator(BaseOperator):
    """Upload pinspark's wheel and the jobs under their content hash; what is there already is left alone.

    Returns `{"jobs": folder, "wheel": path}`.
    """

    ui_color = "#e6e0f0"

    def execute(self, context: "Context") -> dict[str, str]:
        """Build, compare, upload."""
        del context
        settings, code = load_settings(), spark_code.build()
        root = f"{settings.code}/{code.digest}"
        store = _Volume() if root.startswith("/Volumes/") else _Bucket()
        missing = [name for name in code.files if not store.has(f"{root}/{name}")]
        for name in missing:
            store.put(f"{root}/{name}", code.files[name])
        self.log.info(
            "Spark code %s: %d of %d files uploaded to %s", code.digest, len(missing), len(code.files), root
        )
        return {"jobs": f"{root}/jobs", "wheel": f"{root}/{code.wheel}"}


class _Bucket:
    def __init__(self) -> None:
        self.hook = LakeHook()

    def has(self, path: str) -> bool:
        return self.hook.exists(path)

    def put(self, path: str, content: bytes) -> None:
        self.hook.write(path, content)


class _Volume:
    def __init__(self) -> None:
        self.hook = PinterestDatabricksHook()

    def has(self, path: str) -> bool:
        return self.hook.has_file(path)

    def put(self, path: str, content: bytes) -> None:
        self.hook.put_file(path, content)
