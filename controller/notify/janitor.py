"""Forgets what is old: delivered webhooks, finished notifications, where encoders came from."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from controller.errors import StoreUnavailable

_EVERY_S = 1800.0
_SOME = 500


Prune = Callable[[int, int], Awaitable[int]]
"""Forgets what is older than so many days, at most so many of it; answers how many it were."""


class Janitor:
    """Prunes some rows at a time, so that nobody waits for it; each kind after days of its own."""

    def __init__(self, *kinds: tuple[Prune, int]) -> None:
        self._kinds = kinds
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Prune now and then until cancelled."""
        while True:
            try:
                await self.prune()
            except StoreUnavailable as error:
                self._log.warning("old_rows_not_pruned", code=error.code)
            await asyncio.sleep(_EVERY_S)

    async def prune(self) -> None:
        """Everything that is older than it has to be."""
        for prune, keep_days in self._kinds:
            gone = _SOME
            while gone == _SOME:
                gone = await prune(keep_days, _SOME)
