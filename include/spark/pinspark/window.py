"""One window as its three tables see it: staged rows, what other days hold, the selected posts."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.manifest import Manifest


@dataclass(frozen=True)
class Window:
    """One window's manifests and the schemas it moves between, quoted where they must be."""

    spark: SparkSession
    manifests: list[Manifest]
    stage: str
    silver: str
    ops: str

    @property
    def any(self) -> Manifest:
        """Any of the manifests: they share run and window."""
        return self.manifests[0]

    def staged(self, table: str) -> DataFrame:
        """Rows of this run in a stage table."""
        return self.spark.table(f"{self.stage}.`{table}`").where(self.any.of_run)

    def elsewhere(self, table: str) -> DataFrame:
        """Rows of a silver table under days outside the window."""
        return self.spark.table(f"{self.silver}.`{table}`").where(f"NOT ({self.any.days})")

    def held(self, manifest: Manifest, path: str = "") -> DataFrame:
        """Ids of the window with their day, as selected in the source, or as another id file says."""
        posts = self.spark.read.schema("ind INT, post_ts STRING").json(path or manifest.posts)
        return posts.select("ind", F.to_date(F.substring("post_ts", 1, 10)).alias("post_date"))
