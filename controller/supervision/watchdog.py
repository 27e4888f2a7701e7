"""Tells the service manager that the service is alive, for as long as it really gets on.

A process that runs and does nothing any more is worse than one that has ended: that one would be
started again. So the sign of life comes out of the event loop itself, and only while every part
that is at work makes progress. When the signs stop, the service manager ends the service and
starts it anew, from the journals.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from controller.supervision.notify import ServiceManager

Stuck = Callable[[], Sequence[str]]
"""What has work and does not get on, named for people; empty when all is well."""

_SIGNS_PER_LIMIT = 4
"""More than the two that are asked for: one may come late on a busy machine."""

_STATUS_EVERY_S = 5.0


class Progress:
    """One part that has to be heard of every `limit_s`. Times are the monotonic `clock`'s."""

    def __init__(self, name: str, limit_s: float, clock: Callable[[], float]) -> None:
        self._name = name
        self._limit_s = limit_s
        self._clock = clock
        self._made_at = clock()

    def made(self) -> None:
        """It has got on."""
        self._made_at = self._clock()

    def stuck(self) -> Sequence[str]:
        """Its name when it has not for too long."""
        return [self._name] if self._clock() - self._made_at > self._limit_s else []


class Watchdog:
    """Runs until cancelled.

    stuck: asked before each sign.
    describe: the line for `systemctl status`.
    """

    def __init__(self, manager: ServiceManager, stuck: Stuck, describe: Callable[[], str]) -> None:
        self._manager = manager
        self._stuck = stuck
        self._describe = describe
        self._said = ""
        self._was_stuck = False
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Give a sign of life, and the status when it has changed; does not return."""
        limit_s = self._manager.watchdog_s
        pause_s = min(_STATUS_EVERY_S, limit_s / _SIGNS_PER_LIMIT if limit_s else _STATUS_EVERY_S)
        while True:
            self.look()
            await asyncio.sleep(pause_s)

    def look(self) -> None:
        """One sign, or none."""
        stuck = self._stuck()
        if stuck and not self._was_stuck:
            self._log.error("no_progress", parts=[*stuck])
        self._was_stuck = bool(stuck)
        if not stuck:
            self._manager.alive()
        said = f"no progress: {', '.join(stuck)}" if stuck else self._describe()
        if said != self._said:
            self._said = said
            self._manager.status(said)
