"""docs/explore.md says what really happens: its Python runs over the posts of `make seed`, and prints what it says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.answers import answers_of
from tests.include.posts import generated
from tests.include.questions import frame_of, row_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "explore.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def gold(spark: SparkSession, tmp_path: Path) -> Iterator[None]:
    frame_of(spark, map(row_of, generated())).write.mode("overwrite").parquet(str(tmp_path))
    spark.sql("CREATE SCHEMA gold")
    spark.sql(f"CREATE VIEW gold.post_wide AS SELECT * FROM parquet.`{tmp_path}`")
    yield
    spark.sql("DROP SCHEMA gold CASCADE")


@pytest.mark.usefixtures("gold")
def test_every_example_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    assert len(BLOCKS) == PAGE.count("```python")
    for code, shown in BLOCKS:
        exec(code, names)  # noqa: S102 - the page's own examples
        assert capsys.readouterr().out.strip() == shown.strip(), f"Repair: show this after\n{code}"


def test_every_question_the_check_knows_is_on_the_page() -> None:
    absent = [name for name in answers_of([]) if f"`{name}`" not in PAGE]
    assert not absent
