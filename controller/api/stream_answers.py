"""What stream calls answer: `data` of the envelopes, and `StreamResponse`."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from controller.api.answers import Answered, CamelAnswer
from controller.domain.states import IngestState, StreamStatus
from controller.domain.streams import Audience


class ProductAnswer(CamelAnswer):
    """A product beside a stream."""

    id: UUID
    title: str
    price: float
    currency: str
    image_url: str | None = Field(description="The first of the product's pictures.")
    is_available: bool


class UserAnswer(Answered):
    """The host of a stream."""

    id: UUID
    username: str
    avatar_url: str | None


class StreamResponse(Answered):
    """A stream; its keys are snake_case."""

    id: UUID
    user_id: UUID
    title: str
    description: str | None
    category: str
    status: StreamStatus
    stream_type: str
    rtmp_url: str
    stream_key: str | None = Field(description="For the owner; null for anyone else.")
    hls_url: str
    dash_url: str
    low_latency_dash_url: str = Field(
        description="The live stream for DASH players with a low-latency mode."
    )
    thumbnail_url: str | None = Field(
        description="A JPEG: the newest picture while live, the poster of the recording afterwards."
    )
    viewer_count: int
    total_views: int
    duration_seconds: int | None = Field(description="Null until the stream has ended.")
    scheduled_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    audience: Audience
    estimated_duration: int = Field(description="Minutes.")
    notify_followers: bool
    notify_neighborhood: bool
    enable_chat: bool
    enable_comments: bool
    record_stream: bool
    vod_url: str | None = Field(
        description="Null while the recording is not ready, and when there is none: the stream is "
        "not recorded (`record_stream` false), there was no space, or it was deleted. "
        "`GET /streams/{id}/recording` tells its owner which."
    )
    mp4_url: str | None = Field(
        description="The recording as one progressive MP4; null until it has been made."
    )
    poster_url: str | None = Field(
        description="A JPEG of the recording; null until it has been made."
    )
    storyboard_url: str | None = Field(
        description="WebVTT that names tiles of JPEG sheets (`#xywh`) for seeking in the "
        "recording; null until it has been made."
    )
    peak_viewers: int
    unique_viewers: int
    total_likes: int
    chat_messages_count: int
    average_watch_time: float = Field(description="Seconds.")
    ingest_state: IngestState
    created_at: datetime
    updated_at: datetime
    user: UserAnswer
    products: list[ProductAnswer]


class StreamCreated(CamelAnswer):
    """A scheduled stream."""

    stream_id: UUID
    title: str
    status: StreamStatus
    audience: Audience
    estimated_duration: int
    product_count: int
    created_at: datetime


class StreamPage(CamelAnswer):
    """A page of streams."""

    items: list[StreamResponse]
    next_cursor: str | None


class AttachedProducts(CamelAnswer):
    """The whole list of a stream's products."""

    stream_id: UUID
    products: list[ProductAnswer]
    total_count: int


class StreamSettingsAnswer(CamelAnswer):
    """What the host has set."""

    audience: Audience
    estimated_duration: int
    notify_followers: bool
    notify_neighborhood: bool
    enable_chat: bool
    enable_comments: bool
    record_stream: bool


class StreamUpdated(CamelAnswer):
    """A changed stream."""

    stream_id: UUID
    title: str
    description: str | None
    settings: StreamSettingsAnswer
    updated_at: datetime


class StreamLive(CamelAnswer):
    """A stream that has gone live: what the encoder and the players need."""

    stream_id: UUID
    status: StreamStatus
    rtmp_url: str
    stream_key: str | None = Field(
        description="Null when it cannot be read after a change of the server's secret: rotate."
    )
    hls_url: str
    dash_url: str
    started_at: datetime | None
    notifications_sent: int = Field(description="Really queued, counted.")


class StreamStats(CamelAnswer):
    """The room's figures at the end."""

    peak_viewers: int
    unique_viewers: int
    total_likes: int
    chat_messages: int
    average_watch_time: float


class StreamEnded(CamelAnswer):
    """A stream that has ended."""

    stream_id: UUID
    status: StreamStatus
    duration: int = Field(description="Seconds.")
    stats: StreamStats
    vod_url: str | None = Field(
        description="Null while the recording is not ready, and when there is none."
    )
    ended_at: datetime | None


class StreamCancelled(CamelAnswer):
    """A stream that was called off."""

    stream_id: UUID
    status: StreamStatus
    updated_at: datetime


class KeyRotated(CamelAnswer):
    """The key that works from now on."""

    stream_id: UUID
    stream_key: str
    rtmp_url: str


class PlaybackGranted(CamelAnswer):
    """Addresses that play. For an audience of everyone they need no token, and never expire."""

    stream_id: UUID
    token: str | None
    expires_at: datetime | None
    renew_at: datetime | None = Field(description="Ask for the next token from here on.")
    hls_url: str
    dash_url: str
    low_latency_dash_url: str
    vod_url: str | None
    mp4_url: str | None
    poster_url: str | None
    storyboard_url: str | None
    thumbnail_url: str | None
