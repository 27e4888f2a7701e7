"""Commands that are seen through although their client has left."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog
from aiohttp import web

from controller.errors import ControllerError

ResultT = TypeVar("ResultT")

SHUTDOWN_S = 10.0


class Commands:
    """Runs each command in a task of its own.

    A server that cancels the handlers of lost connections would otherwise stop between two steps
    that belong together: the stream has ended, and nobody drops its encoder.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger(__name__)

    async def finish(self, work: Awaitable[ResultT]) -> ResultT:
        """What `work` comes to; cancelling the caller leaves it running."""
        outcome: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._run(work, outcome))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await outcome

    async def on_cleanup(self, _app: web.Application) -> None:
        """Wait for what is running when the server stops, for a bounded time."""
        if self._running:
            _, unfinished = await asyncio.wait(self._running, timeout=SHUTDOWN_S)
            for task in unfinished:
                task.cancel()

    async def _run(self, work: Awaitable[ResultT], outcome: "asyncio.Future[ResultT]") -> None:
        try:
            result = await work
        except asyncio.CancelledError:
            outcome.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - handed over, or logged
            if outcome.done():
                self._report(error)
            else:
                outcome.set_exception(error)
        else:
            if not outcome.done():
                outcome.set_result(result)

    def _report(self, error: Exception) -> None:
        """Nobody waits for the answer any more: the log is the only place left."""
        if isinstance(error, ControllerError):
            self._log.info("command_refused_unheard", code=error.code)
        else:
            self._log.error("command_failed_unheard", exc_info=error)
