"""Tasks that are cleared when retention has taken what they read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinspark.contracts import TABLES
from pinspark.landing import LakeGoneError, present
from pinspark.publish import StageGoneError
from tests.include.conftest import Lake
from tests.include.landed import Row
from tests.include.spark.jobs.conftest import Run, landings, load

DAY, END = "2020-05-01", "2020-05-02"


def window(folder: Path, run: str) -> list[Row]:
    made = landings(folder, DAY, END, run)
    for landing in made.values():
        landing.own(501)
        landing.own(502)
    return [landing.manifest() for landing in made.values()]


def local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


@pytest.mark.parametrize(
    "taken",
    [
        lambda manifest: local(local(manifest["keys"]).read_text().split()[0]).unlink(),
        lambda manifest: local(manifest["keys"]).unlink(),
        lambda manifest: local(manifest["ids"]).unlink(),
    ],
    ids=["landed object", "key list", "id file"],
)
def test_a_cleared_clean_names_the_task_that_sends_again(
    run_job: Run, tmp_path: Path, taken: Callable[[Row], None]
) -> None:
    manifest = window(tmp_path, "abcd00000001")[0]
    taken(manifest)
    with pytest.raises(
        LakeGoneError,
        match=r"pin \[2020-05-01, 2020-05-02\).*no longer in the lake.*Repair: clear emulate\.pin",
    ):
        run_job("clean", manifest)


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), present("x", "y"):
        raise ZeroDivisionError


def test_a_cleared_publish_whose_ids_or_staged_rows_are_gone_leaves_the_day_as_it_is(
    run_job: Run, spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    manifests = window(tmp_path, "abcd00000002")
    load(run_job, manifests)
    local(manifests[1]["posts"]).unlink()
    with pytest.raises(LakeGoneError, match=r"run abcd00000002 is no longer.*Repair: clear select_posts"):
        run_job("publish", manifests)
    for table in TABLES:
        spark.sql(f"DELETE FROM {lake.stage}.`{table}` WHERE run = 'abcd00000002'")
    with pytest.raises(
        StageGoneError, match=r"abcd00000002 .* pin, geo, user.*Repair: clear clean\.pin, clean"
    ):
        run_job("publish", manifests)
    for table in TABLES:
        assert spark.table(f"{lake.silver}.`{table}`").where(f"post_date = DATE'{DAY}'").count() == 2
    shutil.rmtree(tmp_path)
