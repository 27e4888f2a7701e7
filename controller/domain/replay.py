"""The room of a live again, by the time of its recording: chat, reactions, tags, pins."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from controller.domain.people import Identity
from controller.domain.room import ChatMessage
from controller.domain.streams import Stream

MOST_SPAN_S = 600.0
"""What one call answers at most, in seconds of the recording."""

DEFAULT_SPAN_S = 60.0
MOST_MESSAGES = 500
REACTION_STEP_S = 5
"""Reactions are counted together over so many seconds."""


@dataclass(frozen=True, slots=True)
class ReactionCount:
    """Reactions of one kind in the `REACTION_STEP_S` from `at_s` on."""

    at_s: int
    emoji: str
    count: int


@dataclass(frozen=True, slots=True)
class ReplayedTag:
    """A tag at its time."""

    product_id: UUID
    x: float
    y: float
    at_s: float


@dataclass(frozen=True, slots=True)
class ReplayedPin:
    """A product that is shown from `at_s` to `until_s`; None: to the end."""

    product_id: UUID
    at_s: float
    until_s: float | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `from_s` to before `to_s`, in seconds of the recording."""

    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened in `covers`; pins and tags from before it that are still shown are there,
    too. `more`: messages that did not fit come behind it."""

    covers: Stretch
    chat: tuple[ChatMessage, ...]
    reactions: tuple[ReactionCount, ...]
    tags: tuple[ReplayedTag, ...]
    pins: tuple[ReplayedPin, ...]
    more: bool = False


class ReplayStore(Protocol):
    """What is kept of a room by the time of the recording."""

    async def replay(self, stream_id: UUID, stretch: Stretch, most_messages: int) -> Replay:
        """What happened in the stretch, or in as much of it as has no more than `most_messages`
        messages (more only where they share one moment)."""
        ...


class ReplayStreams(Protocol):
    """What is asked of the streams."""

    async def get(self, stream_id: UUID) -> Stream:
        """The stream; StreamNotFound."""
        ...


class Audience(Protocol):
    """Who may play what."""

    async def require_audience(self, stream: Stream, caller: Identity | None) -> None:
        """Raise NotInAudience unless the caller may see the stream."""
        ...


class ReplayService:
    """Answers whoever may play the stream."""

    def __init__(self, streams: ReplayStreams, audience: Audience, store: ReplayStore) -> None:
        self._streams = streams
        self._audience = audience
        self._store = store

    async def replay(
        self,
        caller: Identity | None,
        stream_id: UUID,
        from_s: float,
        to_s: float | None,
        most_messages: int = MOST_MESSAGES,
    ) -> Replay:
        """What happened from `from_s` to before `to_s` (a minute later when None), at most
        `MOST_SPAN_S` of it; StreamNotFound, NotInAudience."""
        await self._audience.require_audience(await self._streams.get(stream_id), caller)
        wanted_s = from_s + DEFAULT_SPAN_S if to_s is None else to_s
        end_s = max(from_s, min(wanted_s, from_s + MOST_SPAN_S))
        return await self._store.replay(stream_id, Stretch(from_s, end_s), most_messages)
