"""Build the report of a run and leave it in the lake."""

from datetime import UTC, datetime

from pyspark.sql import SparkSession

from pinspark.manifest import Manifest
from pinspark.report.answers import read_answers
from pinspark.report.page import Material, Subject, render
from pinspark.report.sections import overview, questions

Stages = list[tuple[str, int, float]]


def build(
    spark: SparkSession, manifest: Manifest, schemas: dict[str, str], dag_run: str, stages: Stages
) -> str:
    """Read the answers and what is known of the run, and render its page."""
    names = {**schemas, "days": f"({manifest.days})", "run": manifest.run}
    asked, about = questions(names), overview(names)
    answers = read_answers(spark, [*asked, *about.values()])
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    subject = Subject(dag_run, manifest.first_day, manifest.end_day, made)
    return render(subject, Material(asked, about, answers, stages))


def leave(spark: SparkSession, page: str, folder: str) -> None:
    """Write a page as the one text of a folder, with the grants that Spark writes its tables with."""
    rows = spark.createDataFrame([(page,)], "page STRING")
    rows.coalesce(1).write.mode("overwrite").text(folder)
