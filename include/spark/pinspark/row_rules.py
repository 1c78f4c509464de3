"""Rules about a single row: those a contract spells out, and those its columns imply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pinspark.expectations import names_in, quoted

if TYPE_CHECKING:
    from pinspark.contracts import Column

SHOWN = 60
Action = Literal["warn", "quarantine", "fail"]


@dataclass(frozen=True)
class RowRule:
    """A condition over the clean columns that a row must keep; NULL counts as kept."""

    rule: str
    expect: str
    action: Action
    doc: str = ""

    @property
    def reason(self) -> str:
        """Why a row that breaks the rule is refused; it holds no value of the row."""
        return f"{self.rule}: {self.doc or self.expect}"

    @property
    def columns(self) -> list[str]:
        """Columns the rule looks at."""
        return names_in(self.expect)


def values_rule(column: Column) -> RowRule:
    """Make the rule of a column's accepted values."""
    accepted = ", ".join(map(quoted, column.values))
    listed = ", ".join(map(str, column.values))
    named = listed if len(listed) <= SHOWN else f"the {len(column.values)} values of the contract"
    doc = f"{column.name} is one of {named}"
    return RowRule(f"values({column.name})", f"`{column.name}` IN ({accepted})", column.values_action, doc)


def range_rule(column: Column) -> RowRule:
    """Make the rule of a column's least and greatest value."""
    given = [
        (sign, said, bound)
        for sign, said, bound in ((">=", "least", column.minimum), ("<=", "most", column.maximum))
        if bound is not None
    ]
    expect = " AND ".join(f"`{column.name}` {sign} {bound}" for sign, _, bound in given)
    doc = f"{column.name} is " + " and ".join(f"at {said} {bound}" for _, said, bound in given)
    return RowRule(f"range({column.name})", expect, column.range_action, doc)
