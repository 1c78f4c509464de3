"""The name of a Databricks run: which try of which task submitted it."""

import re
from dataclasses import dataclass
from typing import Any, Self

_NAME = re.compile(
    r"(?P<dag_id>[^. ]+)\.(?P<task_id>[^ ]+) (?P<run_id>[^ ]+) try (?P<try_number>\d+)"
    r"(?: map (?P<map_index>\d+))? \((?P<ti_id>[0-9a-f-]{36})\)"
)


@dataclass(frozen=True)
class RunName:
    """One try of a task; its id tells it from the same try of a DAG run that was deleted and made again."""

    dag_id: str
    task_id: str
    run_id: str
    try_number: int
    ti_id: str
    map_index: int = -1

    @classmethod
    def of(cls, ti: Any) -> Self:
        """Name the try of a task instance."""
        map_index = -1 if ti.map_index is None else ti.map_index
        return cls(ti.dag_id, ti.task_id, ti.run_id, ti.try_number, str(ti.id), map_index)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a name back; None when it is not one of ours."""
        found = _NAME.fullmatch(text)
        if not found:
            return None
        parts = found.groupdict()
        return cls(
            parts["dag_id"],
            parts["task_id"],
            parts["run_id"],
            int(parts["try_number"]),
            parts["ti_id"],
            int(parts["map_index"] or -1),
        )

    @property
    def task(self) -> str:
        """Task with its map index, as Airflow's states name it."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}_{self.map_index}"

    def __str__(self) -> str:
        mapped = f" map {self.map_index}" if self.map_index >= 0 else ""
        return f"{self.dag_id}.{self.task_id} {self.run_id} try {self.try_number}{mapped} ({self.ti_id})"
