"""Tells people on their devices: looks up recipients, sends, notes what became of it."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from controller.domain.notifications import (
    DuePush,
    NotificationStore,
    PushMessage,
    PushResult,
    PushState,
    PushVerdict,
    SettledPush,
)
from controller.domain.people import PushKind
from controller.domain.webhooks import BackOff
from controller.errors import StoreUnavailable
from controller.notify.pumping import InFlight

_STATES = {
    PushVerdict.TOLD: PushState.DELIVERED,
    PushVerdict.DEAD: PushState.DEAD,
    PushVerdict.REFUSED: PushState.FAILED,
}


class PushChannel(Protocol):
    """One kind of push service."""

    async def send(self, address: str, message: PushMessage) -> PushResult:
        """Send to one device, in bounded time; never raises, never logs the address."""
        ...


@dataclass(frozen=True, slots=True)
class PushPumpSettings:
    """How many at once, and how long anything may take."""

    at_once: int = 64
    batch: int = 500
    lease_s: float = 120.0
    poll_s: float = 0.5
    grace_s: float = 2.0
    back_off: BackOff = field(
        default_factory=lambda: BackOff(first_s=2.0, factor=2.0, longest_s=300.0, attempts=10)
    )


class PushPump:
    """One worker's end of the notifications."""

    def __init__(
        self,
        store: NotificationStore,
        channels: Mapping[PushKind, PushChannel],
        worker: str,
        chance: random.Random,
        settings: PushPumpSettings,
    ) -> None:
        self._store = store
        self._channels = channels
        self._worker = worker
        self._chance = chance
        self._settings = settings
        self._in_flight = InFlight(settings.at_once)
        self._settled: list[SettledPush] = []
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Tell until cancelled; what is being sent then is finished, or given back."""
        try:
            woken = False
            while True:
                busy = False
                try:
                    # Some at a time: each is a transaction.
                    is_some = len(self._settled) >= self._settings.at_once // 4
                    if is_some or self._in_flight.is_idle or not woken:
                        await self._note()
                    busy = await self._take()
                except StoreUnavailable as error:
                    self._log.warning("notifications_not_claimed", code=error.code)
                if not busy:
                    woken = await self._in_flight.wait(self._settings.poll_s)
        finally:
            await self._in_flight.close(self._settings.grace_s)
            await asyncio.shield(self._note_last())

    async def _take(self) -> bool:
        """Whether there is more to do at once."""
        settings = self._settings
        room = self._in_flight.room - len(self._settled)
        if room < max(1, settings.at_once // 4):  # a few at a time would cost more than they bring
            return False
        due = await self._store.claim(self._worker, settings.lease_s, room)
        for one in due:
            self._in_flight.start(self._send(one))
        if len(due) == room:
            return False
        fanned = await self._store.fan_out(settings.batch)
        if fanned is not None:
            self._log.info("notifications_queued", people=fanned.people, devices=fanned.devices)
        return fanned is not None

    async def _send(self, due: DuePush) -> None:
        try:
            channel = self._channels.get(due.kind)
            result = PushResult(PushVerdict.REFUSED, reason="not_configured")
            if channel is not None:
                result = await channel.send(due.address, due.message)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(due))
            raise
        except Exception:  # noqa: BLE001 - a fault of ours counts as a try, and holds nobody up
            self._log.exception("notification_failed", kind=due.kind.value)
            result = PushResult(PushVerdict.LATER, reason="internal_error")
        self._settled.append(self._judge(due, result))

    def _judge(self, due: DuePush, result: PushResult) -> SettledPush:
        back_off, reason = self._settings.back_off, result.reason
        if result.verdict in _STATES:
            return SettledPush(due, _STATES[result.verdict], reason=reason)
        if back_off.is_last(due.attempts):
            return SettledPush(due, PushState.FAILED, reason=reason)
        pause_s = back_off.pause_s(due.attempts, self._chance.random(), result.retry_after_s)
        return SettledPush(due, PushState.QUEUED, pause_s, reason)

    async def _note(self) -> None:
        """Write down what became of those that have ended; kept here until that succeeds."""
        done = [*self._settled]
        if done:
            await self._store.settle(done, self._worker)
            del self._settled[: len(done)]
            troubled = sorted({one.reason for one in done if one.reason})
            if troubled:
                self._log.debug("notifications_troubled", reasons=troubled)

    async def _note_last(self) -> None:
        try:
            await self._note()
        except StoreUnavailable as error:
            self._log.warning("notifications_unsettled", count=len(self._settled), code=error.code)

    async def _give_back(self, due: DuePush) -> None:
        try:
            await self._store.give_back([due], self._worker)
        except StoreUnavailable as error:
            self._log.warning("notification_not_given_back", code=error.code)
