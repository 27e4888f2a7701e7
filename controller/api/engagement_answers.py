"""What calls around a stream answer: pins, events, viewers, analytics."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from controller.api.answers import Answered, CamelAnswer
from controller.domain.products import ProductEventType


class ProductTagged(CamelAnswer):
    """A pin as it was broadcast."""

    product_id: UUID
    x: float
    y: float
    timestamp: int = Field(description="Seconds since the stream started.")


class ProductEventCounted(CamelAnswer):
    """What was understood; `counted` is false for a repetition."""

    stream_id: UUID
    product_id: UUID
    type: ProductEventType
    quantity: int
    counted: bool


class ViewerAnswer(Answered):
    """Someone in the room; the keys are snake_case."""

    user_id: UUID
    username: str
    avatar_url: str | None
    joined_at: datetime


class ViewerPage(CamelAnswer):
    """A page of viewers."""

    items: list[ViewerAnswer]
    total: int
    next_cursor: str | None


class BasicStats(CamelAnswer):
    """Durations in seconds."""

    duration: int
    peak_viewers: int
    unique_viewers: int
    average_watch_time: float


class Engagement(CamelAnswer):
    """What the room did."""

    total_likes: int
    chat_messages: int
    reactions: dict[str, int]


class ProductFiguresAnswer(CamelAnswer):
    """What viewers did with a product; `purchases` counts units."""

    product_id: UUID
    title: str
    clicks: int
    views: int
    inquiries: int
    purchases: int


class ProductRevenue(CamelAnswer):
    """What a product brought in one currency, as a decimal."""

    product_id: UUID
    currency: str
    total: str


class RevenueAnswer(CamelAnswer):
    """Money as decimals; `total` is in `currency`, `totals` has every currency."""

    currency: str | None
    total: str
    totals: dict[str, str]
    per_product: list[ProductRevenue]


class TimelinePoint(CamelAnswer):
    """Viewers `t` seconds after the start."""

    t: int
    viewers: int


class QualityAnswer(CamelAnswer):
    """How playback went, as far as players send CMCD (CTA-5004); null where none has told.

    Times in seconds, bit rates in kbit/s.
    """

    sessions: int = Field(description="Players that have told anything.")
    startup_time: float | None = Field(description="From the first request to playback, on average")
    startup_time_p95: float | None = Field(description="The same of the slowest twentieth.")
    rebuffers: int = Field(description="How often a buffer ran dry.")
    rebuffered_sessions: int = Field(description="Players to which that has happened.")
    rebuffer_time: float | None = Field(description="For how long, all together (CMCD version 2).")
    average_bitrate: float | None = Field(description="Of the pictures that were fetched.")


class StreamAnalytics(CamelAnswer):
    """Everything counted about a stream."""

    stream_id: UUID
    basic_stats: BasicStats
    engagement: Engagement
    products: list[ProductFiguresAnswer]
    revenue: RevenueAnswer
    geography: dict[str, int]
    timeline: list[TimelinePoint]
    quality: QualityAnswer
