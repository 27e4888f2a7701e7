"""Who may enter a room, and what they may do there."""

from controller.domain.access import Standing, require_audience
from controller.domain.people import Identity
from controller.domain.ports import Clock, UserStore
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience
from controller.errors import NotAuthenticated
from controller.hub.connection import Connection
from controller.hub.errors import Banned, ChatDisabled, CommentsDisabled, TimedOut
from controller.hub.room import Room


class Admission:
    """The room's rules, with the look-ups that they need."""

    def __init__(self, users: UserStore, clock: Clock) -> None:
        self._users = users
        self._clock = clock

    async def require_entry(self, room: Room, connection: Connection) -> None:
        """Raise Banned or NotInAudience unless the connection may be in the room."""
        if room.has(connection):
            return  # whoever is banned later is put out at once
        if room.is_network_banned(connection):
            raise Banned
        await self.require_viewer(room, connection.identity, connection.viewer)

    async def require_viewer(self, room: Room, identity: Identity | None, viewer: str) -> None:
        """Raise Banned or NotInAudience unless the viewer may watch."""
        is_banned, _ = room.state.sanction_of(viewer, self._clock.now())
        if is_banned:
            raise Banned
        stream = room.state.stream
        standing = Standing()
        if identity is not None and stream.options.audience is not Audience.EVERYONE:
            standing = await self._users.standing(identity.user_id, stream.owner_id)
        require_audience(stream, identity, standing)

    async def require_voice(self, room: Room, connection: Connection) -> Identity:
        """The user who may speak; NotAuthenticated, TimedOut, ChatDisabled, CommentsDisabled,
        `require_entry`'s.

        Until a stream ends what is said is chat (`enable_chat`), from then on it is a comment
        under the recording (`enable_comments`).
        """
        identity = connection.identity
        if identity is None:
            raise NotAuthenticated
        await self.require_entry(room, connection)
        stream = room.state.stream
        if stream.status is StreamStatus.ENDED:
            if not stream.options.enable_comments:
                raise CommentsDisabled
        elif room.state.is_over or not stream.options.enable_chat:
            raise ChatDisabled
        _, is_timed_out = room.state.sanction_of(connection.viewer, self._clock.now())
        if is_timed_out:
            raise TimedOut
        return identity
