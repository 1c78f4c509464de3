"""Delete what has been kept long enough: landed objects, manifests, snapshots, and rows staged from them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow import paths
from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.hooks.lake import LakeHook
from pinflow.retention import expired, expired_landed
from pinflow.settings import TABLES, Settings, load_settings
from pinflow.setup import topics
from pinflow.window import now

if TYPE_CHECKING:
    from airflow.sdk import Context

STAGE_TABLES = [*TABLES, *(f"{table}_rejects" for table in TABLES)]
_RUNS_PER_STATEMENT = 500
_MOST_RUNS = 10_000


class RetainOperator(BaseOperator):
    """Apply the settings' `retention` to the bucket and to stage.

    Age alone decides: no run waits and retries as long as the shortest limit (settings.SHORTEST_DAYS).
    Returns how many objects and runs went. Raises LakeError, WorkspaceError or StatementError.
    """

    template_fields: Sequence[str] = ()

    def execute(self, context: "Context") -> dict[str, int]:
        """Delete objects, then the staged rows whose manifests are gone."""
        del context
        settings, lake = load_settings(), LakeHook()
        gone = {
            "landed": lake.delete(settings.bucket, _landed(settings, lake)),
            "manifests": lake.delete(settings.bucket, _of_age(settings, lake, "manifests/")),
            "snapshots": lake.delete(settings.bucket, _of_age(settings, lake, "reconcile/")),
        }
        runs = forget_runs(settings, lake)
        self.log.info("Deleted by %s: %s objects; rows of %d runs in stage", settings.retention, gone, runs)
        return {**gone, "runs": runs}


def _before(days: int) -> datetime:
    return now() - timedelta(days=days)


def _landed(settings: Settings, lake: LakeHook) -> Iterator[str]:
    if days := settings.retention.landed_days:
        for topic in topics(settings):
            yield from expired_landed(lake.stored(settings.bucket, f"topics/{topic}/"), _before(days))


def _of_age(settings: Settings, lake: LakeHook, prefix: str) -> Iterator[str]:
    retention = settings.retention
    days = retention.manifest_days if prefix == "manifests/" else retention.snapshot_days
    return expired(lake.stored(settings.bucket, prefix), _before(days)) if days else iter(())


def forget_runs(settings: Settings, lake: LakeHook) -> int:
    """Delete the staged rows of runs that have no manifest any more; return the number of runs.

    A run has its manifests before it stages a row, so stage is read before the manifests are listed.
    """
    hook, stage = PinterestDatabricksHook(), settings.schema_name("stage")
    staged = " UNION ".join(f"SELECT run FROM {stage}.`{table}`" for table in STAGE_TABLES)  # noqa: S608 - quoted
    answer = hook.run_statement(staged, settings.warehouse_id, "runs in stage", row_limit=_MOST_RUNS)
    runs = {row[0] for row in (answer.get("result") or {}).get("data_array") or ()}
    runs -= {paths.run_of_manifest(stored.key) for stored in lake.stored(settings.bucket, "manifests/")}
    for some in batched(sorted(run for run in runs if run and run.isalnum()), _RUNS_PER_STATEMENT):
        for table in STAGE_TABLES:
            delete = f"DELETE FROM {stage}.`{table}` WHERE run IN ({_quoted(some)})"  # noqa: S608 - checked hashes
            hook.run_statement(delete, settings.warehouse_id, f"retention of stage.{table}")
    return len(runs)


def _quoted(runs: Iterable[str]) -> str:
    return ", ".join(f"'{run}'" for run in runs)
