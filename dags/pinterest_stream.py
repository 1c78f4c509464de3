"""### The speed layer: one hour of posts, from MySQL through Kinesis to what readers see

**Purpose.** Sends the hour's posts to Kinesis, reads the streams into Delta tables, each record exactly once,
audits that nothing acknowledged is missing, and where the setting `serving` is `lambda` answers the questions
over batch and stream together.

**Inputs.** Source tables `pinterest_data`, `geolocation_data`, `user_data`; what `pinterest_setup` made.

**Outputs.** `silver.<user_id>_pin_table|_geo_table|_user_table`, `silver.<user_id>_quarantine`,
`ops.quality_results`; with `serving` at `lambda` the view `gold.post_wide` and each question's answer.

**Schedule.** Hourly, for the hour that ended: posts are seen within the hour; the batch layer brings the
whole day again, and its row of a post counts.

**Backfill.** Choose *Trigger > Backfill* and the hours; an hour that is sent again adds doubles, of which
the newest counts. For days at once use `pinterest_batch`, which replaces them.

**On failure.** The failing task's log ends with the repair. `clear` it: `emulate` sends its hour again,
`ingest` goes on where the checkpoint stands, and is skipped while `pinterest_live` reads. A lost checkpoint
or a stream made anew is refused: trigger a run with the param `rebuild`.
"""

import pinflow  # noqa: F401 - refuses an older Airflow by its name, before an import fails by another

# isort: split
from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TaskGroup

from pinflow import paths
from pinflow.defaults import DEFAULT_ARGS, WAIT_TIMEOUT
from pinflow.operators.ingest_streams import IngestStreamsOperator
from pinflow.operators.mysql_to_kinesis import MySqlToKinesisOperator
from pinflow.operators.select_stream_posts import SelectStreamPostsOperator
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.sensors.kinesis_stream import KinesisStreamSensor
from pinflow.sensors.new_posts import NewPostsSensor
from pinflow.serving import audit_and_serve
from pinflow.settings import TABLES

with DAG(
    dag_id="pinterest_stream",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@hourly", timezone="UTC"),
    start_date=datetime(2017, 10, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=3,
    default_args=DEFAULT_ARGS,
    template_searchpath=[paths.sql_dir()],
    tags=["pinflow", "stream"],
    params={
        "window_start": Param(
            None,
            type=["null", "string"],
            title="First hour (UTC)",
            description="For several hours at once, as 2022-10-15T13:00; counts in manual runs only.",
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            title="End (UTC), itself excluded",
            description="The hour after the last, as 2022-10-15T15:00; counts in manual runs only.",
        ),
        "rebuild": Param(
            False,
            type="boolean",
            title="Rebuild from the streams",
            description="Reads all that the streams hold into new checkpoints.",
        ),
    },
):
    wait_for_posts = NewPostsSensor(
        task_id="wait_for_posts", span="hour", poke_interval=60, timeout=WAIT_TIMEOUT.total_seconds()
    )
    wait_for_streams = KinesisStreamSensor(
        task_id="wait_for_streams", poke_interval=10, timeout=WAIT_TIMEOUT.total_seconds()
    )
    select_posts = SelectStreamPostsOperator(task_id="select_posts")
    upload_spark_code = UploadSparkCodeOperator(task_id="upload_spark_code")
    with TaskGroup("emulate"):
        emulate = [MySqlToKinesisOperator(task_id=t, table=t, selected=select_posts.output) for t in TABLES]
    ingest = IngestStreamsOperator(
        task_id="ingest",
        rebuild="{{ ('true' if ti.try_number == 1 else 'again') if params.rebuild else 'false' }}",
        beside="pinterest_live.ingest",
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )
    audit = audit_and_serve(upload_spark_code.output, trigger_rule="none_failed")

    [wait_for_posts, wait_for_streams] >> select_posts >> emulate >> ingest >> audit
    upload_spark_code >> ingest
