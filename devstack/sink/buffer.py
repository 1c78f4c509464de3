"""What waits to be written for one partition, cut so that line n of an object holds offset start + n."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MAX_BYTES = 16 * 1024 * 1024


class RewoundError(Exception):
    """A record came with a lower offset than the one expected: the position was moved back."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"offset {offset} came again")
        self.offset = offset


@dataclass
class Chunk:
    """Records of one object: consecutive offsets from `start`, one line each."""

    start: int
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    closed: bool = False

    @property
    def next_offset(self) -> int:
        """Offset after the last record."""
        return self.start + len(self.lines)

    @property
    def payload(self) -> bytes:
        """Bytes of the object: every value followed by a line feed."""
        return b"".join(line + b"\n" for line in self.lines)


@dataclass
class PartitionBuffer:
    """Chunks of one partition in the order of their offsets; all but the last are closed.

    A new chunk begins at a gap in the offsets, at an offset where the bucket already holds an object, after
    `max_records`, and around a value with a raw line break, which is written alone: only so the line number
    gives the offset. A null value takes the line `null`, or is left out (and so makes a gap).
    """

    next_offset: int
    held: set[int]
    max_records: int
    skip_null: bool = False
    chunks: deque[Chunk] = field(default_factory=deque)
    unmatched: bytes = b""

    def add(self, offset: int, value: bytes | None) -> None:
        """Take the record at `offset`; raise RewoundError when it lies before the expected one."""
        if offset < self.next_offset:
            raise RewoundError(offset)
        gap = offset > self.next_offset
        self.next_offset = offset + 1
        if value is None and self.skip_null:
            self.close()
            return
        line = b"null" if value is None else value
        alone = b"\n" in line or b"\r" in line
        if gap or alone or offset in self.held:
            self.close()
        if not self.chunks or self.chunks[-1].closed or self.chunks[-1].next_offset != offset:
            self.chunks.append(Chunk(offset))
        chunk = self.chunks[-1]
        chunk.lines.append(line)
        chunk.size += len(line) + 1
        chunk.closed = alone or len(chunk.lines) >= self.max_records or chunk.size >= MAX_BYTES

    def close(self) -> None:
        """End the open chunk, so that it may be written."""
        if self.chunks:
            self.chunks[-1].closed = True

    def ready(self) -> Chunk | None:
        """Return the oldest chunk that may be written."""
        return self.chunks[0] if self.chunks and self.chunks[0].closed else None

    def done(self) -> None:
        """Forget the oldest chunk: the bucket holds it."""
        self.chunks.popleft()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(chunk.size for chunk in self.chunks)

    def drop_held(self, read: Callable[[int], bytes]) -> bool:
        """Leave out of the oldest chunk what the bucket holds; `read` gets the object at a start offset.

        Returns False when the object there has other content (the topic was made anew): it must be replaced.
        """
        chunk = self.chunks[0]
        if chunk.start in self.held:
            self.unmatched = read(chunk.start)
        at = lines = 0
        while at < len(self.unmatched) and lines < len(chunk.lines):
            line = chunk.lines[lines] + b"\n"
            if not self.unmatched.startswith(line, at):
                self.unmatched = b""
                return False
            at, lines = at + len(line), lines + 1
        self.unmatched = self.unmatched[at:]
        chunk.start += lines
        chunk.size -= at
        del chunk.lines[:lines]
        return True


def resume_offset(position: int, starts: Iterable[int], count_lines: Callable[[int], int]) -> int:
    """Return where to read on: `position`, or the start of the object that holds it in its middle."""
    before = max((start for start in starts if start < position), default=None)
    if before is None or before + count_lines(before) <= position:
        return position
    return before
