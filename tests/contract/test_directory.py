"""People, products and who sees what, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import select

from controller.domain.access import Standing, is_in_audience
from controller.domain.geography import Position
from controller.domain.paging import PageRequest
from controller.domain.people import Device, Identity, PushKind, Role, UserChanges
from controller.domain.streams import Audience, StreamFilter
from controller.errors import (
    CannotFollowSelf,
    NotYourProduct,
    ProductNotFound,
    UserNotFound,
)
from controller.stores.schema import notifications

# Degrees of latitude to kilometres: 0.009 is about 1 km.
BERLIN = (52.52, 13.405)
ONE_KM_NORTH = (52.529, 13.405)
THREE_KM_NORTH = (52.547, 13.405)
PAGE = PageRequest(100)


async def test_a_user_is_entered_once_and_keeps_what_they_changed(world):
    users = world.stores.users
    identity = Identity(uuid4(), "alice", Role.BUYER, "https://x/a.png")
    await asyncio.gather(*(users.ensure(identity) for _ in range(5)))
    await users.change(identity.user_id, UserChanges(frozenset({"username"}), username="Alice"))
    await users.ensure(replace(identity, username="alice2", role=Role.SELLER))
    kept = await users.get(identity.user_id)
    assert (kept.username, kept.role, kept.avatar_url) == ("Alice", Role.SELLER, "https://x/a.png")
    assert [user.id for user in await users.with_username("Alice")] == [identity.user_id]
    assert await users.with_username("alice") == []


async def test_only_sent_fields_of_a_user_change(world):
    users = world.stores.users
    person = await world.user(at=BERLIN)
    await users.change(
        person.user_id, UserChanges(frozenset({"avatar_url"}), avatar_url="https://x/")
    )
    kept = await users.get(person.user_id)
    assert kept.position == Position(*BERLIN)
    cleared = await users.change(person.user_id, UserChanges(frozenset({"avatar_url", "position"})))
    assert (cleared.avatar_url, cleared.position, cleared.username) == (None, None, person.username)
    for call in (users.get(uuid4()), users.change(uuid4(), UserChanges(frozenset()))):
        with pytest.raises(UserNotFound):
            await call


async def test_following_is_idempotent_and_not_of_oneself(world):
    users = world.stores.users
    host, fan = await world.user(), await world.user()
    for _time in range(2):
        await users.follow(fan.user_id, host.user_id)
    assert (await users.standing(fan.user_id, host.user_id)).follows is True
    assert (await users.standing(host.user_id, fan.user_id)).follows is False
    for _time in range(2):
        await users.unfollow(fan.user_id, host.user_id)
    assert await users.standing(fan.user_id, host.user_id) == Standing()
    with pytest.raises(CannotFollowSelf):
        await users.follow(fan.user_id, fan.user_id)
    for call in (users.follow, users.unfollow):
        with pytest.raises(UserNotFound):
            await call(fan.user_id, uuid4())


async def test_devices_are_kept_per_user(world):
    users = world.stores.users
    one, other = await world.user(), await world.user()
    phone = Device(uuid4(), one.user_id, PushKind.FCM, "token-1")
    await users.put_device(phone)
    await users.put_device(replace(phone, address="token-2"))
    await users.put_device(replace(phone, user_id=other.user_id, address="token-3"))
    assert [device.address for device in await users.devices_of(one.user_id)] == ["token-2"]
    for _time in range(2):
        await users.delete_device(one.user_id, phone.id)
    assert await users.devices_of(one.user_id) == []
    assert [device.address for device in await users.devices_of(other.user_id)] == ["token-3"]


async def test_a_product_is_put_replaced_and_brought_back(world):
    products = world.stores.products
    seller, other = await world.user(), await world.user()
    product = await products.get(await world.product(seller, price=Decimal("0.0001")))
    assert product.price == Decimal("0.0001")
    assert product.image_urls == ("https://x/1.png",)
    changed, is_new = await products.put(replace(product, price=Decimal("9999999999.9999")))
    assert (changed.price, is_new) == (Decimal("9999999999.9999"), False)
    for call in (
        products.put(replace(product, seller_id=other.user_id)),
        products.delete(product.id, other.user_id),
    ):
        with pytest.raises(NotYourProduct):
            await call
    await products.delete(product.id, seller.user_id)
    for call in (products.get(product.id), products.delete(product.id, seller.user_id)):
        with pytest.raises(ProductNotFound):
            await call
    assert (await products.of_seller(seller.user_id, PAGE)).items == []
    assert (await products.put(product))[1] is True
    assert (await products.get(product.id)) == product


async def test_products_are_listed_page_by_page(world):
    seller = await world.user()
    made = [await world.product(seller) for _ in range(5)]
    await world.product(await world.user())
    first = await world.stores.products.of_seller(seller.user_id, PageRequest(3))
    rest = await world.stores.products.of_seller(seller.user_id, PageRequest(3, first.next))
    assert [product.id for product in [*first.items, *rest.items]] == made[::-1]
    assert rest.next is None


async def test_a_page_splits_streams_of_the_same_instant(world):
    """Rows that share their time are told apart by id."""
    host = await world.user()
    now = world.clock.now()
    for _number in range(5):
        stream, key = world.draft(host)
        await world.stores.streams.create(replace(stream, created_at=now), [], key)
    seen, page = [], PageRequest(2)
    while page is not None:
        found = await world.stores.catalogue.find(StreamFilter(), host, page)
        seen += [item.stream.id for item in found.items]
        page = PageRequest(2, found.next) if found.next else None
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize("audience", Audience)
async def test_a_listing_and_a_single_look_agree_about_the_audience(world, audience):
    host = await world.user(at=BERLIN)
    viewers = {
        "stranger": await world.user(),
        "fan": await world.user(),
        "neighbor": await world.user(at=ONE_KM_NORTH),
        "farther": await world.user(at=THREE_KM_NORTH),
        "host": host,
        "admin": await world.user(Role.ADMIN),
        "anonymous": None,
    }
    await world.stores.users.follow(viewers["fan"].user_id, host.user_id)
    stream_id = await world.stream(host, audience=audience)
    stream = await world.stores.streams.get(stream_id)
    listed, single = set(), set()
    for name, viewer in viewers.items():
        found = await world.stores.catalogue.find(StreamFilter(), viewer, PAGE)
        if [item.stream.id for item in found.items] == [stream_id]:
            listed.add(name)
        standing = Standing()
        if viewer is not None:
            standing = await world.stores.users.standing(viewer.user_id, host.user_id)
        if is_in_audience(stream, viewer, standing):
            single.add(name)
    expected = {
        Audience.EVERYONE: set(viewers),
        Audience.FOLLOWERS: {"fan", "host", "admin"},
        Audience.NEIGHBORHOOD: {"neighbor", "host", "admin"},
    }[audience]
    assert listed == single == expected


@pytest.mark.parametrize(
    ("host_at", "viewer_at", "near"),
    [
        ((0.0, 179.995), (0.0, -179.995), True),  # 1.1 km across the date line
        ((0.0, 179.985), (0.0, -179.985), False),
        ((80.0, 0.0), (80.0, 0.09), True),  # degrees are short up there: 1.7 km
        ((80.0, 0.0), (80.0, 0.12), False),
        ((52.52, 13.405), (52.5379, 13.405), True),  # 1.99 km
        ((52.52, 13.405), (52.5381, 13.405), False),  # 2.01 km
    ],
)
async def test_the_neighborhood_is_two_kilometres_everywhere(world, host_at, viewer_at, near):
    host, viewer = await world.user(at=host_at), await world.user(at=viewer_at)
    await world.stream(host, audience=Audience.NEIGHBORHOOD)
    found = await world.stores.catalogue.find(StreamFilter(), viewer, PAGE)
    assert bool(found.items) is near
    assert (await world.stores.users.standing(viewer.user_id, host.user_id)).is_neighbor is near


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"fan", "fan next door"}),
        ({"notify_followers": False}, set()),
        ({"notify_neighborhood": True}, {"fan", "fan next door", "neighbor"}),
        (
            {"notify_followers": False, "notify_neighborhood": True},
            {"fan next door", "neighbor"},
        ),
        (
            {"notify_neighborhood": True, "audience": Audience.FOLLOWERS},
            {"fan", "fan next door"},
        ),
        ({"audience": Audience.NEIGHBORHOOD}, {"fan next door"}),
    ],
)
async def test_going_live_queues_a_word_for_those_who_want_it_and_may_watch(
    world, options, expected
):
    host = await world.user(at=BERLIN)
    people = {
        "fan": await world.user(),
        "fan next door": await world.user(at=ONE_KM_NORTH),
        "neighbor": await world.user(at=ONE_KM_NORTH),
        "farther": await world.user(at=THREE_KM_NORTH),
    }
    for name in ("fan", "fan next door"):
        await world.stores.users.follow(people[name].user_id, host.user_id)
    stream_id = await world.stream(host, await world.product(host), **options)
    live = await world.stores.streams.go_live(stream_id)
    while await world.stores.notifications.fan_out(1) is not None:
        pass
    async with world.stores.database.read() as connection:
        rows = await connection.execute(
            select(notifications.c.user_id).where(notifications.c.stream_id == stream_id)
        )
        queued = {row.user_id for row in rows}
    assert queued == {people[name].user_id for name in expected}
    assert live.notifications_queued == len(expected)


async def test_a_stream_is_described_with_its_host_as_they_are_now(world):
    host = await world.user()
    product = await world.product(host)
    stream_id = await world.stream(host, product)
    world.clock.ahead += timedelta(seconds=1)
    await world.stores.users.change(
        host.user_id, UserChanges(frozenset({"username"}), username="Renamed")
    )
    described = await world.stores.catalogue.describe(stream_id)
    assert described.owner.username == "Renamed"
    assert [item.id for item in described.products] == [product]
    assert described.stream == await world.stores.streams.get(stream_id)
