"""The hub: what every transport talks to."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from controller.domain.people import Identity
from controller.domain.room import Position
from controller.domain.room_ports import Preparation
from controller.domain.states import StreamStatus
from controller.errors import NotAuthenticated, StreamNotLive
from controller.hub import payloads
from controller.hub.admission import Admission
from controller.hub.chat import Chat
from controller.hub.closing import CloseCode
from controller.hub.codecs import Message
from controller.hub.commands import (
    Command,
    Join,
    Leave,
    Moderate,
    Prepare,
    React,
    Say,
    read_command,
)
from controller.hub.connection import Connection, Wire
from controller.hub.errors import RealtimeUnavailable, TooManyRooms
from controller.hub.figures import FigureWriter
from controller.hub.limits import HubLimits
from controller.hub.moderation import Moderator
from controller.hub.room import Pacer
from controller.hub.rooms import OpenRoom, Rooms
from controller.hub.statistics import HubStatistics
from controller.hub.token_bucket import TokenBucket

_USERS_ONLY = frozenset({"stream_chat", "stream_reaction", "stream_moderate", "stream_prepare"})
_CLOSING_S = 2.0


class Hub:
    """The connections of this daemon, and what they may ask for."""

    def __init__(
        self,
        rooms: Rooms,
        admission: Admission,
        chat: Chat,
        moderator: Moderator,
        preparation: Preparation,
        figures: FigureWriter,
        limits: HubLimits,
        pacer: Pacer,
        statistics: HubStatistics,
    ) -> None:
        self._rooms = rooms
        self._admission = admission
        self._chat = chat
        self._moderator = moderator
        self._preparation = preparation
        self._figures = figures
        self._limits = limits
        self._pacer = pacer
        self._statistics = statistics
        self._connections: dict[Connection, TokenBucket] = {}
        self._is_closing = False
        self._emptied = asyncio.Event()
        self._log = structlog.get_logger(__name__)

    @property
    def connections(self) -> Sequence[Connection]:
        """All connections, oldest first."""
        return [*self._connections]

    @property
    def undelivered(self) -> int:
        """Writes to clients that did not read."""
        return self._statistics.undelivered + sum(one.dropped for one in self._connections)

    @property
    def refusal(self) -> CloseCode | None:
        """Why no connection is taken now; None when one is."""
        if self._is_closing:
            return CloseCode.SERVER_STOPPING
        if len(self._connections) >= self._limits.connections:
            return CloseCode.SERVER_FULL
        return None

    def connect(
        self,
        wire: Wire,
        identity: Identity | None,
        viewer: str,
        guest_token: str | None = None,
        network: str | None = None,
        country: str | None = None,
    ) -> Connection:
        """Take a connection in; call `disconnect` when the transport is done with it."""
        connection = Connection(
            wire, self._limits.backlog_bytes, identity, viewer, guest_token, network, country
        )
        self._connections[connection] = TokenBucket(self._limits.frames, self._pacer.monotonic_s())
        refusal = self.refusal
        if self._is_closing and refusal is not None:
            connection.close(refusal)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """The transport is gone: leave all rooms."""
        connection.is_open = False
        if self._connections.pop(connection, None) is not None:
            self._statistics.undelivered += connection.dropped
            if connection.closed_with is not None:
                self._statistics.closed[connection.closed_with] += 1
        for stream_id in [*connection.rooms]:
            opened = self._rooms.find(stream_id)
            if opened is not None and opened.room.dismiss(connection):
                self._rooms.depart(opened, connection.viewer)
        if not self._connections:
            self._emptied.set()

    def may_send(self, connection: Connection) -> bool:
        """Count a frame of the client; False when there were too many, and it is closed."""
        bucket = self._connections.get(connection)
        if bucket is None:
            return False
        if bucket.take(self._limits.frames, self._pacer.monotonic_s()):
            return True
        connection.close(CloseCode.FLOODING)
        return False

    async def handle(self, connection: Connection, event: str, data: object) -> None:
        """Carry out what a client asked for; whatever is refused is raised as ControllerError."""
        if event in _USERS_ONLY and connection.identity is None:
            raise NotAuthenticated
        await self._carry_out(connection, read_command(event, data))

    async def join(self, connection: Connection, stream_id: UUID, since: Position | None) -> None:
        """Enter a room: `stream:joined`, what was missed since, and then all that happens."""
        if stream_id not in connection.rooms and (
            len(connection.rooms) >= self._limits.rooms_per_connection
        ):
            raise TooManyRooms
        async with self._rooms.using(stream_id) as opened:
            room = opened.room
            await self._admission.require_entry(room, connection)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.behind_s):
                    await room.reach(since)
            if room.has(connection):
                room.admit(connection, since)
                return
            who = connection
            self._rooms.arrive(opened, who.viewer, who.user_id, who.country)
            admitted = False
            try:
                await self._settle_presence(opened)
                await self._admission.require_entry(room, connection)
                # The client may have gone meanwhile, or have joined by another frame.
                if connection in self._connections and not room.has(connection):
                    room.admit(connection, since)
                    admitted = True
            finally:
                if not admitted:
                    self._rooms.depart(opened, connection.viewer)

    async def require_watchable(
        self, stream_id: UUID, identity: Identity | None = None, viewer: str | None = None
    ) -> None:
        """Raise StreamNotLive unless it is live, and what `require_viewer` raises for a viewer."""
        async with self._rooms.using(stream_id) as opened:
            if viewer is not None:
                await self._admission.require_viewer(opened.room, identity, viewer)
            if opened.room.state.stream.status is not StreamStatus.LIVE:
                raise StreamNotLive

    async def settle(self, stream_id: UUID) -> None:
        """Write what the room has counted up to now; StoreUnavailable."""
        opened = self._rooms.find(stream_id)
        if opened is not None:
            await self._figures.write(opened)

    async def close_connections(self) -> None:
        """Take nobody in any more, close all connections and wait a little for them to go."""
        self._is_closing = True
        self._emptied.clear()
        for connection in self.connections:
            connection.close(CloseCode.SERVER_STOPPING)
        if self._connections:
            try:
                async with asyncio.timeout(_CLOSING_S):
                    await self._emptied.wait()
            except TimeoutError:
                self._log.warning("hub_connections_left", connections=len(self._connections))
        for connection in self.connections:
            self.disconnect(connection)

    async def _carry_out(self, connection: Connection, command: Command) -> None:
        match command:
            case Join(stream_id, since):
                await self.join(connection, stream_id, since)
            case Leave(stream_id):
                self._leave(connection, stream_id)
            case Say(stream_id, text):
                async with self._rooms.using(stream_id) as opened:
                    await self._chat.say(opened, connection, text)
            case React(stream_id, emoji):
                async with self._rooms.using(stream_id) as opened:
                    await self._chat.react(opened, connection, emoji)
            case Prepare(stream_id):
                await self._prepare(connection, stream_id)
            case Moderate(stream_id):
                async with self._rooms.using(stream_id) as opened:
                    await self._moderator.moderate(opened, connection, command)

    async def _settle_presence(self, opened: OpenRoom) -> None:
        """Have the newcomer counted; when that takes too long, the next tick sees to it."""
        try:
            async with asyncio.timeout(self._limits.settle_s):
                await opened.presence.settle()
        except (TimeoutError, RealtimeUnavailable):
            self._log.warning("presence_late", stream_id=str(opened.room.stream_id))

    def _leave(self, connection: Connection, stream_id: UUID) -> None:
        opened = self._rooms.find(stream_id)
        if opened is not None and opened.room.dismiss(connection):
            self._rooms.depart(opened, connection.viewer)

    async def _prepare(self, connection: Connection, stream_id: UUID) -> None:
        async with self._rooms.using(stream_id) as opened:
            await self._admission.require_entry(opened.room, connection)
            readiness = await self._preparation.readiness(stream_id)
        data = payloads.stream_ready(stream_id, readiness.latency_s, readiness.problems)
        connection.send(Message.of(payloads.STREAM_READY, data))
