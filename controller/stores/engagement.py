"""Pins, what viewers do with products, and what a stream adds up to."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Row, func, insert, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.analytics import (
    ProductFigures,
    StreamFigures,
    Viewer,
    ViewerSample,
    WatchFigures,
)
from controller.domain.paging import Cursor, Page, PageRequest
from controller.domain.ports import Clock
from controller.domain.products import Product, ProductEvent, ProductEventType, ProductTag
from controller.domain.states import StreamStatus
from controller.domain.webhooks import WebhookEvent, purchase_event
from controller.errors import IdempotencyKeyReused, StreamNotLive
from controller.stores.column_types import MONEY_SCALE
from controller.stores.database import Database
from controller.stores.outbox import listeners_in_turn, write_event
from controller.stores.quality import read_quality
from controller.stores.room_schema import room_visits
from controller.stores.rows import product_from
from controller.stores.schema import (
    product_events,
    product_tags,
    stream_reactions,
    stream_viewer_samples,
    stream_viewers,
    streams,
    users,
)
from controller.stores.statements import before, insert_into, lock_stream
from controller.stores.stream_products import attached_product, products_of
from controller.stores.watching import read_timeline, read_watched

_BEHIND = timedelta(seconds=3)
"""By how much the daemons' books may be behind: later moments of a live stream are not told yet."""


class SqlEngagement:
    """The `EngagementStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def tag(self, tag: ProductTag) -> None:
        """See `EngagementStore.tag`."""
        async with self._database.write() as connection:
            stream = await lock_stream(connection, tag.stream_id)
            await attached_product(connection, tag.stream_id, tag.product_id)
            if stream.status is not StreamStatus.LIVE:
                raise StreamNotLive
            await connection.execute(
                insert(product_tags).values(
                    id=uuid4(),
                    stream_id=tag.stream_id,
                    product_id=tag.product_id,
                    x=tag.x,
                    y=tag.y,
                    timestamp_s=tag.timestamp_s,
                    media_at=tag.media_at,
                    stream_time_s=tag.stream_time_s,
                    created_at=tag.created_at,
                )
            )

    async def record_event(self, event: ProductEvent) -> bool:
        """See `EngagementStore.record_event`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            hear = await self._who_hears(connection, event)
            product = await attached_product(connection, event.stream_id, event.product_id)
            counted = await connection.execute(
                insert_into(connection, product_events)
                .values(
                    stream_id=event.stream_id,
                    viewer_id=event.viewer_id,
                    idempotency_key=event.idempotency_key,
                    product_id=event.product_id,
                    type=event.type,
                    quantity=event.quantity,
                    unit_price=product.price,
                    currency=product.currency,
                    created_at=now,
                )
                .on_conflict_do_nothing()
                .returning(product_events.c.viewer_id)
            )
            if counted.one_or_none() is not None:
                await write_event(
                    connection, purchase_event(event, product_from(product), now), hear, now
                )
                return True
            await _require_repetition(connection, event)
            return False

    async def _who_hears(self, connection: AsyncConnection, event: ProductEvent) -> Sequence[UUID]:
        """The webhooks of a purchase; nobody hears of the rest."""
        if event.type is not ProductEventType.PURCHASE:
            return []
        kind = WebhookEvent.PRODUCT_PURCHASED
        return await listeners_in_turn(connection, event.stream_id, kind)

    async def viewers(self, stream_id: UUID, page: PageRequest) -> tuple[Page[Viewer], int]:
        """See `EngagementStore.viewers`."""
        here = stream_viewers.c.stream_id == stream_id
        query = (
            select(users.c.id, users.c.username, users.c.avatar_url, stream_viewers.c.joined_at)
            .join(stream_viewers, stream_viewers.c.user_id == users.c.id)
            .where(here)
            .order_by(stream_viewers.c.joined_at.desc(), stream_viewers.c.user_id.desc())
            .limit(page.limit + 1)
        )
        if page.after is not None:
            query = query.where(
                before(stream_viewers.c.joined_at, stream_viewers.c.user_id, page.after)
            )
        total = select(func.count()).select_from(stream_viewers).where(here)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            count = (await connection.execute(total)).scalar_one()
        shown = [
            Viewer(row.id, row.username, row.avatar_url, row.joined_at)
            for row in rows[: page.limit]
        ]
        following = None
        if len(rows) > page.limit:
            following = Cursor(at=shown[-1].joined_at, id=shown[-1].user_id)
        return Page(shown, following), count

    async def figures(self, stream_id: UUID) -> StreamFigures:
        """See `EngagementStore.figures`."""
        reactions = select(stream_reactions.c.emoji, stream_reactions.c.count).where(
            stream_reactions.c.stream_id == stream_id
        )
        country = room_visits.c.country
        geography = (
            select(country, func.count())
            .where(room_visits.c.stream_id == stream_id, country.is_not(None))
            .group_by(country)
        )
        async with self._database.read() as connection:
            products = await products_of(connection, stream_id)
            events = (await connection.execute(_event_sums(stream_id))).all()
            watched, timeline = await self._watched(connection, stream_id)
            return StreamFigures(
                reactions=_counts(await connection.execute(reactions)),
                geography=_counts(await connection.execute(geography)),
                timeline=timeline,
                watched=watched,
                quality=await read_quality(connection, stream_id),
                products=[_figures_of(product, events) for product in products],
            )

    async def _watched(
        self, connection: AsyncConnection, stream_id: UUID
    ) -> tuple[WatchFigures | None, Sequence[ViewerSample]]:
        times = select(streams.c.started_at, streams.c.ended_at).where(streams.c.id == stream_id)
        row = (await connection.execute(times)).one_or_none()
        if row is None or row.started_at is None:
            return None, ()
        watched = await read_watched(connection, stream_id, row.started_at, row.ended_at)
        if watched is None:
            # Of before stays were kept.
            return None, await _samples(connection, stream_id)
        until = row.ended_at or max(self._clock.now() - _BEHIND, row.started_at)
        return watched, await read_timeline(connection, stream_id, row.started_at, until)


