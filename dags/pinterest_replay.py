"""### Quarantined rows with a way back: read again by the present contract

**Purpose.** After a contract was repaired: cleans the raw lines in quarantine again, as `clean` does, moves
those that can be read now into silver, and answers the questions anew. Rows that are still refused get their
present reasons.

**Inputs.** `silver.quarantine` (rows of our posts; lines that are no row of ours are never replayed), the
contracts of include/contracts.

**Outputs.** `silver.pin|geo|user`, `silver.quarantine`, `ops.ledger`, and one `gold.<question>` for each file
of include/sql/analytics.

**Schedule.** None: trigger it after a repair, with `days`, `table` and `reason` or without (everything).

**Backfill.** Not meaningful: `days` chooses any span, and a row moves once. Running again changes nothing.

**On failure.** The failing task's log ends with the repair; clear it. `replay` goes on where it stopped, and
the ledger's sums hold throughout.
"""

import pinflow  # noqa: F401 - refuses an older Airflow by its name, before an import fails by another

# isort: split
from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from pinflow import paths
from pinflow.defaults import DEFAULT_ARGS
from pinflow.operators.spark_job import PinsparkRunOperator
from pinflow.operators.upload_spark_code import UploadSparkCodeOperator
from pinflow.serving import answer_questions
from pinflow.settings import TABLES

SILVER, OPS = (["--" + schema, "{{ " + schema + " }}"] for schema in ("silver", "ops"))

with DAG(
    dag_id="pinterest_replay",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2017, 10, 20, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    template_searchpath=[paths.sql_dir()],
    tags=["pinflow", "replay"],
    params={
        "days": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "format": "date"},
            minItems=2,
            maxItems=2,
            title="First and last day (UTC), both included",
            description='As ["2022-10-15", "2022-10-16"]; null: every day.',
        ),
        "table": Param(
            None, type=["null", "string"], enum=[None, *TABLES], title="Frame", description="null: all three."
        ),
        "reason": Param(
            None,
            type=["null", "string"],
            minLength=1,
            title="Reason",
            description="Text within one of the row's reasons, as `country: missing`; null: any reason.",
        ),
    },
):
    upload_spark_code = UploadSparkCodeOperator(task_id="upload_spark_code")
    replay = PinsparkRunOperator(
        task_id="replay",
        job="replay.py",
        arguments=["--choice", "{{ params | tojson }}", *SILVER, *OPS],
        code=upload_spark_code.output,
        max_active_tis_per_dag=1,
    )

    upload_spark_code >> replay >> answer_questions()
