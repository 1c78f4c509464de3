"""The constraints of the service's model on single members, and the one fault that lists what breaks them."""

import re
from collections.abc import Sized
from typing import Final

from devstack.kinesis.faults import Fault
from devstack.kinesis.shapes import OnStream

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]+")
_ARN: Final = re.compile(r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+")
_HASH_KEY: Final = re.compile(r"0|([1-9]\d{0,38})")
_SEQUENCE: Final = re.compile(r"0|([1-9]\d{0,128})")


class Check:
    """Collects what is wrong with a request; `done` raises it as one ValidationException."""

    def __init__(self) -> None:
        self._problems: list[str] = []

    def done(self) -> None:
        """Raise ValidationException when a constraint is broken."""
        if self._problems:
            count = len(self._problems)
            found = f"{count} validation error{'s' if count > 1 else ''} detected"
            raise Fault("ValidationException", f"{found}: {'; '.join(self._problems)}")

    def fails(self, place: str, constraint: str, value: str = "") -> None:
        """Keep a broken constraint; `value` is shown as it stands."""
        shown = f"Value {value} at" if value else "Value at"
        self._problems.append(f"{shown} '{place}' failed to satisfy constraint: Member must {constraint}")

    def given(self, place: str, value: object) -> bool:
        """Ask for a value."""
        if value is None:
            self.fails(place, "not be null", "null")
        return value is not None

    def length(self, place: str, value: Sized | None, low: int, high: int, show: bool = True) -> None:
        """Ask for a length, if there is a value."""
        shown = f"'{value}'" if show else ""
        if value is not None and len(value) < low:
            self.fails(place, f"have length greater than or equal to {low}", shown)
        if value is not None and len(value) > high:
            self.fails(place, f"have length less than or equal to {high}", shown)

    def between(self, place: str, value: int | None, low: int, high: int) -> None:
        """Ask for a number's range, if there is one."""
        if value is not None and value < low:
            self.fails(place, f"have value greater than or equal to {low}", f"'{value}'")
        if value is not None and value > high:
            self.fails(place, f"have value less than or equal to {high}", f"'{value}'")

    def one_of(self, place: str, value: str | None, values: tuple[str, ...]) -> None:
        """Ask for one of a set, if there is a value."""
        if value is not None and value not in values:
            self.fails(place, f"satisfy enum value set: [{', '.join(values)}]", f"'{value}'")

    def name(self, place: str, value: str | None) -> None:
        """Ask for a name of a stream or a shard, if there is one."""
        self._matches(place, value, _NAME)
        self.length(place, value, 1, 128)

    def hash_key(self, place: str, value: str | None) -> None:
        """Ask for decimal digits as of a hash key, if there are any."""
        self._matches(place, value, _HASH_KEY)

    def sequence(self, place: str, value: str | None) -> None:
        """Ask for decimal digits as of a sequence number, if there are any."""
        self._matches(place, value, _SEQUENCE)

    def stream(self, request: OnStream) -> None:
        """Check how a request names its stream."""
        self.name("streamName", request.stream_name)
        self.arn(request.stream_arn)

    def arn(self, value: str | None) -> None:
        """Ask for the ARN of a stream, if there is one."""
        self._matches("streamARN", value, _ARN)

    def _matches(self, place: str, value: str | None, pattern: re.Pattern[str]) -> None:
        if value is not None and not pattern.fullmatch(value):
            self.fails(place, f"satisfy regular expression pattern: {pattern.pattern}", f"'{value}'")
