"""A stream: what a host schedules, and what is kept about it (frozen values)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from controller.domain.states import EndReason, IngestState, StreamStatus


class Audience(StrEnum):
    """Who may find and play a stream."""

    EVERYONE = "everyone"
    FOLLOWERS = "followers"
    NEIGHBORHOOD = "neighborhood"


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What the host may set while the stream is scheduled."""

    audience: Audience = Audience.EVERYONE
    estimated_duration_min: int = 30
    notify_followers: bool = True
    notify_neighborhood: bool = False
    enable_chat: bool = True
    enable_comments: bool = True
    record_stream: bool = True


@dataclass(frozen=True, slots=True)
class StreamCounters:
    """Figures of the room; all zero until the room has counted something."""

    viewers_now: int = 0
    total_views: int = 0
    peak_viewers: int = 0
    unique_viewers: int = 0
    total_likes: int = 0
    chat_messages: int = 0
    average_watch_time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as the store has it; times are aware and in UTC."""

    id: UUID
    owner_id: UUID
    title: str
    description: str | None
    category: str
    status: StreamStatus
    ingest_state: IngestState
    ingest_state_since: datetime
    created_at: datetime
    updated_at: datetime
    options: StreamOptions = field(default_factory=StreamOptions)
    counters: StreamCounters = field(default_factory=StreamCounters)
    stream_type: str = "live"
    thumbnail_url: str | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    duration_s: int | None = None
    vod_url: str | None = None
    mp4_url: str | None = None
    poster_url: str | None = None
    storyboard_url: str | None = None


@dataclass(frozen=True, slots=True)
class StreamChanges:
    """A partial change: `values` holds only what was sent, keyed by `CHANGEABLE` names."""

    values: Mapping[str, object]


CHANGEABLE = frozenset(
    {
        "title",
        "description",
        "audience",
        "estimated_duration_min",
        "notify_followers",
        "notify_neighborhood",
        "enable_chat",
        "enable_comments",
        "record_stream",
    }
)


@dataclass(frozen=True, slots=True)
class CreatedStream:
    """The answer to a creation, kept so that a repeated request is answered alike."""

    stream_id: UUID
    title: str
    status: StreamStatus
    audience: Audience
    estimated_duration_min: int
    product_count: int
    created_at: datetime
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """Narrows a listing; None means any."""

    status: StreamStatus | None = None
    category: str | None = None
    owner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One step of a stream's life as it was committed."""

    stream_id: UUID
    from_status: StreamStatus | None
    to_status: StreamStatus
    at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class WentLive:
    """A stream that has just gone live and how many notifications were queued for it."""

    stream: Stream
    notifications_queued: int


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """A creation that its caller may repeat: the caller's key and a digest of the request."""

    user_id: UUID
    key: str
    fingerprint: str
