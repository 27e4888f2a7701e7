"""Delivers webhooks: what is due is claimed, signed and posted; what fails comes again later."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import aiohttp
import structlog

from controller.domain.webhooks import (
    AttemptOutcome,
    BackOff,
    DeliveryState,
    DueDelivery,
    WebhookAttempt,
    WebhookQueue,
)
from controller.errors import StoreUnavailable
from controller.notify.guarded_http import Reply, RequestFailed, post
from controller.notify.pumping import InFlight
from controller.notify.webhook_signing import webhook_headers

_SUCCESS = range(200, 300)
_REDIRECTS = range(300, 400)
_GONE = 410
_SETTLE_TRIES = 6


@dataclass(frozen=True, slots=True)
class WebhookPumpSettings:
    """How many at once, and how long anything may take."""

    at_once: int = 128
    at_once_each: int = 4
    """Requests that one endpoint is sent at the same time, each about another stream."""
    timeout_s: float = 10.0
    lease_s: float = 60.0
    poll_s: float = 0.5
    grace_s: float = 2.0
    settle_pause_s: float = 1.0
    back_off: BackOff = field(default_factory=BackOff)


class WebhookPump:
    """One worker's end of the queue of webhooks."""

    def __init__(
        self,
        queue: WebhookQueue,
        open_secret: Callable[[UUID, bytes], bytes | None],
        session: aiohttp.ClientSession,
        worker: str,
        chance: random.Random,
        settings: WebhookPumpSettings,
        user_agent: str,
    ) -> None:
        self._queue = queue
        self._open_secret = open_secret
        self._session = session
        self._worker = worker
        self._chance = chance
        self._settings = settings
        self._user_agent = user_agent
        self._in_flight = InFlight(settings.at_once)
        self._busy: Counter[UUID] = Counter()
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Deliver until cancelled; what is being sent then is finished, or given back."""
        settings = self._settings
        try:
            while True:
                try:
                    await self._take()
                except StoreUnavailable as error:
                    self._log.warning("webhooks_not_claimed", code=error.code)
                await self._in_flight.wait(settings.poll_s)
        finally:
            await self._in_flight.close(settings.grace_s)

    async def _take(self) -> None:
        settings = self._settings
        room = self._in_flight.room
        if room <= 0:
            return
        most = settings.at_once_each
        free = {endpoint: most - busy for endpoint, busy in self._busy.items()}
        due = await self._queue.claim(self._worker, settings.lease_s, free, most, room)
        for one in due:
            self._busy[one.endpoint_id] += 1
            self._in_flight.start(self._deliver(one))

    async def _deliver(self, due: DueDelivery) -> None:
        try:
            outcome = await self._attempt(due)
            await self._settle(due, outcome)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(due))
            raise
        finally:
            self._busy[due.endpoint_id] -= 1
            if not self._busy[due.endpoint_id]:
                del self._busy[due.endpoint_id]

    async def _attempt(self, due: DueDelivery) -> AttemptOutcome:
        at_s, began_s = time.time(), time.monotonic()
        opened = [self._open_secret(due.endpoint_id, one) for one in due.sealed_secrets]
        secrets = [secret for secret in opened if secret is not None]
        reply, error = None, None
        if not secrets:
            error = "secret_unreadable"
        else:
            body = due.body.encode()
            headers = {
                **webhook_headers(due.event_id, at_s, body, secrets),
                "Content-Type": "application/json",
                "User-Agent": self._user_agent,
            }
            try:
                reply = await post(self._session, due.url, body, headers, self._settings.timeout_s)
            except RequestFailed as failed:
                error = failed.reason
            except Exception:  # noqa: BLE001 - a fault of ours counts as a try, and holds nobody up
                self._log.exception("webhook_fault", delivery=str(due.id))
                error = "internal_error"
        took_ms = int((time.monotonic() - began_s) * 1000)
        return self._judge(due, datetime.fromtimestamp(at_s, UTC), took_ms, reply, error)

    def _judge(
        self, due: DueDelivery, at: datetime, took_ms: int, reply: Reply | None, error: str | None
    ) -> AttemptOutcome:
        status = None if reply is None else reply.status
        if status is not None and status in _SUCCESS:
            return AttemptOutcome(
                WebhookAttempt(at, took_ms, status, None), DeliveryState.DELIVERED
            )
        if error is None:
            error = "redirected" if status in _REDIRECTS else "refused"
        attempt = WebhookAttempt(at, took_ms, status, error)
        back_off, is_gone = self._settings.back_off, status == _GONE
        log = self._log.bind(endpoint=str(due.endpoint_id), delivery=str(due.id))
        if is_gone or back_off.is_last(due.attempts):
            log.warning("webhook_dead", error=error, status=status, attempts=due.attempts)
            return AttemptOutcome(attempt, DeliveryState.DEAD, endpoint_gone=is_gone)
        asked_s = 0.0 if reply is None else reply.retry_after_s
        pause_s = back_off.pause_s(due.attempts, self._chance.random(), asked_s)
        log.info("webhook_failed", error=error, status=status, again_in_s=round(pause_s, 1))
        return AttemptOutcome(attempt, DeliveryState.PENDING, pause_s)

    async def _settle(self, due: DueDelivery, outcome: AttemptOutcome) -> None:
        """Say what became of it; what cannot be said is sent again when the lease has run out."""
        for _ in range(_SETTLE_TRIES):
            try:
                await self._queue.settle(due, self._worker, outcome)
            except StoreUnavailable:
                await asyncio.sleep(self._settings.settle_pause_s)
            else:
                return
        self._log.warning("webhook_unsettled", delivery=str(due.id))

    async def _give_back(self, due: DueDelivery) -> None:
        try:
            await self._queue.give_back([due], self._worker)
        except StoreUnavailable as error:
            self._log.warning("webhook_not_given_back", delivery=str(due.id), code=error.code)
