"""Short tasks that nobody waits for: kept alive, counted, their failures logged, ended together."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from controller.errors import ControllerError

T = TypeVar("T")


class WatchedTasks:
    """Like `asyncio.create_task`, with somebody who looks."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._log = structlog.get_logger(__name__)

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run `work` under a name."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def join(self, timeout_s: float) -> None:
        """Wait for what is running; what takes too long is cancelled."""
        if self._tasks:
            await asyncio.wait([*self._tasks], timeout=timeout_s)
        left = [*self._tasks]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=timeout_s)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ControllerError):
            self._log.info("room_task_refused", task=task.get_name(), code=error.code)
        elif error is not None:
            self._log.error("room_task_failed", task=task.get_name(), exc_info=error)
