"""### Make the platform ready for the pipeline

**Purpose.** Checks every connection, then makes what is missing: the bucket, the Kafka topics, the Kinesis
streams, the schemas, tables and serving views; tables that are there get the columns that their contracts
have learnt. One probe record travels through Kafka and the sink and is compared byte by byte.

**Inputs.** The connections `pinterest_rds`, `pinterest_kafka`, `pinterest_aws`, `pinterest_databricks` and
the Variable `pinflow`.

**Outputs.** Topics `<user_id>.pin|.geo|.user|.probe`; streams
`streaming-<user_id>-pin|-geo|-user`; schemas stage, silver, gold, ops with their tables; `gold.post_wide`.

**Schedule.** None: trigger it once, and again after an upgrade or a repair. It is idempotent; data stays.

**Backfill.** Not meaningful: nothing here depends on a date.

**On failure.** The task's log names host, port and the likely missing grant; repair, then clear the task.
"""

import pinflow  # noqa: F401 - refuses an older Airflow by its name, before an import fails by another

# isort: split
from datetime import UTC, datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

from pinflow import setup
from pinflow.defaults import DEFAULT_ARGS

with DAG(
    dag_id="pinterest_setup",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2017, 10, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=["pinflow", "setup"],
):
    check_source = PythonOperator(task_id="check_source", python_callable=setup.check_source)
    check_lake = PythonOperator(task_id="check_lake", python_callable=setup.check_lake)
    check_databricks = PythonOperator(task_id="check_databricks", python_callable=setup.check_databricks)
    create_topics = PythonOperator(task_id="create_topics", python_callable=setup.create_topics)
    create_streams = PythonOperator(task_id="create_streams", python_callable=setup.create_streams)
    check_sink = PythonOperator(task_id="check_sink", python_callable=setup.check_sink)
    create_tables = PythonOperator(task_id="create_tables", python_callable=setup.create_tables)

    [check_source, check_lake, check_databricks] >> create_tables
    [check_lake, create_topics] >> check_sink
