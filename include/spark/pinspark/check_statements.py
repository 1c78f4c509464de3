"""The statements of include/sql/checks that the contracts say; `make contracts` writes them."""

from pathlib import Path
from string import Template

from pinspark.checks import MADE
from pinspark.contracts import REPAIR, TABLES, Contract, ContractError, QualityRule, Relation, load_contract
from pinspark.expectations import quoted
from pinspark.row_rules import RowRule

HEAD = Template("""\
-- $doc$made
-- grain: one row, the rows looked at and those that fail
-- reads: $reads
-- params: stage, run
-- table: $table
-- action: $action
-- rule: $rule
""")
COUNT = Template("""\
SELECT
    COUNT(*) AS `rows`,
    $failed AS failed
FROM {{ stage }}.`$table`
WHERE run = '{{ run }}'
""")
# of a partner in quarantine its own rules tell
RELATION = Template("""\
WITH partners AS (
    SELECT DISTINCT
        $columns,
        TRUE AS found
    FROM {{ stage }}.`$to`
    WHERE run = '{{ run }}'
),

refused AS (
    SELECT DISTINCT ind
    FROM {{ stage }}.`${to}_rejects`
    WHERE run = '{{ run }}' AND kind = 'own'
)

SELECT
    COUNT(*) AS `rows`,
    COUNT_IF(partners.found IS NULL AND refused.ind IS NULL AND $given) AS failed
FROM {{ stage }}.`$table` AS own
LEFT JOIN partners
    ON $equal
LEFT JOIN refused
    ON own.ind = refused.ind
WHERE own.run = '{{ run }}'
""")


def statements(contract: Contract) -> dict[str, str]:
    """Render what a contract says of its rows together, by file name."""
    made = [
        *(_unique(contract, rule) for rule in contract.quality if rule.rule == "unique"),
        *(_values(contract, rule) for rule in contract.values_checks),
        *(_relation(contract, relation) for relation in contract.relations),
    ]
    return {f"{contract.table}_{name}.sql": text for name, text in made}


def _unique(contract: Contract, rule: QualityRule) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in rule.columns)
    key = names if len(rule.columns) == 1 else f"STRUCT({names})"
    count = COUNT.substitute(failed=f"COUNT(*) - COUNT(DISTINCT {key})", table=contract.table)
    return f"unique_{'_'.join(rule.columns)}", _head(contract, rule.name, rule.action, rule.doc) + count


def _values(contract: Contract, rule: RowRule) -> tuple[str, str]:
    (column,) = (column for column in contract.columns if column.name in rule.columns)
    values = ",\n            ".join(map(quoted, column.values))
    failed = f"COUNT_IF(\n        `{column.name}` NOT IN (\n            {values}\n        )\n    )"
    count = COUNT.substitute(failed=failed, table=contract.table)
    return f"values_{column.name}", _head(contract, rule.rule, rule.action, rule.doc) + count


def _relation(contract: Contract, relation: Relation) -> tuple[str, str]:
    to, pairs = relation.to, list(zip(relation.columns, relation.to_columns, strict=True))
    unknown = [name for name in relation.to_columns if name not in load_contract(to).names]
    if unknown:
        missing = f"{to} has no column {', '.join(unknown)}"
        raise ContractError(f"{contract.table}.yaml: {relation.rule}: {missing}. {REPAIR}")
    text = RELATION.substitute(
        table=contract.table,
        to=to,
        columns=",\n        ".join(f"`{name}`" for name in relation.to_columns),
        equal=" AND ".join(f"own.`{mine}` = partners.`{theirs}`" for mine, theirs in pairs),
        given=" AND ".join(f"own.`{mine}` IS NOT NULL" for mine, _ in pairs),
    )
    head = _head(contract, relation.rule, relation.action, relation.doc, to, f"{to}_rejects")
    return f"relation_{'_'.join(relation.columns)}_{to}", head + text


def _head(contract: Contract, rule: str, action: str, doc: str, *more: str) -> str:
    reads = ", ".join(f"{{{{ stage }}}}.{table}" for table in (contract.table, *more))
    return HEAD.substitute(doc=doc, made=MADE, reads=reads, table=contract.table, action=action, rule=rule)


def write(folder: Path) -> list[Path]:
    """Write every statement to `folder`, and remove those once made that no contract asks for any more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: text for table in TABLES for name, text in statements(load_contract(table)).items()}
    for path in folder.glob("*.sql"):
        if MADE in path.read_text("utf-8") and path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, "utf-8")
    return sorted(folder / name for name in wanted)
