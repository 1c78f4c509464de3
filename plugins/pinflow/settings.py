"""What an environment decides: the Airflow Variable `pinflow`, validated as one typed model."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from pinflow.errors import SettingsError

VARIABLE = "pinflow"
TABLES = ("pin", "geo", "user")

UserId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
# below it Delta refuses to vacuum by itself
WEEK_HOURS = 168
# a run that waits and retries all it may ends within three days: what is older belongs to none at work
SHORTEST_DAYS = 3


def _long_enough(days: int | None) -> int | None:
    if days and days < SHORTEST_DAYS:
        raise ValueError(
            f"{days} days are fewer than a run may need: give 0 (for ever) or {SHORTEST_DAYS} or more"
        )
    return days or None


Days = Annotated[Annotated[int, Field(ge=0)] | None, AfterValidator(_long_enough)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,255}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schemas(_Model):
    """Names of the four schemas."""

    stage: Identifier = "stage"
    silver: Identifier = "silver"
    gold: Identifier = "gold"
    ops: Identifier = "ops"


class Sink(_Model):
    """How the S3 sink names and cuts its objects."""

    records_per_object: int = Field(default=1000, ge=1)
    offset_padding: Literal[10, 20] = 20


class Compute(_Model):
    """Where a Spark job runs."""

    kind: Literal["serverless", "existing_cluster", "new_cluster"] = "serverless"
    environment_version: str = "4"
    existing_cluster_id: str | None = None
    new_cluster: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_its_details(self) -> Self:
        if self.kind == "existing_cluster" and not self.existing_cluster_id:
            raise ValueError("existing_cluster needs existing_cluster_id")
        if self.kind == "new_cluster" and not self.new_cluster:
            raise ValueError("new_cluster needs new_cluster, a cluster specification")
        return self


class Retention(_Model):
    """How long things are kept; 0 or null: for ever. Quarantine, ledger and silver have no limit."""

    landed_days: Days = 30
    manifest_days: Days = 30
    snapshot_days: Days = 7
    vacuum_hours: int = Field(default=WEEK_HOURS, ge=0)
    vacuum_early: bool = False

    @model_validator(mode="after")
    def _no_reader_is_robbed(self) -> Self:
        if self.vacuum_hours < WEEK_HOURS and not self.vacuum_early:
            raise ValueError(
                f"vacuum_hours below {WEEK_HOURS} takes files that queries at work and time travel may need: "
                "raise it, or set vacuum_early to true"
            )
        return self


class Settings(_Model):
    """One environment's settings; every default is the local stack's."""

    user_id: UserId = "12e834567890"
    bucket: BucketName = "user-12e834567890-bucket"
    catalog: Identifier | None = None
    schemas: Schemas = Schemas()
    transport: Literal["api", "direct"] = "api"
    compute: Compute = Compute()
    warehouse_id: str = "local"
    code_root: str | None = None
    grace_minutes: int = Field(default=30, ge=0)
    source_is_live: bool = True
    shift_days: int = Field(default=0, ge=0, le=36_500)
    # brokers and proxies take a megabyte with their own bytes, a stream 1 MiB
    max_row_bytes: int = Field(default=900_000, ge=1_000)
    sink: Sink = Sink()
    retention: Retention = Retention()
    poll_seconds: int = Field(default=5, ge=1)
    topic_partitions: int = Field(default=3, ge=1)
    topic_replication: int = Field(default=-1, ge=-1)
    stream_shards: int = Field(default=2, ge=1)
    # whether the serving view shows the speed layer's rows
    serving: Literal["batch", "lambda"] = "batch"

    @model_validator(mode="after")
    def _code_can_be_reached(self) -> Self:
        root = self.code_root
        if root and not root.startswith(("s3://", "/Volumes/")):
            raise ValueError("code_root must start with s3:// or /Volumes/")
        if self.catalog and self.compute.kind == "serverless" and not (root or "").startswith("/Volumes/"):
            raise ValueError("serverless compute reads wheels from volumes only: set code_root to /Volumes/…")
        return self

    @property
    def code(self) -> str:
        """URI or volume path under which the Spark code is uploaded."""
        return (self.code_root or f"s3://{self.bucket}/code").rstrip("/")

    def schema_name(self, schema: str) -> str:
        """Quoted name of a schema, with the catalog where there is one."""
        name = f"`{getattr(self.schemas, schema)}`"
        return f"`{self.catalog}`.{name}" if self.catalog else name

    def names(self) -> dict[str, str]:
        """What SQL files and job parameters may refer to; identifiers are quoted."""
        quoted = {schema: self.schema_name(schema) for schema in Schemas.model_fields}
        both = self.serving == "lambda"
        return {
            **quoted,
            "bucket": self.bucket,
            "user_id": self.user_id,
            "served": "post_union" if both else "post_batch",
            "layer": "layer" if both else "'batch'",
            "vacuum_hours": str(self.retention.vacuum_hours),
        }


def parse_settings(raw: Any) -> Settings:
    """Validate the Variable's JSON; raises SettingsError with every error at once."""
    if not isinstance(raw, dict):
        raise SettingsError(
            f"The Airflow Variable `{VARIABLE}` is not a JSON object but {type(raw).__name__}.",
            'set it to a JSON object, for example {"user_id": "12e834567890", "bucket": "…"}.',
        )
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or '(all)'}: {e['msg']} (found {e['input']!r})"
            for e in error.errors()
        ]
        raise SettingsError(
            f"The Airflow Variable `{VARIABLE}` has {len(lines)} error(s): " + "; ".join(lines) + ".",
            "edit the Variable under Admin > Variables, then clear this task.",
        ) from None


def load_settings() -> Settings:
    """Read and validate the Variable; only ever called while a task runs."""
    from airflow.sdk import Variable

    text = Variable.get(VARIABLE, default=None)
    if text is None:
        raise SettingsError(
            f"The Airflow Variable `{VARIABLE}` is not set.",
            "create it under Admin > Variables as a JSON object; the embedded stack makes it by itself.",
        )
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise SettingsError(
            f"The Airflow Variable `{VARIABLE}` is no JSON: {error}.",
            "correct it under Admin > Variables, then clear this task.",
        ) from None
    return parse_settings(raw)
