"""The room as the composition root sees it: built once, run beside the server, closed before it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from prometheus_client import CollectorRegistry

from controller.domain.ports import Clock, StreamStore, UserStore
from controller.domain.quality import QualityStore
from controller.domain.room_ports import Preparation, Realtime, RoomStore
from controller.hub.admission import Admission
from controller.hub.announcing import RoomAnnouncer
from controller.hub.broadcasting import Broadcaster
from controller.hub.chat import Chat, MediaTime
from controller.hub.figures import FigureWriter
from controller.hub.hub import Hub
from controller.hub.limits import HubLimits
from controller.hub.moderation import Moderator
from controller.hub.quality import QualityBook
from controller.hub.realtime_failover import FailoverRealtime
from controller.hub.realtime_memory import MemoryRealtime
from controller.hub.realtime_redis import RedisRealtime
from controller.hub.recovery import BookRecovery
from controller.hub.room import Pacer
from controller.hub.room_journal import Journal, NoJournal
from controller.hub.room_metrics import RoomMetrics
from controller.hub.rooms import Rooms
from controller.hub.statistics import HubStatistics
from controller.hub.tasks import WatchedTasks
from controller.hub.token_bucket import TokenBuckets
from controller.hub.upkeep import Upkeep
from controller.hub.viewing_sessions import ViewingSessions
from controller.hub.watchers import Watchers

_TASKS_S = 2.0


@dataclass(frozen=True, slots=True)
class RoomCollaborators:
    """What the room is given of the rest of the daemon."""

    streams: StreamStore
    users: UserStore
    store: RoomStore
    preparation: Preparation
    clock: Clock
    viewing: ViewingSessions
    quality: QualityStore
    media_time_s: MediaTime = lambda _stream_id, _at: None
    journal: Journal = field(default_factory=NoJournal)


class RoomService:
    """`hub` for the transports, `watchers` for players, `announcer` for whoever changes streams."""

    def __init__(
        self, given: RoomCollaborators, realtime: Realtime, limits: HubLimits, pacer: Pacer
    ) -> None:
        clock, journal = given.clock, given.journal
        self._journal = journal
        self._statistics = statistics = HubStatistics()
        self._recovery = BookRecovery(journal, given.store)
        self._tasks = WatchedTasks()
        self._realtime = realtime
        self._rooms = Rooms(
            given.streams,
            given.store,
            realtime,
            limits,
            pacer,
            clock,
            self._tasks,
            journal,
            statistics,
        )
        self._figures = FigureWriter(given.store, clock, journal)
        broadcaster = Broadcaster(self._rooms, realtime, limits, clock, statistics)
        self._rooms.on_presence(broadcaster.presence_changed)
        admission = Admission(given.users, clock)
        moderator = Moderator(given.store, broadcaster, self._figures, clock)
        self._rooms.on_guest_banned(moderator.ban_network)
        reactions = TokenBuckets(pacer.monotonic_s)
        self.hub = Hub(
            self._rooms,
            admission,
            Chat(
                admission,
                broadcaster,
                realtime,
                reactions,
                limits,
                clock,
                given.media_time_s,
                statistics,
            ),
            moderator,
            given.preparation,
            self._figures,
            limits,
            pacer,
            statistics,
        )
        self.watchers = Watchers(self._rooms, given.viewing, limits, pacer, clock)
        self.quality = QualityBook(given.quality, journal.holder, limits, pacer)
        self.announcer = RoomAnnouncer(self._rooms, broadcaster, self._figures, clock)
        self.upkeep = Upkeep(
            self._rooms,
            broadcaster,
            self._figures,
            realtime,
            given.store,
            self.watchers,
            self.quality,
            journal,
            lambda: self.hub.connections,
            limits,
            pacer,
            clock,
        )
        realtime.watch(self._rooms.presence_lost)

    def show_metrics(self, registry: CollectorRegistry) -> None:
        """Have the rooms' figures read with the registry's."""
        RoomMetrics(
            self.hub,
            self._rooms,
            self.watchers,
            self._journal,
            self._statistics,
            self.quality,
            registry,
        )

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Do the background work until cancelled; raises what any part of it raises.

        `ready` is called once rooms may be entered.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._realtime.run(), name="hub-realtime")
            await self._realtime.ready()
            await self._recovery.recover()
            await self.upkeep.correct_counts()
            group.create_task(self.upkeep.tick_forever(), name="hub-ticks")
            group.create_task(self.upkeep.renew_forever(), name="hub-leases")
            group.create_task(self.upkeep.refresh_forever(), name="hub-refresh")
            if ready is not None:
                ready()

    async def close(self) -> None:
        """Close all connections, give all viewers back, write the books; bounded.

        Call it while `run` still runs, cancel `run` afterwards.
        """
        self._rooms.is_closing = True
        await self.hub.close_connections()
        self.watchers.close()
        await self._tasks.join(_TASKS_S)
        await self.quality.write(all_of_it=True)
        self._journal.close(is_written=await self.upkeep.write_books())
        await self._realtime.close()


def create_realtime(redis_url: str, limits: HubLimits, pacer: Pacer) -> Realtime:
    """In process for an empty URL, else on Redis, going on alone while it is away."""
    twin = MemoryRealtime(pacer.monotonic_s, limits.log_events)
    if not redis_url:
        return twin
    shared = RedisRealtime(
        redis_url, uuid4().hex, lease_s=limits.lease_s, log_events=limits.log_events
    )
    return FailoverRealtime(shared, twin)
