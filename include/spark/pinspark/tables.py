"""The tables this package writes: columns in order, made from the contracts."""

from dataclasses import dataclass

from pinspark.contracts import TABLES, Column, Contract, load_contract

POST_DATE = Column("post_date", "DATE", "UTC date of the post")
RUN = Column("run", "STRING", "Run that staged the row")
DOUBLES = Column("doubles", "INT", "Copies of this post that were dropped")
FOREIGN_DOUBLES = Column("foreign_doubles", "INT", "Copies of this post at offsets nobody acknowledged to us")
RAW = Column("raw", "STRING", "The line as it was read; base64:... when it is not UTF-8")
PLACE = (
    Column("shard_id", "STRING", "Shard of the record"),
    Column(
        "sequence_number", "STRING", "Sequence number of the record; the longer, then greater one is newer"
    ),
    Column("arrived_at", "TIMESTAMP", "When the record reached the stream, UTC"),
)
# a commit every few seconds: compacting and checkpointing in between would make batches wait
OF_STREAM = (("delta.checkpointInterval", "100"),)
USER_ID = "{{ user_id }}"
SOURCE_TABLE = Column("source_table", "STRING", "Frame: pin, geo or user")
REJECT = (
    SOURCE_TABLE,
    Column("ind", "INT", "Id of the post; NULL when the line has none"),
    Column("kind", "STRING", "own: a row with one of our ids; foreign: a line that is no row of ours"),
    Column("columns", "ARRAY<STRING>", "Fields that a reason is about"),
    Column("reasons", "ARRAY<STRING>", "Every reason of the row; personal values are masked"),
    RAW,
    Column("key", "STRING", "Object the line was read from"),
    Column("line", "INT", "Line of the object, from 0"),
    DOUBLES,
    FOREIGN_DOUBLES,
    POST_DATE,
)
LEDGER = (
    POST_DATE,
    SOURCE_TABLE,
    Column("selected", "BIGINT", "Posts selected in the source"),
    Column("acknowledged", "BIGINT", "Posts the log acknowledged"),
    Column("orphans", "BIGINT", "Posts selected that have no row in this table"),
    Column("silver", "BIGINT", "Rows in silver"),
    Column("quarantined", "BIGINT", "Own rows in quarantine"),
    Column("doubles", "BIGINT", "Copies dropped"),
    Column("foreign_doubles", "BIGINT", "Copies at offsets nobody acknowledged to us"),
    Column(
        "foreign", "BIGINT", "Lines in quarantine that are no row of ours; counted on the window's first day"
    ),
)
QUALITY = (
    Column("run", "STRING", "Run that was audited"),
    Column("window_start", "TIMESTAMP", "Start of the window"),
    Column("window_end", "TIMESTAMP", "End of the window, excluded"),
    SOURCE_TABLE,
    Column("rule", "STRING", "Rule of the contract or of include/sql/checks"),
    Column(
        "action", "STRING", "fail stops the run, quarantine keeps the row out of it, warn is written down"
    ),
    Column("rows", "BIGINT", "Rows looked at"),
    Column("failed", "BIGINT", "Rows that break the rule"),
    Column("detail", "STRING", "What was found, and what the rule wants"),
)
STALE = (
    POST_DATE,
    SOURCE_TABLE,
    Column("inserted", "BIGINT", "Rows of the source that are not published"),
    Column("changed", "BIGINT", "Rows whose content differs"),
    Column("moved", "BIGINT", "Rows that left this day for another, or came from another"),
    Column("deleted", "BIGINT", "Published rows that the source has no more"),
    Column("source_rows", "BIGINT", "Rows of the day in the source"),
    Column("silver_rows", "BIGINT", "Rows of the day in silver and, refused, in quarantine"),
    Column("source_digest", "DECIMAL(38,0)", "Sum of the hashes of the rows in the source"),
    Column("silver_digest", "DECIMAL(38,0)", "Sum of the hashes of the published rows"),
)


@dataclass(frozen=True)
class Table:
    """A Delta table: schema variable of its statement, name, columns and what it is clustered by."""

    schema: str
    name: str
    doc: str
    grain: str
    columns: tuple[Column, ...]
    cluster: str
    properties: tuple[tuple[str, str], ...] = (("delta.autoOptimize.autoCompact", "true"),)
    file: str = ""  # stem of its statement; by itself <schema>_<name>

    @property
    def stem(self) -> str:
        """Stem of the file that holds its statement."""
        return self.file or f"{self.schema}_{self.name}"

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]


def stage(contract: Contract) -> Table:
    """Describe the clean rows of a run that await their audit."""
    columns = (*contract.columns, POST_DATE, RUN, DOUBLES, FOREIGN_DOUBLES)
    doc = f"Clean {contract.table} rows awaiting their audit"
    return Table("stage", contract.table, doc, "one row per post and run", columns, "run")


def rejects(contract: Contract) -> Table:
    """Describe the refused lines of a run that await their audit."""
    doc = f"Refused {contract.table} lines awaiting their audit"
    return Table(
        "stage", f"{contract.table}_rejects", doc, "one row per refused line and run", (*REJECT, RUN), "run"
    )


def silver(contract: Contract) -> Table:
    """Describe a published table."""
    return Table(
        "silver",
        contract.table,
        contract.doc,
        "one row per post",
        (*contract.columns, POST_DATE),
        "post_date",
    )


QUARANTINE = Table("silver", "quarantine", "Refused lines", "one row per line", REJECT, "post_date")
LEDGER_TABLE = Table("ops", "ledger", "Counts of every day", "one row per day and table", LEDGER, "post_date")
QUALITY_TABLE = Table(
    "ops", "quality_results", "Results of the audit", "one row per run, table and rule", QUALITY, "run"
)
STALE_TABLE = Table(
    "ops",
    "stale_days",
    "Published days that the source has changed since",
    "one row per stale day and table",
    STALE,
    "post_date",
)


def speed(contract: Contract, user_id: str) -> Table:
    """Describe the rows that a stream delivered; a post may be there more than once."""
    return Table(
        "silver",
        f"{user_id}_{contract.table}_table",
        f"Clean {contract.table} rows of the stream",
        "one row per record; a post's newest row counts",
        (*contract.columns, *PLACE),
        "ind",
        OF_STREAM,
        f"speed_{contract.table}",
    )


def speed_quarantine(user_id: str) -> Table:
    """Describe the records of the streams that were refused."""
    kept = tuple(column for column in REJECT[: REJECT.index(RAW) + 1])
    grain = "one row per record"
    name, doc = f"{user_id}_quarantine", "Refused records of the streams"
    return Table("silver", name, doc, grain, (*kept, *PLACE), "ind", OF_STREAM, "speed_quarantine")


def speed_tables(user_id: str = USER_ID) -> list[Table]:
    """List the tables of the speed layer."""
    return [*(speed(load_contract(table), user_id) for table in TABLES), speed_quarantine(user_id)]


def all_tables() -> list[Table]:
    """List every table of the batch layer, in the order they are created."""
    made = [kind(load_contract(table)) for kind in (stage, rejects, silver) for table in TABLES]
    return [*made, QUARANTINE, LEDGER_TABLE, QUALITY_TABLE, STALE_TABLE]
