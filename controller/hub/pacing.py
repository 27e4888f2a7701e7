"""The running loop as the rooms' `Pacer`."""

import asyncio
import time
from collections.abc import Callable


class LoopPacer:
    """The machine's monotonic clock and the running loop's timers."""

    def monotonic_s(self) -> float:
        """See `Pacer.monotonic_s`."""
        return time.monotonic()

    def call_later(self, delay_s: float, call: Callable[[], None]) -> object:
        """See `Pacer.call_later`."""
        return asyncio.get_running_loop().call_later(delay_s, call)

    async def rest(self, rest_s: float) -> None:
        """See `Pacer.rest`."""
        await asyncio.sleep(rest_s)
