"""Errors that name what was wrong, where, and the repair."""

from typing import ClassVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class PinflowError(AirflowException):
    """An error whose message ends with its repair and an anchor of docs/runbook.md."""

    anchor: ClassVar[str] = "pinflow"

    def __init__(self, what: str, repair: str) -> None:
        super().__init__(f"{what} Repair: {repair} (docs/runbook.md#{self.anchor})")
        self.what = what


class SettingsError(PinflowError, AirflowFailException):
    """The Variable `pinflow` is absent or wrong; a retry cannot help."""

    anchor = "settings"


class WindowError(PinflowError, AirflowFailException):
    """The params of a run do not name a window; a retry cannot help."""

    anchor = "window"


class SourceError(PinflowError, AirflowFailException):
    """The source database refuses us or lacks what we read; a retry cannot help."""

    anchor = "source"


class SourceDriftError(PinflowError, AirflowFailException):
    """The source lacks columns that a contract requires; a retry cannot help."""

    anchor = "drift"


class SourceUnavailableError(PinflowError):
    """The source database does not answer, or the connection was lost."""

    anchor = "source-unavailable"


class SourceBehindError(PinflowError, AirflowFailException):
    """The source did not reach the window's end while we waited."""

    anchor = "source-behind"


class ConnectionMissingError(PinflowError, AirflowFailException):
    """A connection is not defined; a retry cannot help."""

    anchor = "connection"


class LakeError(PinflowError):
    """An object of the lake cannot be read, written or listed."""

    anchor = "lake"


class ObjectGoneError(PinflowError, AirflowFailException):
    """An object that was written is no longer in the lake; a retry cannot help."""

    anchor = "gone"


class RebuildError(PinflowError, AirflowFailException):
    """Stale days cannot be rebuilt, or their run failed; a retry cannot help."""

    anchor = "rebuild"


class EraseError(PinflowError, AirflowFailException):
    """A user cannot be erased as asked; a retry cannot help."""

    anchor = "erase"


class LandingError(PinflowError, AirflowFailException):
    """What Kafka acknowledged did not land while we waited."""

    anchor = "landing"


class KafkaTopicError(PinflowError, AirflowFailException):
    """A topic is missing or unusable; a retry cannot help."""

    anchor = "kafka-topic"


class ApiError(PinflowError, AirflowFailException):
    """The API refuses what is sent, or who sends it; a retry cannot help."""

    anchor = "api"

    def __init__(self, what: str, repair: str, status: int) -> None:
        super().__init__(what, repair)
        self.status = status


class KafkaDeliveryError(PinflowError):
    """Some records were not acknowledged."""

    anchor = "kafka-delivery"


class StreamError(PinflowError, AirflowFailException):
    """A stream is missing, unusable or refuses us; a retry cannot help."""

    anchor = "stream"


class StreamDeliveryError(PinflowError):
    """Some records were not acknowledged by a stream, or Kinesis does not answer."""

    anchor = "stream-delivery"


class LiveError(PinflowError, AirflowFailException):
    """The params of a live run are not as they must be; a retry cannot help."""

    anchor = "live"


class ManifestError(PinflowError, AirflowFailException):
    """A manifest is absent or malformed."""

    anchor = "manifest"


class WorkspaceError(PinflowError):
    """The Databricks workspace refuses a call or does not answer."""

    anchor = "workspace"


class RemoteRunError(PinflowError):
    """A Databricks run ended without success."""

    anchor = "remote-run"


class StatementError(PinflowError):
    """A SQL statement failed on the warehouse."""

    anchor = "statement"


class SqlFileError(PinflowError, AirflowFailException):
    """A SQL file lacks its header or cannot be found."""

    anchor = "sql-file"


class SetupError(PinflowError):
    """A connection, a grant or a part of the platform is not as the pipeline needs it."""

    anchor = "setup"
