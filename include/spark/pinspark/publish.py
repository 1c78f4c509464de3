"""Publish a window: stage to silver, refused lines to quarantine, counts to the ledger."""

from functools import partial, reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark import tables
from pinspark.contracts import TABLES, load_contract
from pinspark.delta import TRIES, check_schema, merge, replace_where, retry_conflicts
from pinspark.landing import present
from pinspark.ledger import ledger_days, ledger_elsewhere, ledger_rows, ledger_splits, ledger_totals
from pinspark.manifest import Manifest
from pinspark.session import together
from pinspark.window import Window


class StageGoneError(RuntimeError):
    """Nothing is staged of a run that was acknowledged."""


class PublishDisturbedError(RuntimeError):
    """Other writers kept changing the days that were published."""


def publish_window(window: Window) -> list[dict[str, int | str]]:
    """Replace the window's days everywhere, take moved posts from other days, give the ledger's totals."""
    described = (*(tables.silver(load_contract(m.table)) for m in window.manifests), tables.QUARANTINE)
    together(
        partial(require_staged, window),
        *(partial(check_schema, window.spark, window.silver, table) for table in described),
    )
    days = _replace_days(window)
    totals = ledger_totals(window, days)
    moved = {total["source_table"] for total in totals if total["moved"]}
    for manifest in window.manifests:
        if manifest.table in moved:
            remove_elsewhere(window, manifest)
    return totals


def _replace_days(window: Window) -> list[Row]:
    """Replace rows and ledger, and again while another writer (replay, erasure) comes between them."""
    gone = f"An id file of run {window.any.run}", "clear select_posts, so that the window runs anew."
    for _ in range(TRIES):
        together(
            partial(_replace_quarantine, window),
            *(partial(_replace_silver, window, manifest) for manifest in window.manifests),
        )
        with present(*gone):
            days = ledger_days(window)
        replace_where(ledger_rows(window, days), f"{window.ops}.ledger", window.any.days)
        if not disturbed(window, days):
            return days
        print("Another writer changed these days meanwhile, replacing them again")
    raise PublishDisturbedError(
        f"Other writers changed [{window.any.first_day}, {window.any.end_day}) {TRIES} times while it was "
        "published. Repair: let pinterest_replay or pinterest_maintenance end, then clear this task."
    )


def disturbed(window: Window, days: list[Row]) -> bool:
    """Tell whether the tables hold other numbers of rows than the ledger that was just written."""
    splits = ledger_splits(window.spark, window.silver, TABLES).where(window.any.days).collect()
    stored = {(row.post_date, row.source_table): (row.silver, row.quarantined) for row in splits}
    written = {(day.post_date, day.source_table): (day.silver, day.quarantined) for day in days}
    return any(stored.get(day, (0, 0)) != counts for day, counts in written.items())


def require_staged(window: Window) -> None:
    """Raise StageGoneError when retention took what is to be published: it would empty the window's days."""
    staged = [
        window.staged(name).select(F.lit(manifest.table).alias("source_table")).limit(1)
        for manifest in window.manifests
        for name in (manifest.table, f"{manifest.table}_rejects")
    ]
    found = {row.source_table for row in reduce(DataFrame.unionAll, staged).collect()}
    gone = [manifest.table for manifest in window.manifests if manifest.count and manifest.table not in found]
    if gone:
        raise StageGoneError(
            f"Nothing of run {window.any.run} is staged any more for {', '.join(gone)}. "
            f"Repair: clear {', '.join(f'clean.{table}' for table in gone)}; what follows runs again."
        )


def _replace_silver(window: Window, manifest: Manifest) -> None:
    table = f"{window.silver}.`{manifest.table}`"
    if not manifest.count and not window.spark.table(table).where(window.any.days).limit(1).collect():
        return  # nothing to write, nothing to remove: no commit
    columns = tables.silver(load_contract(manifest.table)).names
    replace_where(window.staged(manifest.table).select(*columns), table, window.any.days)


def _replace_quarantine(window: Window) -> None:
    stored = window.spark.table(f"{window.silver}.quarantine").where(f"kind = 'own' AND {window.any.days}")
    refused = [window.staged(f"{manifest.table}_rejects") for manifest in window.manifests]
    if reduce(DataFrame.unionAll, (rows.select("line") for rows in (stored, *refused))).limit(1).collect():
        replace_where(quarantine_rows(window), f"{window.silver}.quarantine", window.any.days)


def quarantine_rows(window: Window) -> DataFrame:
    """Select the run's refused lines and the foreign lines of earlier runs; every foreign line once."""
    pin, geo, user = (window.staged(f"{manifest.table}_rejects") for manifest in window.manifests)
    refused = pin.unionByName(geo).unionByName(user).select(*tables.QUARANTINE.names)
    foreign = window.spark.table(f"{window.silver}.quarantine").where("kind = 'foreign'")
    others = foreign.where(f"NOT ({window.any.days})").select("key", "line", "kind")
    new = refused.join(others, ["key", "line", "kind"], "left_anti").select(*tables.QUARANTINE.names)
    kept = foreign.where(window.any.days).join(new.select("key", "line"), ["key", "line"], "left_anti")
    return new.unionByName(kept.select(*tables.QUARANTINE.names))


def remove_elsewhere(window: Window, manifest: Manifest) -> None:
    """Delete from other days what belongs to this window's posts, and take it off their ledger first."""
    spark, name = window.spark, manifest.table
    same_day = ["t.post_date = s.post_date", f"t.source_table = '{name}'"]
    corrected = ledger_elsewhere(window, manifest)
    retry_conflicts(partial(merge, spark, corrected, f"{window.ops}.ledger", same_day, _CORRECT))
    held = window.held(manifest).select("ind").distinct()
    elsewhere = f"NOT ({window.any.days.replace('post_date', 't.post_date')})"
    own = ["t.kind = 'own'", f"t.source_table = '{name}'"]
    for table, on in ((f"`{name}`", []), ("quarantine", own)):
        conditions = ["t.ind = s.ind", *on, elsewhere]
        stored = f"{window.silver}.{table}"
        retry_conflicts(partial(merge, spark, held, stored, conditions, "WHEN MATCHED THEN DELETE"))


_CORRECT = (
    "WHEN MATCHED THEN UPDATE SET silver = s.silver, quarantined = s.quarantined, "
    "acknowledged = s.silver + s.quarantined, selected = s.silver + s.quarantined + t.orphans"
)
