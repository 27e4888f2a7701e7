"""A `Realtime` that goes on alone while the shared side is away.

While alone, a daemon's rooms have logs of their own, of other epochs, and count only who is here;
its chat limits are its own too. When the shared side is back, presence is told anew as a whole.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import structlog

from controller.domain.room import Allowance, Departures, Position, PresenceChange
from controller.domain.room_ports import Realtime, RoomListener
from controller.hub.errors import RealtimeUnavailable
from controller.hub.realtime_memory import MemoryRealtime
from controller.hub.realtime_redis import RedisRealtime

T = TypeVar("T")

_RETRY_S = 1.0


class FailoverRealtime:
    """See `Realtime`; no call raises RealtimeUnavailable."""

    def __init__(self, shared: RedisRealtime, twin: MemoryRealtime) -> None:
        self._shared = shared
        self._twin = twin
        self._listeners: dict[UUID, RoomListener] = {}
        self._is_shared = False
        self._decided = asyncio.Event()
        self._came_up = asyncio.Event()
        self._presence_watchers: list[Callable[[], None]] = []
        self._log = structlog.get_logger(__name__)
        shared.watch_state(self._state_changed)
        shared.watch(self._tell_presence_lost)

    @property
    def is_shared(self) -> bool:
        """Whether other daemons are heard."""
        return self._is_shared

    def watch(self, presence_lost: Callable[[], None]) -> None:
        """See `Realtime.watch`."""
        self._presence_watchers.append(presence_lost)

    async def ready(self) -> None:
        """See `Realtime.ready`."""
        await self._shared.ready()
        if self._shared.is_up:
            await self._decided.wait()

    async def open_room(self, stream_id: UUID, listener: RoomListener) -> Position:
        """See `Realtime.open_room`."""
        self._listeners[stream_id] = listener
        return await self._either(lambda side: side.open_room(stream_id, listener))

    async def close_room(self, stream_id: UUID) -> None:
        """See `Realtime.close_room`."""
        self._listeners.pop(stream_id, None)
        await self._twin.close_room(stream_id)
        await self._shared.close_room(stream_id)

    async def publish(self, stream_id: UUID, name: str, data: bytes) -> None:
        """See `Realtime.publish`."""
        await self._either(lambda side: side.publish(stream_id, name, data))

    async def change_presence(
        self,
        stream_id: UUID,
        joined: Sequence[str],
        left: Sequence[str],
        *,
        whole: bool = False,
    ) -> PresenceChange:
        """See `Realtime.change_presence`."""
        return await self._either(
            lambda side: side.change_presence(stream_id, joined, left, whole=whole)
        )

    async def renew_lease(self) -> None:
        """See `Realtime.renew_lease`."""
        await self._either(lambda side: side.renew_lease())

    async def release_expired(self) -> Sequence[Departures]:
        """See `Realtime.release_expired`."""
        return await self._either(lambda side: side.release_expired())

    async def viewers(self, stream_id: UUID) -> int:
        """See `Realtime.viewers`."""
        return await self._either(lambda side: side.viewers(stream_id))

    async def take(self, key: str, allowance: Allowance) -> bool:
        """See `Realtime.take`."""
        return await self._either(lambda side: side.take(key, allowance))

    async def run(self) -> None:
        """See `Realtime.run`."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._shared.run(), name="realtime-redis")
            both.create_task(self._come_back_when_up(), name="realtime-failover")

    async def close(self) -> None:
        """See `Realtime.close`."""
        await self._twin.close()
        await self._shared.close()

    async def _either(self, call: Callable[[Realtime], Awaitable[T]]) -> T:
        if self._is_shared:
            try:
                return await call(self._shared)
            except RealtimeUnavailable:
                await self._go_alone()
        return await call(self._twin)

    async def _go_alone(self) -> None:
        if not self._is_shared:
            return
        self._is_shared = False
        self._log.warning("realtime_alone", rooms=len(self._listeners))
        self._twin.reset()
        for stream_id, listener in self._listeners.items():
            await self._twin.open_room(stream_id, listener)  # in memory: nothing is awaited
        self._tell_presence_lost()
        self._came_up.set()  # perhaps it was but one slow answer

    async def _come_back_when_up(self) -> None:
        while True:
            await self._came_up.wait()
            self._came_up.clear()
            if not self._shared.is_up:
                await self._go_alone()
            elif not self._is_shared and not await self._come_back():
                asyncio.get_running_loop().call_later(_RETRY_S, self._came_up.set)
            self._decided.set()

    async def _come_back(self) -> bool:
        try:
            await self._shared.probe()
            for stream_id, listener in [*self._listeners.items()]:
                if not self._shared.has_room(stream_id):
                    await self._shared.open_room(stream_id, listener)
        except RealtimeUnavailable:
            return False
        self._is_shared = True
        self._twin.reset()
        self._log.info("realtime_shared", rooms=len(self._listeners))
        self._tell_presence_lost()
        return True

    def _state_changed(self) -> None:
        self._came_up.set()

    def _tell_presence_lost(self) -> None:
        for watcher in self._presence_watchers:
            watcher()
