"""### The batch layer: one day of posts, from MySQL to the answers

**Purpose.** Pulls the day's posts from the source database, sends them through Kafka into the lake, cleans
the three frames into Delta tables, audits them, publishes them, builds the star schema, answers the
questions and writes a report of the answers with their charts.

**Inputs.** Source tables `pinterest_data`, `geolocation_data`, `user_data`; what `pinterest_setup` made.

**Outputs.** `silver.pin|geo|user`, `silver.quarantine`, `ops.ledger`, `ops.quality_results`, and in gold a
table for each file of include/sql/star, their join `post_batch`, and a table or view for each question; in
the lake one page `reports/<window>/<run>.html`, which the task `report` and the tab *Report* open.

**Schedule.** Daily at midnight UTC for the day that ended: a post belongs to the UTC day of its timestamp,
and a day is the smallest window whose answers people compare.

**Backfill.** Choose *Trigger > Backfill* and the dates (or `make backfill FROM= TO=`); each day is replaced
as a whole, so any day may run again in any order. A day skips its answers while another one is publishing:
the last rebuilds them for all. For years at once trigger one run with `window_start` and `window_end` (`make
load FROM= TO=`).

**On failure.** The failing task's log ends with the repair. `clear` it: `emulate` sends its window again,
`clean` reads what landed again, `audit` stops bad data before anything published changes.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TaskGroup

from pinflow import paths
from pinflow.defaults import DEFAULT_ARGS, WAIT_TIMEOUT
from pinflow.operators.claim_answers import ClaimAnswersOperator
from pinflow.operators.mysql_to_kafka import MySqlToKafkaOperator
from pinflow.operators.report import ReportOperator
from pinflow.operators.select_posts import SelectPostsOperator
from pinflow.operators.spark_job import PinsparkRunOperator
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.sensors.kafka_offsets_s3_key import KafkaOffsetsS3KeySensor
from pinflow.sensors.new_posts import NewPostsSensor
from pinflow.serving import answer_questions
from pinflow.settings import TABLES

MANIFEST = {t: "{{ ti.xcom_pull(task_ids='land." + t + "') | tojson }}" for t in TABLES}
CLEANED = [f"{{{{ ti.xcom_pull(task_ids='clean.{t}') | tojson }}}}" for t in TABLES]
MANIFESTS = f"[{', '.join(MANIFEST.values())}]"
STAGE, SILVER, GOLD, OPS = (
    ["--" + schema, "{{ " + schema + " }}"] for schema in ("stage", "silver", "gold", "ops")
)

with DAG(
    dag_id="pinterest_batch",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2017, 10, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=3,
    default_args=DEFAULT_ARGS,
    template_searchpath=[paths.sql_dir()],
    tags=["pinflow", "batch"],
    params={
        "window_start": Param(
            None,
            type=["null", "string"],
            title="First day (UTC)",
            description="For an initial load of many days, as 2017-10-20; counts in manual runs only.",
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            title="End (UTC), itself excluded",
            description="The day after the last, as 2022-10-16; counts in manual runs only.",
        ),
    },
):
    wait_for_posts = NewPostsSensor(
        task_id="wait_for_posts", poke_interval=60, timeout=WAIT_TIMEOUT.total_seconds()
    )
    select_posts = SelectPostsOperator(task_id="select_posts")
    upload_spark_code = UploadSparkCodeOperator(task_id="upload_spark_code")

    with TaskGroup("emulate"):
        emulate = {t: MySqlToKafkaOperator(task_id=t, table=t, selected=select_posts.output) for t in TABLES}
    with TaskGroup("land"):
        land = {
            t: KafkaOffsetsS3KeySensor(
                task_id=t, manifest=emulate[t].output, poke_interval=3, timeout=WAIT_TIMEOUT.total_seconds()
            )
            for t in TABLES
        }
    with TaskGroup("clean"):
        clean = {
            t: PinsparkRunOperator(
                task_id=t,
                job="clean.py",
                arguments=["--manifest", MANIFEST[t], *STAGE],
                code=upload_spark_code.output,
                max_active_tis_per_dag=1,
            )
            for t in TABLES
        }
    audit = PinsparkRunOperator(
        task_id="audit",
        job="audit.py",
        arguments=["--manifests", MANIFESTS, "--cleaned", f"[{', '.join(CLEANED)}]", *STAGE, *OPS],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    publish = PinsparkRunOperator(
        task_id="publish",
        job="publish.py",
        arguments=["--manifests", MANIFESTS, *STAGE, *SILVER, *OPS],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    claim_answers = ClaimAnswersOperator(
        task_id="claim_answers",
        publish="publish",
        before=[*(f"{group}.{t}" for group in ("emulate", "land", "clean") for t in TABLES), "audit"],
    )

    report = ReportOperator(
        task_id="report",
        arguments=["--manifests", MANIFESTS, *SILVER, *GOLD, *OPS],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )

    wait_for_posts >> select_posts >> list(emulate.values())
    for table in TABLES:
        emulate[table] >> land[table] >> clean[table] >> audit
    upload_spark_code >> list(clean.values())
    audit >> publish >> claim_answers >> answer_questions(report)
    upload_spark_code >> report
