"""### Keep the tables true, small and bounded

**Purpose.** Finds published days whose rows were inserted, changed, moved or deleted in the source since, and
rebuilds them when told to; erases one user when told to, and answers the questions without them;
optimizes and vacuums the tables; deletes what has been kept long enough; cancels Databricks runs that no task
waits for.

**Inputs.** The three source tables, silver, `ops.ledger`, the setting `retention` of the Variable `pinflow`.

**Outputs.** `ops.stale_days`: one row for each stale day and table; with `rebuild` those days anew; with
`erase` the tables, answers, landed objects, snapshots and id files without a user.

**Schedule.** Daily at 06:30 UTC, when the day's batch is done: a day that is published while it is compared
may look stale until the next run.

**Backfill.** Not meaningful: each run looks at every published day as it is now.

**On failure.** The failing task's log ends with the repair; clear it, every task may run again. `rebuild`
makes silver what the source is: leave it off for a source that forgets old posts. Before `erase` delete the
user in the source (docs/how-to/quarantine-and-erase.md).
"""

import pinflow  # noqa: F401 - refuses an older Airflow by its name, before an import fails by another

# isort: split
from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from pinflow import paths
from pinflow.defaults import DEFAULT_ARGS
from pinflow.operators.cancel_orphans import CancelOrphansOperator
from pinflow.operators.erase_user import EraseObjectsOperator, PlanErasureOperator
from pinflow.operators.mysql_to_lake import MySqlToLakeOperator
from pinflow.operators.rebuild_windows import PlanRebuildOperator, RebuildWindowOperator
from pinflow.operators.retain import RetainOperator
from pinflow.operators.spark_job import PinsparkRunOperator
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.serving import answer_questions

STAGE, SILVER, GOLD, OPS = (
    ["--" + name, "{{ " + name + " }}"] for name in ("stage", "silver", "gold", "ops")
)
USER = ["--user-id", "{{ user_id }}"]
RESULT = "{{ ti.xcom_pull(task_ids='%s') }}"
PLANNED = "{{ ti.xcom_pull(task_ids='plan_erasure')['%s'] | tojson }}"
ERASED = "{{ ti.xcom_pull(task_ids='erase_objects')['%s'] }}"
FOUND = "{{ ti.xcom_pull(task_ids='erase_objects')['found'] | tojson }}"

with DAG(
    dag_id="pinterest_maintenance",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 6 * * *", timezone="UTC"),
    start_date=datetime(2017, 10, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    template_searchpath=[paths.sql_dir()],
    tags=["pinflow", "maintenance"],
    params={
        "rebuild": Param(
            False,
            type="boolean",
            title="Rebuild stale days",
            description="Runs pinterest_batch over every stale day, then compares again.",
        ),
        "erase": Param(
            None,
            type=["null", "object"],
            properties={
                "user_name": {"type": "string", "minLength": 1},
                "age": {"type": ["integer", "null"]},
                "date_joined": {"type": ["string", "null"]},
            },
            required=["user_name"],
            additionalProperties=False,
            title="Erase a user",
            description='As {"user_name": "Aaron Abbott", "age": 20, "date_joined": "2015-10-21"}; age and '
            "date_joined where several users have the name. Cannot be undone.",
        ),
    },
):
    upload_spark_code = UploadSparkCodeOperator(task_id="upload_spark_code")
    snapshot_source = MySqlToLakeOperator(task_id="snapshot_source")
    reconcile = PinsparkRunOperator(
        task_id="reconcile",
        job="reconcile.py",
        arguments=["--snapshot", RESULT % "snapshot_source", *SILVER, *OPS],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    plan_rebuild = PlanRebuildOperator(task_id="plan_rebuild", found=reconcile.output)
    rebuild = RebuildWindowOperator.partial(
        task_id="rebuild", poke_interval=5, max_active_tis_per_dag=3
    ).expand(conf=plan_rebuild.output)
    snapshot_again = MySqlToLakeOperator(task_id="snapshot_again")
    confirm = PinsparkRunOperator(
        task_id="confirm",
        job="reconcile.py",
        arguments=[
            *("--snapshot", RESULT % "snapshot_again", *SILVER, *OPS),
            *("--rebuilt", "{{ ti.xcom_pull(task_ids='plan_rebuild') | tojson }}"),
        ],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    plan_erasure = PlanErasureOperator(task_id="plan_erasure")
    find_user = PinsparkRunOperator(
        task_id="find_user",
        job="find_user.py",
        arguments=["--wanted", PLANNED % "wanted", "--objects", PLANNED % "objects", *USER, *STAGE, *SILVER],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    erase_objects = EraseObjectsOperator(task_id="erase_objects", found=find_user.output)
    erase_rows = PinsparkRunOperator(
        task_id="erase_rows",
        job="erase.py",
        arguments=[
            *("--posts", ERASED % "posts", "--name-sha256", ERASED % "name_sha256", "--found", FOUND),
            *(*USER, *STAGE, *SILVER, *OPS),
        ],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    retain = RetainOperator(task_id="retain")
    optimize = PinsparkRunOperator(
        task_id="optimize",
        job="optimize.py",
        arguments=[*USER, *STAGE, *SILVER, *GOLD, *OPS, "--vacuum-hours", "{{ vacuum_hours }}"],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    cancel_orphans = CancelOrphansOperator(task_id="cancel_orphans")

    snapshot_source >> reconcile >> plan_rebuild >> rebuild >> snapshot_again >> confirm
    plan_erasure >> find_user >> erase_objects >> erase_rows >> answer_questions()
    retain >> optimize
