"""Forgets what is old: delivered webhooks with their log, finished notifications."""

import asyncio

import structlog

from controller.domain.notifications import NotificationStore
from controller.domain.webhooks import WebhookQueue
from controller.errors import StoreUnavailable

_EVERY_S = 1800.0
_SOME = 500


class Janitor:
    """Prunes some rows at a time, so that nobody waits for it."""

    def __init__(
        self, webhooks: WebhookQueue, notifications: NotificationStore, keep_days: int
    ) -> None:
        self._webhooks = webhooks
        self._notifications = notifications
        self._keep_days = keep_days
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Prune now and then until cancelled."""
        while True:
            try:
                await self.prune()
            except StoreUnavailable as error:
                self._log.warning("outreach_not_pruned", code=error.code)
            await asyncio.sleep(_EVERY_S)

    async def prune(self) -> None:
        """Everything that is older than it has to be."""
        for prune in (self._webhooks.prune, self._notifications.prune):
            gone = _SOME
            while gone == _SOME:
                gone = await prune(self._keep_days, _SOME)
