"""Keeps the daemon's own worker running: a process beside it, started again when it ends."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence

import structlog

_STOP_S = 10.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0
"""A worker that ran for so long was no failed start."""


class WorkerKeeper:
    """Runs one command again and again; a worker that will not stay up is no reason to stop the
    daemon, so it is tried for ever, at growing intervals.

    The worker stays in the daemon's process group, so that whoever ends the group ends it, too.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(__name__)

    @property
    def pid(self) -> int | None:
        """Process id of the current run; None between runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        """Start it, in the background."""
        self._keeping = asyncio.create_task(self._keep(), name="job worker")

    async def close(self) -> None:
        """SIGTERM, a bounded wait for its jobs to be put back, SIGKILL."""
        if self._keeping is None:
            return
        self._keeping.cancel()
        await asyncio.wait({self._keeping})
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _keep(self) -> None:
        loop, pause_s = asyncio.get_running_loop(), _FIRST_PAUSE_S
        while True:
            started_s = loop.time()
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=asyncio.subprocess.DEVNULL
                )
                status = await self._process.wait()
            except OSError as error:
                self._log.error("job_worker_not_started", reason=error.strerror)
                status = -signal.SIGKILL
            if loop.time() - started_s > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            self._log.warning("job_worker_ended", status=status, pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
