"""The rooms that are open on this daemon: opened once, held while used, closed after a while."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from controller.domain.people import Identity
from controller.domain.ports import Clock, StreamStore
from controller.domain.room import KeptRoom
from controller.domain.room_ports import Realtime, RoomStore
from controller.domain.states import StreamStatus
from controller.errors import StreamNotFound
from controller.hub.connection import Connection
from controller.hub.ledger import RoomLedger
from controller.hub.limits import HubLimits
from controller.hub.presence import ChangeHandler, LocalViewer, RoomPresence
from controller.hub.room import Pacer, Room
from controller.hub.room_journal import Journal
from controller.hub.room_state import RoomState
from controller.hub.statistics import HubStatistics
from controller.hub.tasks import WatchedTasks


@dataclass(slots=True, eq=False)
class OpenRoom:
    """A room with its head count and its books; `*_due` is what the next tick will publish.

    `is_summed`: whether the figures have been computed since the stream was over.
    """

    room: Room
    presence: RoomPresence
    ledger: RoomLedger
    count_due: bool = False
    is_summed: bool = False
    reactions_due: dict[str, tuple[int, Identity]] = field(default_factory=dict)


BanExtension = Callable[[OpenRoom, str, str], Coroutine[Any, Any, None]]


class Rooms:
    """Opens a room when somebody first asks for it, whoever asks meanwhile waits for the same.

    `is_closing`: the daemon stops, and whoever goes now is likely to be back in a moment.
    """

    def __init__(
        self,
        streams: StreamStore,
        store: RoomStore,
        realtime: Realtime,
        limits: HubLimits,
        pacer: Pacer,
        clock: Clock,
        tasks: WatchedTasks,
        journal: Journal,
        statistics: HubStatistics,
    ) -> None:
        self._streams = streams
        self._store = store
        self._realtime = realtime
        self._limits = limits
        self._pacer = pacer
        self._clock = clock
        self._tasks = tasks
        self._journal = journal
        self._statistics = statistics
        self._dropped_before = 0
        self._open: dict[UUID, OpenRoom] = {}
        self._opening: dict[UUID, asyncio.Task[OpenRoom]] = {}
        self._handle_presence: ChangeHandler | None = None
        self._extend_ban: BanExtension | None = None
        self._settling: set[UUID] = set()
        self._stays = itertools.count(1)
        self.is_closing = False

    def on_presence(self, handle: ChangeHandler) -> None:
        """Have `handle` called with every change of a room's head count; call before use."""
        self._handle_presence = handle

    def on_guest_banned(self, extend: BanExtension) -> None:
        """Have `extend` called with the guest and the network of each guest who is put out."""
        self._extend_ban = extend

    @property
    def all(self) -> Sequence[OpenRoom]:
        """The open rooms."""
        return [*self._open.values()]

    @property
    def dropped_records(self) -> int:
        """What did not fit into the books, of all rooms that there were."""
        return self._dropped_before + sum(one.ledger.dropped for one in self._open.values())

    def find(self, stream_id: UUID) -> OpenRoom | None:
        """The room if it is open here."""
        return self._open.get(stream_id)

    @asynccontextmanager
    async def using(self, stream_id: UUID) -> AsyncIterator[OpenRoom]:
        """The room, open until the block ends; StreamNotFound, StoreUnavailable."""
        opened = self._open.get(stream_id)
        if opened is None:
            task = self._opening.get(stream_id)
            if task is None:
                task = self._tasks.start(self._open_room(stream_id), f"room-{stream_id}")
                self._opening[stream_id] = task
                task.add_done_callback(lambda _: self._opening.pop(stream_id, None))
            opened = await asyncio.shield(task)
        opened.room.holds += 1
        try:
            yield opened
        finally:
            opened.room.holds -= 1

    async def refresh(self, opened: OpenRoom) -> None:
        """Look at the stream's row again: settings change until a stream is live."""
        stream = await self._streams.get(opened.room.stream_id)
        if not opened.room.state.is_over:
            opened.room.state.stream = stream

    def arrive(
        self,
        opened: OpenRoom,
        viewer: str,
        user_id: UUID | None,
        country: str | None = None,
        since_s: float | None = None,
    ) -> None:
        """Count a connection that is joining, or a player, here since `since_s`; None: now."""
        now_s = self._pacer.monotonic_s()

        def newcomer() -> LocalViewer:
            here_s = 0.0 if since_s is None else now_s - since_s
            joined_at = self._clock.now() - timedelta(seconds=here_s)
            return LocalViewer(user_id, joined_at, now_s, next(self._stays), country)

        local = opened.presence.arrive(viewer, newcomer)
        if local.connections == 1 and not opened.room.state.is_over:
            local.is_counted = True
            opened.ledger.visited(viewer, local)

    def depart(self, opened: OpenRoom, viewer: str, seen_s: float | None = None) -> None:
        """Stop counting one of them, and see to it that the others hear of it.

        `seen_s`: until when it is known to have been there; None: until now.
        """
        now, now_s = self._clock.now(), self._pacer.monotonic_s()
        gone: LocalViewer | None = opened.presence.depart(
            viewer, now_s if seen_s is None else seen_s
        )
        if gone is None:
            return
        if gone.is_counted:
            left_at = now - timedelta(seconds=now_s - gone.seen_s)
            opened.ledger.left(viewer, gone, left_at, is_cut=self.is_closing)
        self.settle_soon(opened)

    def evicted(self, room: Room, connection: Connection) -> None:
        """A moderator has ended a membership."""
        opened = self._open.get(room.stream_id)
        if opened is None:
            return
        self.depart(opened, connection.viewer)
        is_own_ban = connection.viewer in room.state.sanctions
        if connection.network is not None and is_own_ban and self._extend_ban is not None:
            ban = self._extend_ban(opened, connection.viewer, connection.network)
            self._tasks.start(ban, f"ban-{room.stream_id}")

    def settle_soon(self, opened: OpenRoom) -> None:
        """Bring the shared count in step, in the background."""
        stream_id = opened.room.stream_id
        if stream_id not in self._settling:
            self._settling.add(stream_id)
            task = self._tasks.start(opened.presence.settle(), f"presence-{stream_id}")
            task.add_done_callback(lambda _: self._settling.discard(stream_id))

    def presence_lost(self) -> None:
        """The shared count has forgotten this daemon."""
        for opened in self.all:
            opened.presence.tell_anew()
            self.settle_soon(opened)

    def keep_unwritten(self, stream_id: UUID, kept: KeptRoom | None = None) -> None:
        """Write what the log has, and the store perhaps not: its daemon died before it wrote it.

        `kept` is what the store is known to have; what it has all the same stays there once.
        """
        opened = self._open.get(stream_id)
        if opened is not None:
            known = set() if kept is None else {message.id for message in kept.history}
            for message in opened.room.logged_messages():
                if message.id not in known:
                    opened.ledger.said(message)

    async def close_idle(self) -> None:
        """Close the rooms that nobody has used for a while."""
        now_s = self._pacer.monotonic_s()
        for opened in self.all:
            room = opened.room
            is_idle = not room.members and not room.holds and not opened.presence.here
            lingered = now_s - room.idle_since_s > self._limits.room_linger_s
            if is_idle and lingered and opened.presence.is_settled and opened.ledger.is_empty:
                del self._open[room.stream_id]
                self._dropped_before += opened.ledger.dropped
                await self._realtime.close_room(room.stream_id)

    async def _open_room(self, stream_id: UUID) -> OpenRoom:
        stream = await self._streams.get(stream_id)
        if stream.status is StreamStatus.CANCELLED:
            raise StreamNotFound
        if self._handle_presence is None:
            raise RuntimeError("on_presence was not called")
        kept = await self._store.load(stream_id)
        state = RoomState(stream, kept)
        room = Room(state, self._limits, self._pacer, self.evicted, self._statistics)
        # The log's tail is newer than what was loaded: it is taken in after it.
        room.position = await self._realtime.open_room(stream_id, room.receive)
        room.state.viewers_now = await self._realtime.viewers(stream_id)
        presence = RoomPresence(stream_id, self._realtime, self._handle_presence)
        note = partial(self._journal.append, stream_id)
        opened = OpenRoom(room, presence, RoomLedger(self._limits.unwritten_records, note))
        self._open[stream_id] = opened
        self.keep_unwritten(stream_id, kept)
        return opened
