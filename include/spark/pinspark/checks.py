"""The table rules of include/sql/checks: SELECTs over a run's stage tables that give `rows` and `failed`."""

import re
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.contracts import TABLES, load_contract
from pinspark.manifest import Manifest

HEADER = re.compile(r"^-- (grain|reads|params|table|action|rule): (.+)$", re.MULTILINE)
# marks what pinspark.check_statements wrote
MADE = "; made by `make contracts`."
REPAIR = "Repair: correct the file under include/sql/checks."


class CheckError(ValueError):
    """A check that cannot be used as written."""


@dataclass(frozen=True)
class Check:
    """One table rule: its file, what it is about, and its statement."""

    file: str
    table: str
    action: str
    rule: str
    doc: str
    sql: str

    def counts(self, spark: SparkSession, manifest: Manifest, stage: str) -> DataFrame:
        """Run the statement over what a run staged; columns source_table, name, rows, failed."""
        sql = self.sql.replace("{{ stage }}", stage).replace("{{ run }}", manifest.run)
        names = F.lit(self.table).alias("source_table"), F.lit(self.rule).alias("name")
        return spark.sql(sql).select(
            *names, *(F.col(name).cast("bigint").alias(name) for name in ("rows", "failed"))
        )


def load_checks() -> list[Check]:
    """Read every check; files that cannot be used are named in one error."""
    checks, faults = [], []
    for file, text in check_texts().items():
        said = dict(HEADER.findall(text))
        missing = [
            word for word in ("grain", "reads", "params", "table", "action", "rule") if word not in said
        ]
        if missing:
            faults.append(f"{file} lacks the header {', '.join(missing)}")
            continue
        if said["table"] not in TABLES:
            faults.append(f"{file}: unknown table {said['table']!r}")
        if said["action"] not in ("warn", "fail"):
            faults.append(f"{file}: action is {said['action']!r}, not one of warn, fail")
        doc = text.split("\n", 1)[0].removeprefix("-- ").removesuffix(MADE).removesuffix(".")
        checks.append(Check(file, said["table"], said["action"], said["rule"], doc, text))
    faults += _doubled(checks)
    if faults:
        raise CheckError(f"{'; '.join(faults)}. {REPAIR}")
    return checks


def check_texts() -> dict[str, str]:
    """Read the files as they are, from the wheel or from the repository beside it."""
    packed = files("pinspark").joinpath("checks_data")
    folder = packed if packed.is_dir() else Path(__file__).resolve().parents[2] / "sql" / "checks"
    found = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".sql")}
    return dict(sorted(found.items()))


def _doubled(checks: list[Check]) -> list[str]:
    """List rules with one name, in the files and in what the audit counts by itself."""
    counted = Counter((check.table, check.rule) for check in checks)
    for table in TABLES:
        contract = load_contract(table)
        rules = [rule.rule for rule in (*contract.refusing_rules, *contract.counted_rules)]
        rules += [rule.name for rule in contract.quality if rule.rule != "unique"]
        counted.update((table, rule) for rule in rules)
    return [f"{n} rules of {table} are called {rule}" for (table, rule), n in counted.items() if n > 1]
