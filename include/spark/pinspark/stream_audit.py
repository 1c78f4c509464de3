"""The audit of a stream's window: every record that the stream acknowledged is a row or in quarantine."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.audit import Finding, write_findings
from pinspark.contracts import TABLES
from pinspark.landing import present
from pinspark.manifest import REPAIR, ManifestError
from pinspark.stream import Feed

SAMPLE = 10
IDS = "ind INT, post_ts STRING, shard STRING, sequence STRING"
NEEDED = ("table", "stream", "window_start", "window_end", "run", "selected", "count", "ids")


class RecordsMissingError(RuntimeError):
    """Acknowledged records that are in no table of the speed layer."""


@dataclass(frozen=True)
class Sent:
    """What a producer sent to one stream for one window; the window is half open."""

    table: str
    stream: str
    start: datetime
    end: datetime
    run: str
    selected: int
    count: int
    ids: str


def parse_sent(data: Any) -> Sent:
    """Read a manifest as the producer returned it; raises ManifestError."""
    missing = [name for name in NEEDED if not isinstance(data, dict) or data.get(name) is None]
    if missing:
        raise ManifestError(
            f"A manifest of a stream is due; {', '.join(missing)} missing in {data!r}. {REPAIR}"
        )
    if data["table"] not in TABLES or not (isinstance(data["run"], str) and data["run"].isalnum()):
        raise ManifestError(f"Manifest of table {data['table']!r}, run {data['run']!r}: no such. {REPAIR}")
    try:
        start, end = (datetime.fromisoformat(data[name]) for name in ("window_start", "window_end"))
        counts = (int(data["selected"]), int(data["count"]))
    except (ValueError, TypeError) as error:
        raise ManifestError(f"Manifest of {data['table']!r}: {error}. {REPAIR}") from error
    if not (start.tzinfo and end.tzinfo and start < end):
        said = f"the window {data['window_start']} to {data['window_end']} is none, or has no zone"
        raise ManifestError(f"Manifest of {data['table']!r}: {said}. {REPAIR}")
    return Sent(data["table"], str(data["stream"]), start, end, data["run"], *counts, str(data["ids"]))


def parse_sents(data: Any) -> list[Sent]:
    """Read the three manifests of a window, which must be of one run and one window; raises ManifestError."""
    found = [parse_sent(each) for each in data] if isinstance(data, list) else []
    found.sort(key=lambda sent: TABLES.index(sent.table))
    if tuple(sent.table for sent in found) != TABLES:
        said = ", ".join(sent.table for sent in found) or repr(data)
        raise ManifestError(f"Manifests of {', '.join(TABLES)} are due, these came: {said}. {REPAIR}")
    if len({(sent.run, sent.start, sent.end) for sent in found}) != 1:
        raise ManifestError(f"The three manifests are of different runs or windows. {REPAIR}")
    return found


def newest(sequence: str) -> Column:
    """Order sequence numbers, which are numbers longer than any type."""
    return F.struct(F.length(sequence).alias("length"), F.col(sequence).alias("number"))


def audit_stream(spark: SparkSession, sent: Sent, feed: Feed) -> list[Finding]:
    """Count what came of one manifest's records; a record counts as come when it or a newer one has."""
    with present(f"The id file {sent.ids}", f"clear emulate.{sent.table}, which sends the window again."):
        ids = (
            spark.read.schema(IDS).json(sent.ids).groupBy("ind").agg(F.max(newest("sequence")).alias("sent"))
        )
        found = ids.join(_come(spark, feed), "ind", "left").agg(*_counts()).collect()[0]
    kept, refused, missing, doubles = (
        int(found[name] or 0) for name in ("kept", "refused", "missing", "doubles")
    )
    said = f"{sent.count} acknowledged, {kept} rows + {refused} refused"
    lacking = f"{said}; ids {found.sample}" if missing else said
    missing += abs(sent.count - kept - refused - missing)  # an id file of another sending tells nothing
    orphans = sent.selected - sent.count
    return [
        Finding(sent.table, "stream_sums", "fail", sent.count, missing, lacking),
        Finding(sent.table, "stream_refused", "warn", sent.count, refused, f"records in {feed.quarantine}"),
        Finding(sent.table, "stream_doubles", "warn", sent.count, doubles, "older records of these posts"),
        Finding(sent.table, "stream_orphans", "warn", sent.selected, orphans, f"{sent.selected} selected"),
    ]


def _come(spark: SparkSession, feed: Feed) -> DataFrame:
    """Lay rows and refused records of a stream out by post: the newest of each, and how many rows."""
    rows = spark.table(feed.rows).select("ind", "sequence_number", F.lit(True).alias("row"))
    own = spark.table(feed.quarantine).where(f"source_table = '{feed.table}' AND ind IS NOT NULL")
    return (
        rows.unionAll(own.select("ind", "sequence_number", F.lit(False)))
        .groupBy("ind")
        .agg(
            F.max(newest("sequence_number")).alias("come"),
            F.max_by("row", newest("sequence_number")).alias("row"),
            F.count_distinct("sequence_number").alias("records"),
        )
    )


def _counts() -> list[Any]:
    there = F.coalesce(F.col("come") >= F.col("sent"), F.lit(False))
    return [
        F.count_if(there & F.col("row")).alias("kept"),
        F.count_if(there & ~F.col("row")).alias("refused"),
        F.count_if(~there).alias("missing"),
        F.sum(F.when(there, F.col("records") - 1)).alias("doubles"),
        F.slice(F.sort_array(F.collect_list(F.when(~there, F.col("ind")))), 1, SAMPLE).alias("sample"),
    ]


def audit_streams(
    spark: SparkSession, manifests: list[Sent], feeds: dict[str, Feed], ops: str
) -> list[Finding]:
    """Audit the three manifests of a window and write the results."""
    findings = [f for sent in manifests for f in audit_stream(spark, sent, feeds[sent.table])]
    any_ = manifests[0]
    write_findings(spark, any_.run, any_.start, any_.end, findings, ops)
    return findings


def require_all(findings: list[Finding]) -> None:
    """Raise when an acknowledged record has not come."""
    missing = [f for f in findings if f.action == "fail" and f.failed]
    if missing:
        said = "; ".join(f"{f.source_table}: {f.failed} records are missing ({f.detail})" for f in missing)
        raise RecordsMissingError(
            f"{said}. Repair: clear `ingest`, which reads on where it stood, while the stream still holds "
            "them; otherwise clear the `emulate` task of this table, which sends the window again."
        )
