"""Pins, product events and figures, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import insert

from controller.domain.paging import PageRequest
from controller.domain.products import ProductEvent, ProductEventType, ProductTag
from controller.domain.states import EndReason
from controller.errors import (
    IdempotencyKeyReused,
    ProductNotInStream,
    StreamNotFound,
    StreamNotLive,
)
from controller.stores.room_schema import room_visits
from controller.stores.schema import (
    stream_reactions,
    stream_viewer_samples,
    stream_viewers,
)

CLICK = ProductEventType.CLICK
PURCHASE = ProductEventType.PURCHASE


@pytest.fixture
async def sale(world):
    """A live stream with a product, as (host, stream id, product id)."""
    host = await world.user()
    product = await world.product(host)
    stream_id = await world.stream(host, product)
    await world.stores.streams.go_live(stream_id)
    return host, stream_id, product


def event(stream_id, product, viewer, kind=CLICK, quantity=1, key=None):
    return ProductEvent(stream_id, product, viewer.user_id, kind, quantity, key or uuid4().hex)


async def test_an_event_counts_once_per_viewer_and_key(world, sale):
    _host, stream_id, product = sale
    engagement = world.stores.engagement
    one, other = await world.user(), await world.user()
    same = event(stream_id, product, one, key="k")
    counted = await asyncio.gather(*(engagement.record_event(same) for _ in range(5)))
    assert sorted(counted) == [False, False, False, False, True]
    assert await engagement.record_event(replace(same, viewer_id=other.user_id)) is True
    assert await engagement.record_event(replace(same, idempotency_key="k2")) is True
    (figures,) = (await engagement.figures(stream_id)).products
    assert figures.clicks == 3


@pytest.mark.parametrize("change", [{"type": PURCHASE}, {"quantity": 2}])
async def test_a_key_is_not_used_for_another_event(world, sale, change):
    _host, stream_id, product = sale
    first = event(stream_id, product, await world.user(), key="k")
    await world.stores.engagement.record_event(first)
    with pytest.raises(IdempotencyKeyReused):
        await world.stores.engagement.record_event(replace(first, **change))


async def test_only_attached_products_have_events_and_pins(world, sale):
    host, stream_id, product = sale
    stray = await world.product(host)
    engagement = world.stores.engagement
    tag = ProductTag(stream_id, stray, 0.5, 0.5, 3, world.clock.now())
    for call in (
        engagement.record_event(event(stream_id, stray, host)),
        engagement.record_event(event(uuid4(), product, host)),
        engagement.tag(tag),
    ):
        with pytest.raises(ProductNotInStream):
            await call
    await engagement.tag(replace(tag, product_id=product))
    with pytest.raises(StreamNotFound):
        await engagement.tag(replace(tag, stream_id=uuid4()))
    await world.stores.streams.end(stream_id, EndReason.HOST)
    with pytest.raises(StreamNotLive):
        await engagement.tag(replace(tag, product_id=product))


async def test_purchases_count_units_at_the_price_of_their_time(world, sale):
    host, stream_id, product = sale
    engagement, buyer = world.stores.engagement, await world.user()
    await engagement.record_event(event(stream_id, product, buyer, PURCHASE, 3))
    known = await world.stores.products.get(product)
    await world.stores.products.put(replace(known, price=Decimal(20)))
    await engagement.record_event(event(stream_id, product, buyer, PURCHASE, 2))
    await world.stores.products.put(replace(known, price=Decimal(1000), currency="JPY"))
    await engagement.record_event(event(stream_id, product, buyer, PURCHASE))
    await engagement.record_event(event(stream_id, product, buyer, ProductEventType.VIEW, 7))
    await engagement.record_event(event(stream_id, product, host, ProductEventType.INQUIRY))
    (figures,) = (await engagement.figures(stream_id)).products
    assert figures.purchases == 6
    assert figures.revenue == {"EUR": Decimal("77.5"), "JPY": Decimal(1000)}
    assert (figures.clicks, figures.views, figures.inquiries) == (0, 1, 1)


async def test_figures_are_read_from_what_the_room_left(world, sale):
    _host, stream_id, _product = sale
    start = world.clock.now()
    async with world.stores.database.write() as connection:
        for table, rows in (
            (stream_reactions, [{"emoji": "🔥", "count": 7}, {"emoji": "❤️", "count": 2}]),
            (
                room_visits,
                [
                    {"viewer": f"v{n}", "first_joined_at": start, "country": country}
                    for n, country in enumerate(["DE", "FR", None, "DE"])
                ],
            ),
            (
                stream_viewer_samples,
                [
                    {"at": start + timedelta(seconds=second), "viewers": second}
                    for second in (20, 10)
                ],
            ),
        ):
            await connection.execute(
                insert(table), [{"stream_id": stream_id, **row} for row in rows]
            )
    figures = await world.stores.engagement.figures(stream_id)
    assert figures.reactions == {"🔥": 7, "❤️": 2}
    assert figures.geography == {"DE": 2, "FR": 1}
    assert [sample.viewers for sample in figures.timeline] == [10, 20]
    assert figures.timeline[0].at == start + timedelta(seconds=10)


async def test_viewers_are_listed_latest_first_with_their_number(world, sale):
    _host, stream_id, _product = sale
    people = [await world.user() for _ in range(3)]
    async with world.stores.database.write() as connection:
        for number, viewer in enumerate(people):
            await connection.execute(
                insert(stream_viewers).values(
                    stream_id=stream_id,
                    user_id=viewer.user_id,
                    joined_at=world.clock.now() + timedelta(seconds=number),
                )
            )
    viewers = world.stores.engagement.viewers
    first, total = await viewers(stream_id, PageRequest(2))
    rest, _ = await viewers(stream_id, PageRequest(2, first.next))
    names = [viewer.username for viewer in [*first.items, *rest.items]]
    assert names == [viewer.username for viewer in people[::-1]]
    assert (total, rest.next) == (3, None)
