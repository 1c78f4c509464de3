"""Wait until the S3 sink has landed what Kafka acknowledged."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, BaseSensorOperator, PokeReturnValue

from pinflow import paths
from pinflow.erasure import erased
from pinflow.errors import LandingError, ObjectGoneError
from pinflow.hooks.lake import CONNECTION, LakeHook
from pinflow.hooks.source import KEY
from pinflow.manifest import Manifest, Span
from pinflow.settings import Settings, load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

_SEND_AGAIN = "clear emulate.{}, which sends the window again."


def _holds(content: bytes, key_column: str, ind: int, line: int) -> bool:
    """Tell whether an id stands at this line or behind it; an earlier load may have sent it before.

    A row that was erased has landed: its line is there.
    """
    lines = content.split(b"\n")[line:]
    if lines and erased(lines[0], key_column):
        return True
    for text in lines:
        try:
            row = json.loads(text)
        except ValueError:
            continue
        if isinstance(row, dict) and row.get(key_column) == ind:
            return True
    return False


class KafkaOffsetsS3KeySensor(S3KeySensor):
    """Satisfied when every partition of a manifest has a later object, or the newest holds the last offset.

    Lists from the last key that cannot hold the first offset, and stops behind the last offset. Returns the
    manifest with `keys`, a file that names the landed objects that may hold the window's rows.

    :param manifest: what MySqlToKafkaOperator returned (templated).
    """

    template_fields: Sequence[str] = ("manifest",)
    ui_color = "#f4ead5"

    def __init__(self, *, manifest: Any, **kwargs: Any) -> None:
        super().__init__(bucket_key="", **{"mode": "reschedule", "aws_conn_id": CONNECTION, **kwargs})
        self.manifest = manifest

    def execute(self, context: "Context") -> Any:
        """Poke; the parent would drop what poke returns. Raises LandingError after the time-out."""
        try:
            return BaseSensorOperator.execute(self, context)
        except AirflowSensorTimeout as error:
            manifest = Manifest.from_json(self.manifest)
            raise LandingError(
                f"Acknowledged records of `{manifest.topic}` have not landed ({error}).",
                "check that the S3 sink runs, flushes by time and covers the topic, then clear this task; or "
                f"clear emulate.{manifest.table}, which sends the window again behind any gap of the topic.",
            ) from error

    def poke(self, context: "Context") -> PokeReturnValue:
        """Look at every partition once."""
        del context
        settings, lake, manifest = load_settings(), LakeHook(), Manifest.from_json(self.manifest)
        found: list[str] = []
        for partition, span in manifest.partitions.items():
            keys = self._landed(settings, lake, manifest, int(partition), span)
            if keys is None:
                self.log.info(
                    "%s: offset %d of partition %s has not landed in s3://%s/%s yet",
                    manifest.table, span.last, partition, settings.bucket,
                    paths.partition_prefix(manifest.topic, int(partition)),
                )  # fmt: skip
                return PokeReturnValue(is_done=False)
            found += keys
        uris = [f"s3://{settings.bucket}/{key}" for key in found]
        listing = lake.write(manifest.ids.removesuffix(".jsonl.gz") + ".keys.txt", "\n".join(uris).encode())
        self.log.info(
            "%s: all %d acknowledged records have landed, in %d objects listed in %s",
            manifest.table, manifest.count, len(uris), listing,
        )  # fmt: skip
        return PokeReturnValue(
            is_done=True, xcom_value={**manifest.to_json(), "keys": listing, "objects": len(uris)}
        )

    def _landed(
        self, settings: Settings, lake: LakeHook, manifest: Manifest, partition: int, span: Span
    ) -> list[str] | None:
        topic, padding = manifest.topic, settings.sink.offset_padding
        prefix = paths.partition_prefix(topic, partition)
        before = span.first - settings.sink.records_per_object
        after = paths.landed_key(topic, partition, before, padding) if before >= 0 else ""
        keys: list[str] = []
        newest = 0
        for key in lake.keys_after(settings.bucket, prefix, after):
            start = paths.start_offset(key)
            if start is None:
                continue
            if start > span.last:
                return keys or self._gone(manifest, span, key)
            if start <= span.first:
                keys.clear()
            keys.append(key)
            newest = start
        if not keys:
            return None
        content = lake.read(f"s3://{settings.bucket}/{keys[-1]}", _SEND_AGAIN.format(manifest.table))
        return keys if _holds(content, KEY[manifest.table], span.last_id, span.last - newest) else None

    @staticmethod
    def _gone(manifest: Manifest, span: Span, later: str) -> NoReturn:
        raise ObjectGoneError(
            f"No object holds the offsets {span.first} to {span.last} of `{manifest.topic}`, but {later} is "
            "there, which the sink wrote later: those that held them are gone.",
            f"{_SEND_AGAIN.format(manifest.table)} If that repeats, raise sink.records_per_object in the "
            "Variable to the sink's.",
        )
