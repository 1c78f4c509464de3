"""Move one table's rows of the selected posts from MySQL to Kafka."""

from typing import Any

from pinflow import paths
from pinflow.manifest import Manifest, Place, pack_ids, spans
from pinflow.operators.selected_rows import SelectedRowsOperator
from pinflow.settings import Settings
from pinflow.transport import Writer, open_writer


class MySqlToKafkaOperator(SelectedRowsOperator[Place, Writer]):
    """Send exactly the selected ids of one table, key = ind, every write acknowledged.

    :param table: `pin`, `geo` or `user`.
    :param selected: what SelectPostsOperator returned (templated).

    Returns a manifest (pinflow.manifest.Manifest as JSON); its id file lists ind, post_ts, partition and
    offset of every acknowledged record. Raises SourceError, SourceUnavailableError, ObjectGoneError,
    KafkaTopicError, KafkaDeliveryError or ApiError; a retry sends the whole window again, and readers drop
    the doubles by id. A row larger than the setting max_row_bytes goes to quarantine (SelectedRowsOperator).
    """

    ui_color = "#d9f0dd"

    def target(self, settings: Settings) -> str:
        """Name the topic."""
        return paths.topic(settings.user_id, self.table)

    def open_writer(self, settings: Settings, places: list[Place]) -> Writer:
        """Return a writer to the topic."""
        return open_writer(settings, self.target(settings), places.append)

    def pack(self, places: list[Place], posts: dict[int, str]) -> bytes:
        """Return the id file."""
        return pack_ids(places, posts)

    def manifest(self, common: dict[str, Any], target: str, places: list[Place]) -> Manifest:
        """Return the manifest."""
        return Manifest(**common, topic=target, partitions=spans(places))
