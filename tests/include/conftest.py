"""One Spark Connect server and one lake with schemas and tables for all tests of include/."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinspark.session import session
from tests.include.connect_server import connect_server
from tests.include.kinesis_server import AWS, Kinesis, kinesis_endpoint

SQL = Path(__file__).resolve().parents[2] / "include" / "sql"


@dataclass(frozen=True)
class Lake:
    """Quoted schema names, as the jobs are given them; they start with a digit on purpose."""

    stage: str = "`12e8_stage`"
    silver: str = "`12e8_silver`"
    gold: str = "`12e8_gold`"
    ops: str = "`12e8_ops`"
    user_id: str = "12e834567890"
    served: str = "post_batch"
    layer: str = "'batch'"

    def render(self, path: Path) -> str:
        """Fill in the template variables of a SQL file; an unknown one fails."""
        return re.sub(r"\{\{ (\w+) \}\}", lambda found: str(getattr(self, found[1])), path.read_text("utf-8"))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with connect_server(tmp_path_factory.mktemp("connect"), env=AWS) as url:
        os.environ["SPARK_REMOTE"] = url
        started = session()
        yield started
        started.stop()
        del os.environ["SPARK_REMOTE"]


@pytest.fixture(scope="session")
def kinesis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kinesis]:
    """The endpoint, and its keys for readers in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS.items():
            patch.setenv(name, value)
        with kinesis_endpoint(tmp_path_factory.mktemp("kinesis")) as started:
            yield started


@pytest.fixture(scope="session")
def lake(spark: SparkSession) -> Lake:
    return make_lake(spark, Lake())


def make_lake(spark: SparkSession, made: Lake) -> Lake:
    """Create schemas, tables and views."""
    for schema in (made.stage, made.silver, made.gold, made.ops):
        spark.sql(f"CREATE SCHEMA {schema}")
    for path in sorted((SQL / "silver").glob("*.sql")):
        spark.sql(made.render(path))
    build_star(spark, made)
    for name in ("post_speed", "post_union", "post_wide"):
        spark.sql(made.render(SQL / "serving" / f"{name}.sql"))
    return made


def build_star(spark: SparkSession, lake: Lake) -> list[str]:
    """Build the star anew from silver, as the star tasks do; give the names of its tables."""
    files = [*sorted((SQL / "star").glob("*.sql")), SQL / "serving" / "post_batch.sql"]
    for path in files:  # one after the other: the last one reads the others
        spark.sql(f"CREATE OR REPLACE TABLE {lake.gold}.`{path.stem}` USING DELTA AS\n{lake.render(path)}")
    return [path.stem for path in files]
