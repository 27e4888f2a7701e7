"""Has every stream that an encoder sends looked at by its coach, and tells the host."""

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from controller.domain.coach import Advice, Change, Coach
from controller.domain.ports import Clock
from controller.domain.rehearsals import is_rehearsal
from controller.domain.session_health import SessionMonitor

_EVERY_S = 2.0


class AdviceAnnouncer(Protocol):
    """Who tells the host; bounded, must not raise."""

    async def advised(self, stream_id: UUID, change: Change) -> None:
        """Advice was raised or cleared."""
        ...


class LiveSessions(SessionMonitor, Protocol):
    """The sessions of this daemon."""

    def streams(self) -> Sequence[UUID]:
        """The streams that have one."""
        ...


class Coaching:
    """The coaches of all sessions; a coach goes with the encoder's visit."""

    def __init__(
        self,
        sessions: LiveSessions,
        announcer: AdviceAnnouncer,
        clock: Clock,
        segment_target_s: float,
    ) -> None:
        self._sessions = sessions
        self._announcer = announcer
        self._clock = clock
        self._segment_target_s = segment_target_s
        self._coaches: dict[UUID, Coach] = {}

    def advice_of(self, stream_id: UUID) -> Sequence[Advice]:
        """What holds for the stream now."""
        coach = self._coaches.get(stream_id)
        return [] if coach is None else coach.advice

    async def look(self) -> None:
        """Read every session once."""
        streams = self._sessions.streams()
        now = self._clock.now()
        for gone in self._coaches.keys() - set(streams):
            for advice in self._coaches.pop(gone).advice:
                await self._tell(gone, Change(advice, is_raised=False))
        for stream_id in streams:
            health = self._sessions.health_of(stream_id)
            if health is None or health.intake is None:
                continue
            coach = self._coaches.get(stream_id)
            if coach is None:
                coach = self._coaches[stream_id] = Coach(self._segment_target_s)
            for change in coach.take(health.intake, now):
                await self._tell(stream_id, change)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.look()

    async def _tell(self, stream_id: UUID, change: Change) -> None:
        """In the room; a rehearsal has none, its host asks."""
        if not is_rehearsal(stream_id):
            await self._announcer.advised(stream_id, change)
