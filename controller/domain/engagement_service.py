"""Pins, product events and figures: what hosts and viewers do around a stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4, uuid5

from controller.domain.access import require_owner, require_owner_or_admin
from controller.domain.analytics import StreamFigures, Viewer
from controller.domain.paging import Page, PageRequest
from controller.domain.people import Identity
from controller.domain.ports import Clock, EngagementStore, StreamAnnouncer, StreamStore
from controller.domain.products import ProductEvent, ProductEventType, ProductTag
from controller.domain.showcase import MediaTimeline, elapsed_s, tag_moment
from controller.domain.stream_service import StreamService
from controller.domain.streams import Stream
from controller.errors import NotAuthenticated

_GUESTS = UUID("5d2f0c1e-7c1f-4b53-9b0d-1f8f5a3f6c52")
"""Of the ids that guests have among the viewers of products."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Where in the picture: x and y from 0 to 1; None seconds mean now."""

    x: float
    y: float
    timestamp_s: int | None = None


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who does something with a product: a user, else the guest of that name, else nobody."""

    identity: Identity | None
    guest: str | None = None

    @property
    def viewer_id(self) -> UUID | None:
        """Always the same for the same viewer."""
        if self.identity is not None:
            return self.identity.user_id
        return None if self.guest is None else uuid5(_GUESTS, self.guest)


@dataclass(frozen=True, slots=True)
class Revenue:
    """What was sold, per currency; `currency` is the stream's main one, None without products."""

    currency: str | None
    totals: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class StreamReport:
    """A stream with all its figures; `duration_s` so far while it is live."""

    stream: Stream
    duration_s: int
    figures: StreamFigures
    revenue: Revenue

    @property
    def peak_viewers(self) -> int:
        """From the viewers' stays, where they are known."""
        watched = self.figures.watched
        return self.stream.counters.peak_viewers if watched is None else watched.peak_viewers

    @property
    def average_watch_time_s(self) -> float:
        """Likewise, per viewer."""
        counters, watched = self.stream.counters, self.figures.watched
        if watched is None:
            return counters.average_watch_time_s
        return watched.watched_s / max(1, counters.unique_viewers)


class EngagementService:
    """Commands and reports around a stream."""

    def __init__(
        self,
        streams: StreamStore,
        engagement: EngagementStore,
        audience: StreamService,
        announcer: StreamAnnouncer,
        timeline: MediaTimeline,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._engagement = engagement
        self._audience = audience
        self._announcer = announcer
        self._timeline = timeline
        self._clock = clock

    async def tag(
        self, caller: Identity, stream_id: UUID, product_id: UUID, pin: Pin
    ) -> ProductTag:
        """Pin a product in a live stream; NotYourStream, ProductNotInStream, StreamNotLive."""
        stream = await self._streams.get(stream_id)
        require_owner(stream, caller)
        now = self._clock.now()
        timestamp_s = pin.timestamp_s if pin.timestamp_s is not None else elapsed_s(stream, now)
        moment = tag_moment(self._timeline, stream, now, pin.timestamp_s)
        tag = ProductTag(
            stream_id,
            product_id,
            pin.x,
            pin.y,
            timestamp_s,
            now,
            moment.at,
            moment.stream_time_s,
        )
        await self._engagement.tag(tag)
        await self._timeline.cues_changed(stream_id)
        await self._announcer.product_tagged(tag)
        return tag

    async def record_event(
        self,
        shopper: Shopper,
        stream_id: UUID,
        product_id: UUID,
        event_type: ProductEventType,
        quantity: int,
        idempotency_key: str | None,
    ) -> bool:
        """Count what a viewer did; False when it was counted before.

        NotAuthenticated, StreamNotFound, NotInAudience, ProductNotInStream, IdempotencyKeyReused.
        """
        viewer_id = shopper.viewer_id
        if viewer_id is None:
            raise NotAuthenticated
        stream = await self._streams.get(stream_id)
        await self._audience.require_audience(stream, shopper.identity)
        return await self._engagement.record_event(
            ProductEvent(
                stream_id=stream_id,
                product_id=product_id,
                viewer_id=viewer_id,
                type=event_type,
                quantity=quantity,
                # Without a key every call is an event of its own.
                idempotency_key=idempotency_key or f"none:{uuid4()}",
                is_guest=shopper.identity is None,
            )
        )

    async def viewers(
        self, caller: Identity, stream_id: UUID, page: PageRequest
    ) -> tuple[Page[Viewer], int]:
        """Who is or was in the room, and how many in all; NotYourStream."""
        require_owner_or_admin(await self._streams.get(stream_id), caller)
        return await self._engagement.viewers(stream_id, page)

    async def report(self, caller: Identity, stream_id: UUID) -> StreamReport:
        """Everything counted about the stream; NotYourStream."""
        stream = await self._streams.get(stream_id)
        require_owner_or_admin(stream, caller)
        figures = await self._engagement.figures(stream_id)
        duration_s = stream.duration_s
        if duration_s is None:
            duration_s = elapsed_s(stream, self._clock.now())
        return StreamReport(stream, duration_s, figures, _revenue(figures))


def _revenue(figures: StreamFigures) -> Revenue:
    """Sums per currency; the main currency is the first product's, in order of attaching, that
    has sold, else simply the first product's.
    """
    totals: dict[str, Decimal] = {}
    for product in figures.products:
        for currency, amount in product.revenue.items():
            totals[currency] = totals.get(currency, Decimal(0)) + amount
    listed = next((product.currency for product in figures.products), None)
    return Revenue(currency=next(iter(totals), listed), totals=totals)
