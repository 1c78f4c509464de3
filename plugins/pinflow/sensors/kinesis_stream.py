"""Wait until streams can be written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, BaseSensorOperator

from pinflow import paths
from pinflow.errors import StreamDeliveryError, StreamError
from pinflow.hooks.kinesis import ACTIVE, CREATING, UPDATING, KinesisHook
from pinflow.settings import TABLES, load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

_COMING = {ACTIVE, CREATING, UPDATING}


class KinesisStreamSensor(BaseSensorOperator):
    """Satisfied when all streams are ACTIVE; one that is CREATING or UPDATING is waited for.

    :param streams: names of the streams (templated), by default those of the three tables.

    Raises StreamError at once when a stream is absent or DELETING, and after the time-out.
    """

    template_fields: Sequence[str] = ("streams",)
    ui_color = "#e4dcf5"

    def __init__(self, *, streams: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**{"mode": "reschedule", **kwargs})
        self.streams = streams

    def names(self) -> list[str]:
        """Return the names of the streams that are waited for."""
        if self.streams is not None:
            return list(self.streams)
        user_id = load_settings().user_id
        return [paths.stream(user_id, table) for table in TABLES]

    def execute(self, context: "Context") -> Any:
        """Poke; raises StreamError after the time-out."""
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            raise StreamError(
                f"Not all of the streams {self.names()} have become ACTIVE ({error}).",
                "look at them in the console of the service; then clear this task.",
            ) from error

    def poke(self, context: "Context") -> bool:  # noqa: ARG002 - Airflow's signature
        """Ask for each stream once."""
        hook = KinesisHook()
        try:
            found = {name: hook.status(name) for name in self.names()}
        except StreamDeliveryError as error:
            self.log.warning("Waiting for Kinesis. %s", error)
            return False
        unusable = {n: status or "absent" for n, status in found.items() if status not in _COMING}
        if unusable:
            raise StreamError(
                f"{hook.where()} has no usable stream: {unusable}.",
                "run the DAG pinterest_setup, which makes the streams (one that is DELETING must be gone "
                "first), then clear this task.",
            )
        self.log.info("%s: %s", hook.where(), found)
        return all(status == ACTIVE for status in found.values())
