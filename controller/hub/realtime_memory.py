"""The `Realtime` of one daemon alone: everything in this process, gone with it."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

from controller.domain.room import (
    Allowance,
    Departures,
    Position,
    PresenceChange,
    RoomEvent,
)
from controller.domain.room_ports import RoomListener
from controller.hub.token_bucket import TokenBuckets

_ROOMS_KEPT = 2_000


class _SharedRoom:
    """Log and head count of one room."""

    def __init__(self, log_events: int) -> None:
        self.epoch = uuid4().hex[:12]
        self.offset = 0
        self.log: deque[RoomEvent] = deque(maxlen=log_events)
        self.viewers: set[str] = set()
        self.peak = 0
        self.listener: RoomListener | None = None


class MemoryRealtime:
    """The in-process twin; listeners are called before `publish` returns."""

    def __init__(self, monotonic: Callable[[], float], log_events: int) -> None:
        self._log_events = log_events
        self._rooms: dict[UUID, _SharedRoom] = {}
        self._buckets = TokenBuckets(monotonic)

    def watch(self, presence_lost: Callable[[], None]) -> None:
        """See `Realtime.watch`; nothing is ever lost here."""

    async def open_room(self, stream_id: UUID, listener: RoomListener) -> Position:
        """See `Realtime.open_room`."""
        room = self._room(stream_id)
        for event in room.log:
            listener(event)
        room.listener = listener
        return Position(room.epoch, room.offset)

    async def close_room(self, stream_id: UUID) -> None:
        """See `Realtime.close_room`; the log stays for a while, for those who come back."""
        room = self._rooms.get(stream_id)
        if room is not None:
            room.listener = None

    async def publish(self, stream_id: UUID, name: str, data: bytes) -> None:
        """See `Realtime.publish`."""
        room = self._room(stream_id)
        room.offset += 1
        event = RoomEvent(name, data, Position(room.epoch, room.offset))
        room.log.append(event)
        if room.listener is not None:
            room.listener(event)

    async def change_presence(
        self,
        stream_id: UUID,
        joined: Sequence[str],
        left: Sequence[str],
        *,
        whole: bool = False,
    ) -> PresenceChange:
        """See `Realtime.change_presence`."""
        room = self._room(stream_id)
        if whole:
            left = [*room.viewers.difference(joined)]
        gone = tuple(viewer for viewer in dict.fromkeys(left) if viewer in room.viewers)
        room.viewers.difference_update(gone)
        come = tuple(viewer for viewer in dict.fromkeys(joined) if viewer not in room.viewers)
        room.viewers.update(come)
        room.peak = max(room.peak, len(room.viewers))
        return PresenceChange(come, gone, len(room.viewers), room.peak)

    async def renew_lease(self) -> None:
        """See `Realtime.renew_lease`; a process is its own lease."""

    async def release_expired(self) -> Sequence[Departures]:
        """See `Realtime.release_expired`."""
        return ()

    async def viewers(self, stream_id: UUID) -> int:
        """See `Realtime.viewers`."""
        room = self._rooms.get(stream_id)
        return 0 if room is None else len(room.viewers)

    async def take(self, key: str, allowance: Allowance) -> bool:
        """See `Realtime.take`."""
        return self._buckets.take(key, allowance)

    async def ready(self) -> None:
        """See `Realtime.ready`."""

    async def run(self) -> None:
        """See `Realtime.run`; there is nothing to keep connected."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """See `Realtime.close`."""
        self._rooms.clear()

    def reset(self) -> None:
        """Begin anew: no viewers, no listeners, new epochs."""
        self._rooms.clear()

    def _room(self, stream_id: UUID) -> _SharedRoom:
        room = self._rooms.pop(stream_id, None) or _SharedRoom(self._log_events)
        self._rooms[stream_id] = room  # used last, forgotten last
        if len(self._rooms) > _ROOMS_KEPT:
            idle = next(
                (key for key, one in self._rooms.items() if not one.viewers and not one.listener),
                None,
            )
            if idle is not None and idle != stream_id:
                del self._rooms[idle]
        return room
