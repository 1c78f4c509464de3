"""Runs the first tasks of pinterest_batch for one day as Airflow's scheduler, backfill, trigger and `dag.test` do.

A program of its own: the metadata database is its own, and the lake is moto's. It prints, for each way, the run's
type, its interval, and the ids that select_posts has frozen.
"""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.backfill import ReprocessBehavior, _create_backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk.definitions.dag import _run_task
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from moto import mock_aws
from sqlalchemy import select

from pinflow.settings import load_settings

REPO = Path(__file__).resolve().parents[2]
DAG = "pinterest_batch"
FIRST = ("wait_for_posts", "select_posts")


def read_dag() -> Any:
    """Store the DAG files as the dag-processor does; return the batch as a worker has it."""
    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
    folder = REPO / "dags"
    bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags[DAG]


def due() -> DagModel:
    """What the scheduler would make next; catchup is off, so this is yesterday's run."""
    with create_session() as session:
        found = session.scalars(select(DagModel).where(DagModel.dag_id == DAG)).one()
        session.expunge(found)
        return found


def make(run_type: DagRunType, triggered_by: DagRunTriggeredByType, **facts: Any) -> None:
    """Make a run as scheduler and API server do."""
    with create_session() as session:
        dag = SerializedDagModel.get_dag(DAG, session=session)
        if "validate" in facts:
            facts = facts["validate"].validate_context(dag)
        else:
            facts["run_id"] = DagRun.generate_run_id(
                run_type=run_type, logical_date=facts["logical_date"], run_after=facts["run_after"]
            )
        facts = {name: value for name, value in facts.items() if name != "note"}
        dag.create_dagrun(
            run_type=run_type, triggered_by=triggered_by, state=DagRunState.QUEUED, session=session, **facts
        )


def by_schedule(day: datetime) -> None:
    model = due()
    make(
        DagRunType.SCHEDULED, DagRunTriggeredByType.TIMETABLE, logical_date=model.next_dagrun,
        data_interval=model.next_dagrun_data_interval, run_after=model.next_dagrun_create_after,
    )  # fmt: skip


def by_backfill(day: datetime) -> None:
    _create_backfill(
        dag_id=DAG, from_date=day, to_date=day, max_active_runs=1, reverse=False, dag_run_conf=None,
        triggering_user_name=None, reprocess_behavior=ReprocessBehavior.NONE,
    )  # fmt: skip


def by_hand(day: datetime) -> None:
    body = TriggerDAGRunPostBody(logical_date=day)
    make(DagRunType.MANUAL, DagRunTriggeredByType.REST_API, validate=body)


def by_hand_without_a_date(day: datetime) -> None:
    body = TriggerDAGRunPostBody(logical_date=None)
    make(DagRunType.MANUAL, DagRunTriggeredByType.UI, validate=body)


def run_first_tasks(dag: Any) -> None:
    """Run the tasks as `dag.test` runs them, in the run that was made."""
    for task_id in FIRST:
        with create_session() as session:
            run = session.scalars(select(DagRun).where(DagRun.dag_id == DAG)).one()
            run.state = DagRunState.RUNNING
            ti = run.get_task_instance(task_id, session=session)
            ti.try_number += 1
            ti.state = TaskInstanceState.SCHEDULED
            session.flush()
            session.expunge(ti)
        _run_task(ti=ti, task=dag.task_dict[task_id])


def frozen() -> Iterator[Any]:
    """The ids in the lake, with their window's part of the key; takes them away."""
    client, bucket = boto3.client("s3", region_name="us-east-1"), load_settings().bucket
    for entry in client.list_objects_v2(Bucket=bucket, Prefix="manifests/posts/").get("Contents", ()):
        body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        rows = [json.loads(line) for line in gzip.decompress(body).splitlines()]
        yield entry["Key"].split("/")[2], [row["ind"] for row in rows]
        client.delete_object(Bucket=bucket, Key=entry["Key"])


def outcome() -> dict[str, Any]:
    """What came of the only run; forgets it, so that the day is free again."""
    ((window, ids),) = frozen()
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == DAG)).one()
        interval = [str(moment) for moment in (run.data_interval_start, run.data_interval_end)]
        found = {"run_type": run.run_type, "interval": interval, "window": window, "ids": ids}
        session.delete(run)
    return found


@contextmanager
def lake() -> Iterator[None]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=load_settings().bucket)
        yield


def main() -> None:
    dag = read_dag()
    day = due().next_dagrun
    assert day is not None
    day = day.astimezone(UTC)
    found = {}
    with lake():
        for way in (by_schedule, by_backfill, by_hand, by_hand_without_a_date):
            way(day)
            run_first_tasks(dag)
            found[way.__name__] = outcome()
        # the real DAG; what comes after these tasks needs the whole stack, so it counts as done
        dag.test(logical_date=day, mark_success_pattern=f"(?!({'|'.join(FIRST)})$).*")
        found["by_dag_test"] = outcome()
    print(json.dumps({"day": f"{day:%Y-%m-%d}", "ways": found}))


if __name__ == "__main__":
    main()
