"""Who is in a room on this daemon, and keeping the head count of all daemons in step with it.

Connections come and go at once, here; the shared count hears of it in batches, one at a time, so
that a coming and a going can never overtake each other, and a flapping tab costs nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controller.domain.room import PresenceChange
from controller.domain.room_ports import Realtime
from controller.hub.errors import RealtimeUnavailable

ChangeHandler = Callable[[UUID, PresenceChange, bool], Awaitable[None]]


@dataclass(slots=True)
class LocalViewer:
    """A viewer with at least one connection or player here.

    `number` is this stay's own among all of this daemon's; `seen_s`: when one of them last went;
    `is_counted`: whether the books have the stay.
    """

    user_id: UUID | None
    joined_at: datetime
    seen_s: float
    number: int
    country: str | None = None
    connections: int = 0
    is_counted: bool = False


class RoomPresence:
    """One room's viewers on this daemon; `handle` hears of every change of the shared count.

    The third argument of `handle` is True when presence was told anew as a whole: then nobody
    came or went, and only the count is news.
    """

    def __init__(self, stream_id: UUID, realtime: Realtime, handle: ChangeHandler) -> None:
        self.stream_id = stream_id
        self.here: dict[str, LocalViewer] = {}
        self._realtime = realtime
        self._handle = handle
        self._told: set[str] = set()
        self._dirty: set[str] = set()
        self._whole = False
        self._turn = asyncio.Lock()

    @property
    def is_settled(self) -> bool:
        """Whether the shared count knows all that happened here."""
        return not self._dirty and not self._whole

    def arrive(self, viewer: str, newcomer: Callable[[], LocalViewer]) -> LocalViewer:
        """A connection or a player of the viewer has come; `newcomer` if it is the first."""
        local = self.here.get(viewer)
        if local is None:
            local = self.here[viewer] = newcomer()
            self._dirty.add(viewer)
        local.connections += 1
        return local

    def depart(self, viewer: str, seen_s: float) -> LocalViewer | None:
        """One of them was there until `seen_s`; answers the viewer if it was the last."""
        local = self.here[viewer]
        local.connections -= 1
        local.seen_s = max(local.seen_s, seen_s)
        if local.connections > 0:
            return None
        del self.here[viewer]
        self._dirty.add(viewer)
        return local

    def tell_anew(self) -> None:
        """The shared count has forgotten this daemon: next time, tell it everything."""
        self._whole = True

    async def settle(self) -> None:
        """Bring the shared count in step with what is here now; RealtimeUnavailable."""
        async with self._turn:
            while not self.is_settled:
                await self._tell()

    async def _tell(self) -> None:
        dirty, self._dirty = self._dirty, set()
        whole, self._whole = self._whole, False
        here = set(self.here)
        told = set() if whole else self._told
        joined = here if whole else dirty & here - told
        left = dirty & told - here
        if not (whole or joined or left):
            return
        try:
            change = await self._realtime.change_presence(
                self.stream_id, sorted(joined), sorted(left), whole=whole
            )
        except (RealtimeUnavailable, asyncio.CancelledError):
            # What was done of it is not known, so everything is told next time.
            self._dirty |= dirty
            self._whole = True
            raise
        self._told = (told | joined) - left
        await self._handle(self.stream_id, change, whole)
