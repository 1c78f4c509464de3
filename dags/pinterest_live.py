"""### The speed layer, live: random posts at a rate, read continuously

**Purpose.** Sends random posts of the source to Kinesis at a rate for a time, as the public emulation scripts
do, while one Spark run reads the streams continuously into Delta; shows how far behind a reader is.

**Inputs.** Source tables `pinterest_data`, `geolocation_data`, `user_data`; what `pinterest_setup` made. On
Databricks a continuous reader needs classic compute: set `compute` in the Variable `pinflow`.

**Outputs.** As of `pinterest_stream`; a post that is sent twice is shown once.

**Schedule.** None: trigger it with `rate` (rows a second, for each of the three streams) and `seconds`.

**Backfill.** Not meaningful: live posts belong to no window.

**On failure.** `ingest` is tried again and goes on where the checkpoint stands; marking it as failed or
success ends its Databricks run. `catch_up` reads what is left when the emulation has ended.
"""

import pinflow  # noqa: F401 - refuses an older Airflow by its name, before an import fails by another

# isort: split
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param, TaskGroup

from pinflow import paths
from pinflow.defaults import DEFAULT_ARGS, WAIT_TIMEOUT
from pinflow.operators.ingest_streams import IngestStreamsOperator
from pinflow.operators.mysql_to_kinesis import MySqlToKinesisOperator
from pinflow.operators.select_stream_posts import SelectStreamPostsOperator
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.sensors.kinesis_stream import KinesisStreamSensor
from pinflow.serving import audit_and_serve
from pinflow.settings import TABLES

# time to start the emulation, and for its last posts
ENDS = "{{ (dag_run.start_date + macros.timedelta(seconds=params.seconds + 30)).isoformat() }}"

with DAG(
    dag_id="pinterest_live",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2017, 10, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    template_searchpath=[paths.sql_dir()],
    tags=["pinflow", "stream"],
    params={
        "mode": Param("live", type="string", enum=["live"], title="Mode"),
        "rate": Param(10, type="number", exclusiveMinimum=0, title="Rows a second, for each stream"),
        "seconds": Param(60, type="number", exclusiveMinimum=0, maximum=86_400, title="Seconds"),
    },
):
    wait_for_streams = KinesisStreamSensor(
        task_id="wait_for_streams", poke_interval=10, timeout=WAIT_TIMEOUT.total_seconds()
    )
    select_posts = SelectStreamPostsOperator(task_id="select_posts")
    upload_spark_code = UploadSparkCodeOperator(task_id="upload_spark_code")
    with TaskGroup("emulate"):
        emulate = [
            MySqlToKinesisOperator(
                task_id=t, table=t, selected=select_posts.output, execution_timeout=timedelta(hours=25)
            )
            for t in TABLES
        ]
    ingest = IngestStreamsOperator(
        task_id="ingest",
        until=ENDS,
        code=upload_spark_code.output,
        execution_timeout=timedelta(hours=25),
        max_active_tis_per_dag=1,
    )
    catch_up = IngestStreamsOperator(
        task_id="catch_up",
        code=upload_spark_code.output,
        trigger_rule="all_done",
        max_active_tis_per_dag=1,
    )
    audit = audit_and_serve(upload_spark_code.output)

    wait_for_streams >> select_posts >> emulate >> catch_up >> audit
    wait_for_streams >> ingest >> catch_up
