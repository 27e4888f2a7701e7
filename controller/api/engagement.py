"""The calls around a stream: pins, product events, viewers, analytics, playback tokens."""

from decimal import Decimal
from typing import Protocol
from uuid import UUID

from controller.api.engagement_answers import (
    BasicStats,
    Engagement,
    ProductEventCounted,
    ProductFiguresAnswer,
    ProductRevenue,
    ProductTagged,
    QualityAnswer,
    RevenueAnswer,
    StreamAnalytics,
    TimelinePoint,
    ViewerAnswer,
    ViewerPage,
)
from controller.api.presentation import show_grant
from controller.api.public_urls import PublicUrls
from controller.api.registry import Answer, Call
from controller.api.requests import (
    Nothing,
    PageQuery,
    ProductEventQuery,
    ProductEventRequest,
    ProductTagRequest,
)
from controller.domain.access import PlaybackGrant
from controller.domain.engagement_service import EngagementService, Pin, Shopper, StreamReport
from controller.domain.paging import PageRequest
from controller.domain.quality import PlaybackQuality
from controller.domain.stream_service import StreamService
from controller.errors import ProductMismatch
from controller.hub.guests import GuestSessions

_LEAST_DECIMALS = 2


class PlaybackGranter(Protocol):
    """Issues playback tokens; whoever calls it has checked the audience."""

    def issue(self, stream_id: UUID) -> PlaybackGrant:
        """A token for the stream."""
        ...


class EngagementHandlers:
    """From validated calls to the services and back."""

    def __init__(
        self,
        engagement: EngagementService,
        streams: StreamService,
        playback: PlaybackGranter,
        urls: PublicUrls,
        guests: GuestSessions,
    ) -> None:
        self._engagement = engagement
        self._streams = streams
        self._playback = playback
        self._urls = urls
        self._guests = guests

    async def playback_token(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /streams/{stream_id}/playback-token."""
        shown = await self._streams.show(call.caller, call.path["stream_id"])
        stream = shown.described.stream
        return Answer(show_grant(stream, self._playback.issue(stream.id), self._urls))

    async def tag(self, call: Call[ProductTagRequest, Nothing]) -> Answer:
        """POST /streams/{stream_id}/products/{product_id}/tag."""
        body, product_id = call.body, call.path["product_id"]
        if body.product_id not in (None, product_id):
            raise ProductMismatch
        pin = Pin(body.x, body.y, body.timestamp_seconds)
        tag = await self._engagement.tag(call.caller, call.path["stream_id"], product_id, pin)
        tagged = ProductTagged(product_id=product_id, x=tag.x, y=tag.y, timestamp=tag.timestamp_s)
        return Answer(tagged, message="Product tagged")

    async def record_event(self, call: Call[ProductEventRequest, ProductEventQuery]) -> Answer:
        """POST /streams/{stream_id}/products/{product_id}/events."""
        stream_id, product_id = call.path["stream_id"], call.path["product_id"]
        body = call.body
        guest = self._guests.known(call.query.session or call.guest_session)
        counted = await self._engagement.record_event(
            Shopper(call.identity, None if guest is None else guest.viewer),
            stream_id,
            product_id,
            body.type,
            body.quantity,
            call.idempotency_key,
        )
        answer = ProductEventCounted(
            stream_id=stream_id,
            product_id=product_id,
            type=body.type,
            quantity=body.quantity,
            counted=counted,
        )
        return Answer(answer, 202)

    async def viewers(self, call: Call[Nothing, PageQuery]) -> Answer:
        """GET /streams/{stream_id}/viewers."""
        page, total = await self._engagement.viewers(
            call.caller, call.path["stream_id"], PageRequest(call.query.limit, call.query.cursor)
        )
        items = [
            ViewerAnswer(
                user_id=viewer.user_id,
                username=viewer.username,
                avatar_url=viewer.avatar_url,
                joined_at=viewer.joined_at,
            )
            for viewer in page.items
        ]
        next_cursor = page.next and page.next.encode()
        return Answer(ViewerPage(items=items, total=total, next_cursor=next_cursor))

    async def analytics(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/analytics."""
        report = await self._engagement.report(call.caller, call.path["stream_id"])
        return Answer(show_report(report))


def show_report(report: StreamReport) -> StreamAnalytics:
    """The figures of a stream."""
    stream, figures = report.stream, report.figures
    start = stream.started_at
    return StreamAnalytics(
        stream_id=stream.id,
        basic_stats=BasicStats(
            duration=report.duration_s,
            peak_viewers=report.peak_viewers,
            unique_viewers=stream.counters.unique_viewers,
            average_watch_time=report.average_watch_time_s,
        ),
        engagement=Engagement(
            total_likes=stream.counters.total_likes,
            chat_messages=stream.counters.chat_messages,
            reactions=dict(figures.reactions),
        ),
        products=[
            ProductFiguresAnswer(
                product_id=product.product_id,
                title=product.title,
                clicks=product.clicks,
                views=product.views,
                inquiries=product.inquiries,
                purchases=product.purchases,
            )
            for product in figures.products
        ],
        revenue=_show_revenue(report),
        geography=dict(figures.geography),
        timeline=[
            TimelinePoint(t=int((sample.at - start).total_seconds()), viewers=sample.viewers)
            for sample in figures.timeline
            if start is not None
        ],
        quality=_show_quality(figures.quality),
    )


def _show_quality(quality: PlaybackQuality) -> QualityAnswer:
    return QualityAnswer(
        sessions=quality.sessions,
        startup_time=quality.startup_s,
        startup_time_p95=quality.startup_p95_s,
        rebuffers=quality.rebuffers,
        rebuffered_sessions=quality.rebuffered_sessions,
        rebuffer_time=quality.rebuffered_s,
        average_bitrate=quality.bitrate_kbps,
    )


def _show_revenue(report: StreamReport) -> RevenueAnswer:
    currency, totals = report.revenue.currency, report.revenue.totals
    main = Decimal(0) if currency is None else totals.get(currency, Decimal(0))
    return RevenueAnswer(
        currency=currency,
        total=show_money(main),
        totals={name: show_money(amount) for name, amount in totals.items()},
        per_product=[
            ProductRevenue(product_id=product.product_id, currency=name, total=show_money(amount))
            for product in report.figures.products
            for name, amount in (product.revenue or {product.currency: Decimal(0)}).items()
        ],
    )


def show_money(amount: Decimal) -> str:
    """Plain decimal notation with two decimals, or as many more as it needs."""
    digits = f"{amount.normalize():f}"
    whole, _, decimals = digits.partition(".")
    return f"{whole}.{decimals.ljust(_LEAST_DECIMALS, '0')}"