async def _samples(connection: AsyncConnection, stream_id: UUID) -> Sequence[ViewerSample]:
    query = (
        select(stream_viewer_samples.c.at, stream_viewer_samples.c.viewers)
        .where(stream_viewer_samples.c.stream_id == stream_id)
        .order_by(stream_viewer_samples.c.at)
    )
    return [ViewerSample(row.at, row.viewers) for row in await connection.execute(query)]


def _counts(rows: Iterable[Any]) -> dict[str, int]:
    """Rows of (name, count)."""
    return {row[0]: row[1] for row in rows}


def _event_sums(stream_id: UUID) -> Any:
    amount = type_coerce(product_events.c.unit_price, BigInteger) * product_events.c.quantity
    return (
        select(
            product_events.c.product_id,
            product_events.c.type,
            product_events.c.currency,
            func.count().label("events"),
            func.sum(product_events.c.quantity).label("units"),
            func.sum(amount).label("amount"),
        )
        .where(product_events.c.stream_id == stream_id)
        .group_by(product_events.c.product_id, product_events.c.type, product_events.c.currency)
    )


def _figures_of(product: Product, events: Iterable[Row[Any]]) -> ProductFigures:
    """Clicks, views and inquiries are counted as events, purchases as units sold."""
    counts = dict.fromkeys(ProductEventType, 0)
    revenue: dict[str, Decimal] = {}
    for row in events:
        if row.product_id != product.id:
            continue
        if row.type is ProductEventType.PURCHASE:
            counts[row.type] += int(row.units)
            revenue[row.currency] = Decimal(int(row.amount)) / MONEY_SCALE
        else:
            counts[row.type] += row.events
    return ProductFigures(
        product_id=product.id,
        title=product.title,
        currency=product.currency,
        clicks=counts[ProductEventType.CLICK],
        views=counts[ProductEventType.VIEW],
        inquiries=counts[ProductEventType.INQUIRY],
        purchases=counts[ProductEventType.PURCHASE],
        revenue=revenue,
    )


async def _require_repetition(connection: AsyncConnection, event: ProductEvent) -> None:
    """Raise IdempotencyKeyReused unless the counted event is the same one."""
    query = select(product_events).where(
        product_events.c.stream_id == event.stream_id,
        product_events.c.viewer_id == event.viewer_id,
        product_events.c.idempotency_key == event.idempotency_key,
    )
    counted = (await connection.execute(query)).one()
    known = (counted.product_id, counted.type, counted.quantity)
    if known != (event.product_id, event.type, event.quantity):
        raise IdempotencyKeyReused
