"""What both pumps do alike: take what is due, do it at once, wait for more; and end in time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class InFlight:
    """The sends that run now, at most `most`; the pump is woken when one has ended."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more there may be."""
        return self._most - len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it; it must not raise."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    @property
    def is_idle(self) -> bool:
        """Whether none runs."""
        return not self._tasks

    async def wait(self, longest_s: float) -> bool:
        """Until one has ended (True), or for so long."""
        try:
            async with asyncio.timeout(longest_s):
                await self._ended.wait()
        except TimeoutError:
            return False
        self._ended.clear()
        return True

    async def close(self, grace_s: float) -> None:
        """Let those that run end by themselves for a while, then cancel them."""
        if self._tasks:
            await asyncio.wait({*self._tasks}, timeout=grace_s)
        left = {*self._tasks}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a send has failed", "exception": error, "task": task}
            )
