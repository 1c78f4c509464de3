"""A bounded number of things at work at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Slots:
    """Gives slots in the order they are asked for."""

    def __init__(self, count: int) -> None:
        self.free = count
        self.changed = asyncio.Condition()

    @asynccontextmanager
    async def one(self, unwanted: Callable[[], bool]) -> AsyncIterator[None]:
        """Hold a slot; what is not wanted any more passes without waiting, since it has nothing to do."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.free > 0 or unwanted())
            self.free -= 1
        try:
            yield
        finally:
            self.free += 1
            await self.look_again()

    async def look_again(self) -> None:
        """Let those who wait see whether they are still wanted."""
        async with self.changed:
            self.changed.notify_all()
