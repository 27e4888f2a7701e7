"""Figures of a stream, as the room and the viewers left them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from controller.domain.quality import PlaybackQuality


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user who is or was in the room."""

    user_id: UUID
    username: str
    avatar_url: str | None
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class ProductFigures:
    """What viewers did with one product, and what it brought in each currency."""

    product_id: UUID
    title: str
    currency: str
    clicks: int
    views: int
    inquiries: int
    purchases: int
    revenue: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class ViewerSample:
    """How many were watching at a time."""

    at: datetime
    viewers: int


@dataclass(frozen=True, slots=True)
class WatchFigures:
    """The most viewers at once, and everybody's watch time, each moment of a viewer once."""

    peak_viewers: int
    watched_s: float


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """Everything that is counted beside the stream's own counters.

    `watched` is None for a stream whose viewers' stays are not known.
    """

    reactions: Mapping[str, int]
    geography: Mapping[str, int]
    timeline: Sequence[ViewerSample]
    products: Sequence[ProductFigures]
    watched: WatchFigures | None = None
    quality: PlaybackQuality = field(default_factory=PlaybackQuality)
