"""What a shard and an account may do in a second; all moments are milliseconds of one clock."""

from collections import deque
from collections.abc import Callable

from devstack.kinesis.faults import limit_exceeded

Clock = Callable[[], int]
MIB = 1024 * 1024
SECOND = 1000
WRITE_RECORDS = 1000
WRITE_BYTES = MIB
READ_CALLS = 5
READ_BYTES = 2 * MIB
ITERATOR_CALLS = 5
# calls a second and account, as the API reference says operation by operation
CONTROL_CALLS = {
    "CreateStream": 5,
    "DecreaseStreamRetentionPeriod": 5,
    "DeleteStream": 5,
    "DescribeStream": 10,
    "DescribeStreamSummary": 20,
    "IncreaseStreamRetentionPeriod": 5,
    "ListStreams": 5,
    "MergeShards": 5,
    "SplitShard": 5,
}


class Window:
    """Counts and bytes of the last second, to the millisecond."""

    def __init__(self, count: int, size: int = 0) -> None:
        self._limits = count, size
        self._past: deque[tuple[int, int, int]] = deque()
        self._count = self._size = 0

    def admit(self, now: int, size: int = 0) -> bool:
        """Count one more of `size` bytes, unless that would be too much."""
        self._forget(now)
        count, most = self._limits
        if self._count + 1 > count or (most and self._size + size > most):
            return False
        self._past.append((now, 1, size))
        self._count += 1
        self._size += size
        return True

    def _forget(self, now: int) -> None:
        # a clock that was set back would shut the window until it is there again
        while self._past and not now - SECOND < self._past[0][0] <= now:
            _, count, size = self._past.popleft()
            self._count -= count
            self._size -= size


class Reads:
    """GetRecords of one shard: an answer larger than a second's share keeps it shut for as many seconds."""

    def __init__(self) -> None:
        self._past: list[tuple[int, int, int]] = []

    def admit(self, now: int) -> bool:
        """Tell whether the shard may be read now."""
        self._past = [entry for entry in self._past if entry[0] <= now < entry[1]]
        return len(self._past) < READ_CALLS and sum(size for *_, size in self._past) < READ_BYTES

    def count(self, now: int, size: int) -> None:
        """Count an answer of `size` bytes."""
        self._past.append((now, now + max(SECOND, SECOND * size // READ_BYTES), size))


class ShardLimits:
    """The windows of one shard."""

    def __init__(self) -> None:
        self.writes = Window(WRITE_RECORDS, WRITE_BYTES)
        self.reads = Reads()
        self.iterators = Window(ITERATOR_CALLS)


class ControlLimits:
    """The windows of the account's operations."""

    def __init__(self) -> None:
        self._windows = {name: Window(count) for name, count in CONTROL_CALLS.items()}

    def check(self, operation: str, now: int) -> None:
        """Raise LimitExceededException when an operation was called too often."""
        window = self._windows.get(operation)
        if window and not window.admit(now):
            raise limit_exceeded(f"Rate exceeded for {operation}: {CONTROL_CALLS[operation]} calls a second.")
