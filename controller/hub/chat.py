"""Chat messages and reactions: who may, how often, and where they are kept."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid4

from controller.domain.people import Identity
from controller.domain.ports import Clock
from controller.domain.room import Allowance, ChatMessage
from controller.domain.room_ports import Realtime
from controller.domain.states import StreamStatus
from controller.domain.streams import Stream
from controller.errors import NotAuthenticated, StreamNotLive
from controller.hub import payloads
from controller.hub.admission import Admission
from controller.hub.broadcasting import Broadcaster
from controller.hub.connection import Connection
from controller.hub.errors import MessageHeld, RateLimitExceeded
from controller.hub.limits import HubLimits
from controller.hub.room import Room
from controller.hub.rooms import OpenRoom
from controller.hub.statistics import HubStatistics
from controller.hub.token_bucket import TokenBuckets

MediaTime = Callable[[UUID, datetime], float | None]


class Chat:
    """What viewers say and how they react."""

    def __init__(
        self,
        admission: Admission,
        broadcaster: Broadcaster,
        realtime: Realtime,
        reaction_buckets: TokenBuckets,
        limits: HubLimits,
        clock: Clock,
        media_time_s: MediaTime,
        statistics: HubStatistics,
    ) -> None:
        self._admission = admission
        self._broadcaster = broadcaster
        self._realtime = realtime
        self._reaction_buckets = reaction_buckets
        self._limits = limits
        self._clock = clock
        self._media_time_s = media_time_s
        self._statistics = statistics

    async def say(self, opened: OpenRoom, connection: Connection, text: str) -> UUID:
        """Broadcast and keep a message; its id.

        Besides what `Admission.require_voice` raises: RateLimitExceeded, MessageHeld.
        """
        room = opened.room
        identity = await self._admission.require_voice(room, connection)
        is_moderator = room.may_moderate(identity)
        await self._require_allowance(room, identity, has_to_wait=not is_moderator)
        is_held = not is_moderator and self._is_blocked(room, text)
        message = self._message(room, identity, text, is_held=is_held)
        name = payloads.CHAT_HELD if is_held else payloads.CHAT_MESSAGE
        await self._broadcaster.publish(room.stream_id, name, payloads.chat_message(message))
        opened.ledger.said(message)
        if is_held:
            self._statistics.held += 1
            raise MessageHeld
        self._statistics.messages += 1
        return message.id

    async def react(self, opened: OpenRoom, connection: Connection, emoji: str) -> None:
        """Broadcast and count a reaction; NotAuthenticated, StreamNotLive, RateLimitExceeded."""
        identity = connection.identity
        if identity is None:
            raise NotAuthenticated
        room = opened.room
        await self._admission.require_entry(room, connection)
        if room.state.is_over:
            raise StreamNotLive
        key = f"{room.stream_id}:{identity.user_id}"
        if not self._reaction_buckets.take(key, self._limits.reactions):
            self._statistics.refused += 1
            raise RateLimitExceeded
        now = self._clock.now()
        opened.ledger.reacted(emoji, self._stream_time_s(room.state.stream, now))
        self._statistics.reactions += 1
        if room.state.viewers_now > self._limits.big_room_viewers:
            count, _ = opened.reactions_due.get(emoji, (0, identity))
            opened.reactions_due[emoji] = (count + 1, identity)
            self._statistics.coalesced += 1
            return
        data = payloads.reaction(room.stream_id, identity, emoji, now, 1)
        await self._broadcaster.publish(room.stream_id, payloads.REACTION_NEW, data)

    async def _require_allowance(
        self, room: Room, identity: Identity, *, has_to_wait: bool
    ) -> None:
        key = f"{room.stream_id}:{identity.user_id}"
        slow_mode_s = room.state.slow_mode_s
        if has_to_wait and slow_mode_s > 0:
            slowly = Allowance(burst=1, per_s=1 / slow_mode_s)
            if not await self._realtime.take(f"slow:{slow_mode_s}:{key}", slowly):
                self._statistics.refused += 1
                raise RateLimitExceeded
        if not await self._realtime.take(f"chat:{key}", self._limits.chat):
            self._statistics.refused += 1
            raise RateLimitExceeded

    def _is_blocked(self, room: Room, text: str) -> bool:
        folded = text.casefold()
        return any(word in folded for word in room.state.blocked_words)

    def _stream_time_s(self, stream: Stream, now: datetime) -> float | None:
        """Where the recording shows what was said: a comment, or what came before it, has no
        such place. Without media here, the time since the start comes nearest."""
        if stream.status is not StreamStatus.LIVE or stream.started_at is None:
            return None
        media_s = self._media_time_s(stream.id, now)
        return (now - stream.started_at).total_seconds() if media_s is None else media_s

    def _message(self, room: Room, identity: Identity, text: str, *, is_held: bool) -> ChatMessage:
        now = self._clock.now()
        return ChatMessage(
            id=uuid4(),
            stream_id=room.stream_id,
            user_id=identity.user_id,
            username=identity.username,
            avatar_url=identity.avatar_url,
            text=text,
            sent_at=now,
            stream_time_s=self._stream_time_s(room.state.stream, now),
            is_held=is_held,
        )
