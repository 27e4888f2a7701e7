"""Keeps one child running: starts it again after a crash, within a budget."""

import asyncio
import signal
from collections.abc import Callable

import structlog

from controller.dev.errors import ChildFailedError
from controller.dev.process import ChildProcess, ChildSpec, OutputLine, Wrappers
from controller.dev.restarts import RestartBudget, RestartPolicy

Clock = Callable[[], float]


class Keeper:
    """Runs a ChildSpec again and again until it is stopped or keeps crashing.

    settled: until this is set, an end is no crash to be repaired but a wrong set-up, and
    fails at once.
    """

    def __init__(
        self,
        spec: ChildSpec,
        *,
        wrappers: Wrappers,
        on_line: OutputLine,
        settled: asyncio.Event,
        policy: RestartPolicy,
        clock: Clock,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._spec = spec
        self._wrappers = wrappers
        self._on_line = on_line
        self._settled = settled
        self._policy = policy
        self._budget = RestartBudget(policy)
        self._clock = clock
        self._log = log.bind(child=spec.name)
        self._stopping = asyncio.Event()
        self._child: ChildProcess | None = None

    @property
    def name(self) -> str:
        """The child's name."""
        return self._spec.name

    @property
    def pid(self) -> int | None:
        """Process id of the current run; None between runs."""
        return self._child.pid if self._child is not None and self._child.running else None

    async def run(self) -> None:
        """Return when `stop` was called; ChildFailedError when the child will not stay up."""
        while not self._stopping.is_set():
            self._child = ChildProcess(self._spec, self._wrappers, self._on_line)
            born_s = self._clock()
            await self._child.start()
            status = await self._child.wait()
            if self._stopping.is_set():
                return
            await self._pause(status, self._clock() - born_s)

    async def stop(self) -> None:
        """Stop the child in its own time limit, and do not start it again."""
        self._stopping.set()
        if self._child is not None and self._child.running:
            status = await self._child.stop()
            self._log.debug("stopped", status=_status_text(status))

    def kill(self) -> None:
        """End the child at once, and do not start it again."""
        self._stopping.set()
        if self._child is not None:
            self._child.kill()

    async def _pause(self, status: int, lived_s: float) -> None:
        ended = f"{self._spec.name} ended with {_status_text(status)}"
        if not self._settled.is_set():
            raise ChildFailedError(f"{ended} before it was ready: the lines above say why.")
        pause_s = self._budget.next_pause_s(self._clock(), lived_s)
        if pause_s is None:
            raise ChildFailedError(
                f"{ended}, {self._policy.budget + 1} times within "
                f"{self._policy.window_s:.0f} s: giving up."
            )
        self._log.warning("ended, starting again", status=_status_text(status), pause_s=pause_s)
        try:
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()
        except TimeoutError:
            return


def _status_text(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
