"""What moderators do: written and audited first, then told to every daemon."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from controller.domain.people import Identity
from controller.domain.ports import Clock
from controller.domain.room import ChatMessage, Moderation, ModerationKind
from controller.domain.room_ports import RoomStore
from controller.errors import NotAuthenticated
from controller.hub import payloads
from controller.hub.broadcasting import Broadcaster
from controller.hub.commands import Moderate
from controller.hub.connection import Connection
from controller.hub.errors import MessageNotFound, NotModerator
from controller.hub.figures import FigureWriter
from controller.hub.room import Room
from controller.hub.rooms import OpenRoom

_HOST_ONLY = frozenset({ModerationKind.APPOINT, ModerationKind.DISMISS})
_AGAINST_SOMEBODY = frozenset({ModerationKind.TIMEOUT, ModerationKind.BAN})


class Moderator:
    """Carries out `stream_moderate`."""

    def __init__(
        self,
        store: RoomStore,
        broadcaster: Broadcaster,
        figures: FigureWriter,
        clock: Clock,
    ) -> None:
        self._store = store
        self._broadcaster = broadcaster
        self._figures = figures
        self._clock = clock

    async def moderate(self, opened: OpenRoom, connection: Connection, act: Moderate) -> None:
        """Check, write, tell; NotAuthenticated, NotModerator, MessageNotFound."""
        identity = connection.identity
        if identity is None:
            raise NotAuthenticated
        room = opened.room
        self._require_right(room, identity, act)
        message = self._message(room, act)
        moderation = self._moderation(identity, act)
        # The message may not be written yet, and what is not there cannot be deleted or pinned.
        await self._figures.write(opened)
        await self._store.moderate(moderation)
        for name, data in self._events(room, moderation, message):
            await self._broadcaster.publish(room.stream_id, name, data)
        if act.kind is ModerationKind.UNBAN and act.user_id is None:
            await self._lift_network_bans(room, moderation)

    async def ban_network(self, opened: OpenRoom, viewer: str, network: str) -> None:
        """Let the ban of a guest, who is here, hold for the guests of its network, too.

        Done by the daemon that had the guest: no other knows where it came from.
        """
        room = opened.room
        if network in room.state.sanctions:
            return
        ban = await self._last_ban(room.stream_id, viewer)
        if ban is not None:
            again = replace(ban, id=uuid4(), at=self._clock.now(), viewer=network, reason=viewer)
            await self._store.moderate(again)
            await self._broadcaster.publish(
                room.stream_id, payloads.VIEWER_SANCTIONED, _sanction(again)
            )

    async def _last_ban(self, stream_id: UUID, viewer: str) -> Moderation | None:
        bans = [
            one
            for one in await self._store.moderation_log(stream_id)
            if one.kind is ModerationKind.BAN and one.viewer == viewer
        ]
        return bans[-1] if bans else None

    async def _lift_network_bans(self, room: Room, unban: Moderation) -> None:
        """The networks that were banned with a guest are free again when it is."""
        log = await self._store.moderation_log(room.stream_id)
        with_guest = {one.viewer for one in log if one.reason == unban.viewer}
        for network in with_guest.intersection(room.state.sanctions):
            lifted = replace(unban, id=uuid4(), viewer=network)
            await self._store.moderate(lifted)
            await self._broadcaster.publish(
                room.stream_id, payloads.VIEWER_SANCTIONED, _sanction(lifted)
            )

    def _require_right(self, room: Room, identity: Identity, act: Moderate) -> None:
        if not room.may_moderate(identity):
            raise NotModerator
        owner_id = room.state.stream.owner_id
        is_host = identity.is_admin or identity.user_id == owner_id
        if act.kind in _HOST_ONLY and not is_host:
            raise NotModerator
        if act.kind in _AGAINST_SOMEBODY:
            is_colleague = act.user_id is not None and act.user_id in room.state.moderators
            if act.user_id == owner_id or (is_colleague and not is_host):
                raise NotModerator

    def _message(self, room: Room, act: Moderate) -> ChatMessage | None:
        if act.message_id is None:
            return None
        shelf = room.state.history | room.state.held
        if act.kind is ModerationKind.APPROVE:
            shelf = room.state.held
        elif act.kind is ModerationKind.PIN:
            shelf = room.state.history
        message = shelf.get(act.message_id)
        if message is None and act.kind is not ModerationKind.DELETE:
            raise MessageNotFound
        return message

    def _moderation(self, identity: Identity, act: Moderate) -> Moderation:
        now = self._clock.now()
        is_timeout = act.kind is ModerationKind.TIMEOUT
        return Moderation(
            id=uuid4(),
            stream_id=act.stream_id,
            actor_id=identity.user_id,
            kind=act.kind,
            at=now,
            message_id=act.message_id,
            viewer=act.viewer,
            user_id=act.user_id,
            until=now + timedelta(seconds=act.duration_s) if is_timeout else None,
            interval_s=act.interval_s,
            words=act.words,
            reason=act.reason,
        )

    def _events(
        self, room: Room, done: Moderation, message: ChatMessage | None
    ) -> list[tuple[str, Mapping[str, Any]]]:
        stream_id = str(room.stream_id)
        match done.kind:
            case ModerationKind.DELETE:
                data = {"streamId": stream_id, "messageId": str(done.message_id)}
                return [(payloads.CHAT_DELETED, data)]
            case ModerationKind.APPROVE if message is not None:
                return [(payloads.CHAT_MESSAGE, payloads.chat_message(message))]
            case ModerationKind.PIN | ModerationKind.UNPIN:
                pinned = None if message is None else payloads.chat_message(message)
                if done.kind is ModerationKind.UNPIN:
                    pinned = None
                return [(payloads.CHAT_PINNED, {"streamId": stream_id, "message": pinned})]
            case ModerationKind.SLOW_MODE:
                settings = {"streamId": stream_id, "slowMode": done.interval_s}
                return [(payloads.CHAT_SETTINGS, settings)]
            case ModerationKind.TIMEOUT | ModerationKind.BAN | ModerationKind.UNBAN:
                return [(payloads.VIEWER_SANCTIONED, _sanction(done))]
            case _:
                return [(payloads.ROLES_CHANGED, _roles(room, done))]


def _sanction(done: Moderation) -> dict[str, Any]:
    return {
        "streamId": str(done.stream_id),
        "viewerId": done.viewer,
        "action": str(done.kind),
        "until": None if done.until is None else payloads.timestamp(done.until),
    }


def _roles(room: Room, done: Moderation) -> dict[str, Any]:
    moderators: set[UUID] = set(room.state.moderators)
    words = room.state.blocked_words
    if done.kind is ModerationKind.BLOCK_WORDS:
        words = done.words
    elif done.user_id is not None and done.kind is ModerationKind.APPOINT:
        moderators.add(done.user_id)
    elif done.user_id is not None:
        moderators.discard(done.user_id)
    return {
        "streamId": str(room.stream_id),
        "moderators": sorted(map(str, moderators)),
        "blockedWords": list(words),
    }
