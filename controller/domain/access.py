"""Who may do what with a stream: pure rules, no look-ups."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from controller.domain.people import Identity
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience, Stream
from controller.errors import NotInAudience, NotYourStream


@dataclass(frozen=True, slots=True)
class Standing:
    """What ties a viewer to a host: found out by the store, judged here."""

    follows: bool = False
    is_neighbor: bool = False


def require_owner(stream: Stream, caller: Identity) -> None:
    """Raise NotYourStream unless the stream is the caller's."""
    if stream.owner_id != caller.user_id:
        raise NotYourStream


def require_owner_or_admin(stream: Stream, caller: Identity) -> None:
    """Raise NotYourStream unless the stream is the caller's or the caller administers."""
    if not caller.is_admin:
        require_owner(stream, caller)


def is_in_audience(stream: Stream, caller: Identity | None, standing: Standing) -> bool:
    """True when the caller (None: anyone) may find and play the stream."""
    if stream.options.audience is Audience.EVERYONE:
        return True
    if caller is None:
        return False
    if caller.is_admin or caller.user_id == stream.owner_id:
        return True
    if stream.options.audience is Audience.FOLLOWERS:
        return standing.follows
    return standing.is_neighbor


def require_audience(stream: Stream, caller: Identity | None, standing: Standing) -> None:
    """Raise NotInAudience unless `is_in_audience`."""
    if not is_in_audience(stream, caller, standing):
        raise NotInAudience


@dataclass(frozen=True, slots=True)
class PlaybackFacts:
    """What decides about a stream's media: fixed from the moment that there is any."""

    stream_id: UUID
    audience: Audience
    status: StreamStatus


class PlaybackRefusal(StrEnum):
    """Why media is not given out; for logs and metrics, not for the player."""

    UNKNOWN_STREAM = "unknown_stream"
    CANCELLED = "cancelled"
    TOKEN_MISSING = "token_missing"  # noqa: S105
    TOKEN_INVALID = "token_invalid"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105


@dataclass(frozen=True, slots=True)
class PlaybackDecision:
    """Yes for the next `valid_for_s` seconds (a cache may keep it so long), or no and why."""

    allowed: bool
    valid_for_s: int = 0
    refusal: PlaybackRefusal | None = None


@dataclass(frozen=True, slots=True)
class PlaybackGrant:
    """A signed permission to play one stream until `expires_at`; ask again from `renew_at`."""

    token: str
    expires_at: datetime
    renew_at: datetime
