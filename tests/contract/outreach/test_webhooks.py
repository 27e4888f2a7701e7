"""Webhooks over each database and the network: in order, once, signed, and never inside."""

import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from controller.domain.paging import PageRequest
from controller.domain.people import Role
from controller.domain.products import ProductEvent, ProductEventType
from controller.domain.recordings import RecordingState
from controller.domain.room import RoomFigures
from controller.domain.states import EndReason, IngestState
from controller.domain.webhook_service import NewWebhook, WebhookService
from controller.domain.webhooks import (
    AttemptOutcome,
    BackOff,
    DeliveryState,
    EndpointChanges,
    WebhookAttempt,
    WebhookEvent,
)
from controller.errors import (
    DeliveryNotFound,
    DeliveryPending,
    InvalidRequest,
    NotYourWebhook,
    OnlyAdministrators,
    OnlySellersSell,
    StreamNotLive,
    TooManyWebhooks,
    WebhookNotFound,
)
from controller.notify.guarded_http import AddressGuard
from controller.stores.opening import open_stores
from controller.stores.room import SqlRooms
from controller.stores.webhook_schema import webhook_attempts
from controller.stores.webhooks import MOST_ENDPOINTS
from tests.contract.outreach.conftest import LOOPBACK, SECRETS, until
from tests.support.receivers import Receiver

EVERYTHING = tuple(event for event in WebhookEvent if not event.is_global)
PAGE = PageRequest(100)


def service(world, allowed=LOOPBACK):
    guard = AddressGuard(allowed)
    return WebhookService(world.stores.webhooks, SECRETS, guard.allows, world.clock, uuid4)


async def hook(world, url, owner=None, events=EVERYTHING, receiver=None):
    """An endpoint (of everybody's events without an owner); its receiver learns the secret."""
    owner_id = None if owner is None else owner.user_id
    issued = await service(world).add(owner_id, NewWebhook(url, events))
    if receiver is not None:
        receiver.secrets.append(issued.secret)
    return issued.endpoint.id


async def lose_and_regain(world, stream_id, times=1):
    streams = world.stores.streams
    for _ in range(times):
        await streams.set_ingest_state(stream_id, IngestState.CONNECTED, IngestState.INTERRUPTED)
        await streams.set_ingest_state(stream_id, IngestState.INTERRUPTED, IngestState.CONNECTED)


async def connect(world, stream_id):
    await world.stores.streams.set_ingest_state(stream_id, IngestState.IDLE, IngestState.CONNECTED)


async def log_of(world, endpoint_id, state=None):
    return (await world.stores.webhooks.deliveries(endpoint_id, state, PAGE)).items


async def test_every_event_is_told_with_what_has_happened(world, pumping):
    host, viewer = await world.user(), await world.user()
    receiver = Receiver()
    async with receiver.listening() as url, pumping():
        await hook(world, url, host, receiver=receiver)
        product_id = await world.product(host)
        stream_id = await world.stream(host, product_id)
        await world.stores.streams.go_live(stream_id)
        await connect(world, stream_id)
        await lose_and_regain(world, stream_id)
        bought = ProductEvent(
            stream_id, product_id, viewer.user_id, ProductEventType.PURCHASE, 3, "k1"
        )
        for _ in range(2):  # repeated by the viewer: one purchase
            await world.stores.engagement.record_event(bought)
        by_guest = replace(bought, viewer_id=uuid4(), is_guest=True)
        await world.stores.engagement.record_event(by_guest)
        rooms = SqlRooms(world.stores.database, world.clock)
        for viewers in (9, 26, 26, 30):
            await rooms.record(stream_id, RoomFigures(viewers_now=viewers, peak_viewers=viewers))
        await world.stores.streams.end(stream_id, EndReason.HOST)
        await world.stores.streams.set_vod(stream_id, "https://vod.test/1.m3u8")
        recordings = world.stores.recordings
        begun = await recordings.begin(stream_id, RecordingState.RECORDING)
        ready = type(begun)(**{**fields(begun), "state": RecordingState.READY, "size_bytes": 7})
        assert await recordings.change(ready, RecordingState.RECORDING)
        assert not await recordings.change(ready, RecordingState.RECORDING)
        await until(lambda: len(receiver.taken) == 9, "all events have come")
    assert receiver.of_stream(stream_id) == [
        "stream.live",
        "stream.interrupted",
        "stream.resumed",
        "product.purchased",
        "product.purchased",
        "viewer.milestone",
        "viewer.milestone",
        "stream.ended",
        "recording.ready",
    ]
    told = {one["type"]: one["data"] for one in receiver.taken}
    assert [one["data"].get("milestone") for one in receiver.taken[5:7]] == [10, 25]
    assert told["product.purchased"]["total"] == "37.5"
    buyers = [one["data"]["userId"] for one in receiver.taken[3:5]]
    assert buyers == [str(viewer.user_id), None]
    assert told["stream.ended"]["reason"] == "host"
    assert told["recording.ready"]["vodUrl"] == "https://vod.test/1.m3u8"
    assert "sk_" not in json.dumps(receiver.taken)


def fields(value):
    return {name: getattr(value, name) for name in value.__slots__}


async def test_each_hears_of_what_is_theirs(world, pumping):
    host, other = await world.user(), await world.user()
    mine, theirs, everybodys, choosy = (Receiver() for _ in range(4))
    async with AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(one.listening())
            for one in (mine, theirs, everybodys, choosy)
        ]
        await hook(world, urls[0], host, receiver=mine)
        await hook(world, urls[1], other, receiver=theirs)
        await hook(world, urls[2], receiver=everybodys)
        await hook(world, urls[3], host, (WebhookEvent.STREAM_ENDED,), receiver=choosy)
        await stack.enter_async_context(pumping())
        streams = [await world.live(host), await world.live(other)]
        for stream_id in streams:
            await world.stores.streams.end(stream_id, EndReason.HOST)
        await until(lambda: len(everybodys.taken) == 4, "all events have come")
        await until(lambda: len(mine.taken) == len(theirs.taken) == 2, "both have heard")
        await until(lambda: choosy.taken, "the choosy one has heard")
    assert mine.of_stream(streams[0]) == theirs.of_stream(streams[1]) != []
    assert [one["type"] for one in choosy.taken] == ["stream.ended"]


async def test_what_is_rolled_back_is_told_to_nobody(world):
    host = await world.user()
    endpoint_id = await hook(world, "https://shop.test/hook", host)
    stream_id = await world.live(host)
    await world.stores.streams.end(stream_id, EndReason.HOST)
    with pytest.raises(StreamNotLive):
        await world.stores.streams.end(stream_id, EndReason.HOST)
    unsold = await world.stream(host)
    with pytest.raises(Exception, match="at least 1 product"):
        await world.stores.streams.go_live(unsold)
    types = [one.type for one in await log_of(world, endpoint_id)]
    assert sorted(types) == ["stream.ended", "stream.live"]


async def test_troubled_receivers_get_everything_once_and_in_order(world, pumping, database_url):
    """Down, answering 500, redirecting inside, slow; two workers with connections of their own."""
    host = await world.user()
    receiver, inside = Receiver(slow_s=60.0), Receiver()
    second = open_stores(database_url, world.clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(second.database.close)
        private_url = await stack.enter_async_context(inside.listening())
        async with receiver.listening() as url:
            port = int(url.split(":")[2].split("/")[0])
        endpoint_id = await hook(world, url, host, receiver=receiver)
        await stack.enter_async_context(pumping("one", timeout_s=1.5))
        await stack.enter_async_context(pumping("two", stores=second, timeout_s=1.5))
        streams = [await world.live(host) for _ in range(4)]
        for stream_id in streams:
            await connect(world, stream_id)
            await lose_and_regain(world, stream_id, 2)

        async def has_failed():
            tried = [one.attempts for one in await log_of(world, endpoint_id) if one.last]
            return len(tried) == len(streams)

        await until(has_failed, "every stream's first event has met a closed door")
        receiver.troubles = [500] * 6 + [private_url] * 6 + ["slow"] * 3 + [503, 404]
        await stack.enter_async_context(receiver.listening(port))
        for stream_id in streams:
            await world.stores.streams.end(stream_id, EndReason.HOST)
        await until(lambda: len(set(receiver.ids)) == 6 * len(streams), "everything has come")

        async def is_settled():
            return not await log_of(world, endpoint_id, DeliveryState.PENDING)

        await until(is_settled, "everything is settled")
    once = ["stream.live"] + ["stream.interrupted", "stream.resumed"] * 2 + ["stream.ended"]
    # Where this machine let a request wait for longer than the worker does, it came again.
    async with world.stores.database.read() as connection:
        tried = (await connection.execute(select(webhook_attempts.c.error))).scalars().all()
    again = len(receiver.ids) - len(set(receiver.ids))
    assert again <= tried.count("timeout") - receiver.met["slow"]
    assert [receiver.of_stream(stream_id) for stream_id in streams] == [once] * 4
    assert (receiver.met[500], receiver.met[private_url], receiver.met["slow"]) == (6, 6, 3)
    assert receiver.most_at_once <= 8
    assert inside.met.total() == 0
    log = await log_of(world, endpoint_id)
    assert {one.state for one in log} == {DeliveryState.DELIVERED}
    assert len(log) == 24


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_nothing_is_sent_into_a_private_network(world, pumping, name):
    host = await world.user()
    inside = Receiver()
    give_up = BackOff(first_s=0.01, factor=1.0, longest_s=0.01, attempts=2)
    async with inside.listening() as url, pumping(allowed=[], back_off=give_up):
        endpoint_id = await hook(world, url.replace("127.0.0.1", name), host)
        await world.live(host)

        async def is_dead():
            return await log_of(world, endpoint_id, DeliveryState.DEAD)

        await until(is_dead, "it is given up")
    (letter,) = await log_of(world, endpoint_id)
    assert (letter.last.error, letter.last.status, letter.attempts) == ("address_refused", None, 2)
    assert inside.met.total() == 0


async def test_a_slow_receiver_delays_no_other(world, pumping):
    host = await world.user()
    slow, quick = Receiver(troubles=["slow"] * 1000, slow_s=60.0), Receiver()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(slow.listening())
        await hook(world, url, host, receiver=slow)
        url = await stack.enter_async_context(quick.listening())
        await hook(world, url, host, receiver=quick)
        # Far fewer at once than there are deliveries for the slow one.
        await stack.enter_async_context(pumping(at_once=6, at_once_each=2, timeout_s=30.0))
        streams = [await world.live(host) for _ in range(12)]
        await until(lambda: len(quick.taken) == len(streams), "the quick one has everything", 20)
        assert slow.most_at_once <= 2


async def test_dead_letters_are_kept_and_sent_again(world, pumping):
    host = await world.user()
    receiver = Receiver(troubles=[500, 500])
    give_up = BackOff(first_s=0.01, factor=1.0, longest_s=0.01, attempts=2)
    webhooks = world.stores.webhooks
    async with receiver.listening() as url, pumping(back_off=give_up):
        endpoint_id = await hook(world, url, host, receiver=receiver)
        stream_id = await world.live(host)
        await world.stores.streams.end(stream_id, EndReason.HOST)
        await until(lambda: receiver.of_stream(stream_id) == ["stream.ended"], "the next goes on")
        (letter,) = await log_of(world, endpoint_id, DeliveryState.DEAD)
        assert (letter.type, letter.attempts) == ("stream.live", 2)
        assert (letter.last.status, letter.last.error) == (500, "refused")
        with pytest.raises(DeliveryNotFound):
            await webhooks.resend(endpoint_id, uuid4())
        with pytest.raises(DeliveryNotFound):
            await webhooks.resend(uuid4(), letter.id)
        assert await webhooks.resend_dead(endpoint_id) == 1
        await until(lambda: len(receiver.taken) == 2, "it has come after all")
        assert receiver.ids[1] == f"msg_{letter.event_id.hex}"

        async def is_over():
            return not await log_of(world, endpoint_id, DeliveryState.PENDING)

        await until(is_over, "it is settled")
        again = await webhooks.resend(endpoint_id, letter.id)  # whoever wants may have it twice
        assert again.state is DeliveryState.PENDING
        await until(lambda: len(receiver.taken) == 3, "it has come again")
    assert receiver.ids[2] == receiver.ids[1]


async def test_a_receiver_that_is_gone_is_told_no_more(world, pumping):
    host = await world.user()
    receiver = Receiver(troubles=[410])
    async with receiver.listening() as url, pumping():
        endpoint_id = await hook(world, url, host)
        await world.live(host)

        async def is_disabled():
            return not (await world.stores.webhooks.get(endpoint_id)).is_enabled

        await until(is_disabled, "it is disabled")
        await world.live(host)
    found = await world.stores.webhooks.get(endpoint_id)
    assert found.disabled_reason == "gone"
    assert len(await log_of(world, endpoint_id)) == 1
    on = EndpointChanges({"is_enabled": True})
    assert (await world.stores.webhooks.change(endpoint_id, on)).disabled_reason is None


async def test_while_a_secret_changes_both_sign(world, pumping):
    host = await world.user()
    receiver = Receiver()
    async with receiver.listening() as url, pumping():
        endpoint_id = await hook(world, url, host, receiver=receiver)
        rotated = await service(world).rotate(host, endpoint_id)
        receiver.secrets.append(rotated.secret)  # both must verify
        await world.live(host)
        await until(lambda: receiver.taken, "it has come")
        world.clock.ahead += timedelta(days=1, seconds=1)
        receiver.secrets.pop(0)
        await world.live(host)
        await until(lambda: len(receiver.taken) == 2, "it has come with the new one alone")
    signatures = [headers["webhook-signature"].split() for headers in receiver.headers]
    assert [len(some) for some in signatures] == [2, 1]


async def test_a_worker_that_dies_leaves_its_deliveries_to_others(world, pumping):
    host = await world.user()
    receiver = Receiver()
    queue = world.stores.webhook_queue
    async with receiver.listening() as url:
        endpoint_id = await hook(world, url, host, receiver=receiver)
        await world.live(host)
        (held,) = await queue.claim("the dead one", 30.0, {}, 4, 10)
        assert await queue.claim("another", 30.0, {}, 4, 10) == []
        with pytest.raises(DeliveryPending):
            await world.stores.webhooks.resend(endpoint_id, held.id)
        assert "whsec" not in repr(held)
        world.clock.ahead += timedelta(seconds=31)
        async with pumping():
            await until(lambda: receiver.taken, "another has sent it")

            async def is_settled():
                return not await log_of(world, endpoint_id, DeliveryState.PENDING)

            await until(is_settled, "it is settled")
    (sent,) = await log_of(world, endpoint_id)
    assert (sent.state, sent.attempts) == (DeliveryState.DELIVERED, 2)


async def test_a_worker_that_stops_gives_back_what_it_has_not_sent(world, pumping):
    host = await world.user()
    slow = Receiver(troubles=["slow"], slow_s=60.0)
    async with slow.listening() as url:
        endpoint_id = await hook(world, url, host, receiver=slow)
        async with pumping(timeout_s=30.0):
            await world.live(host)
            await until(lambda: slow.at_once, "it is being sent")
        (left,) = await log_of(world, endpoint_id)
        assert (left.state, left.attempts) == (DeliveryState.PENDING, 0)
        assert len(await world.stores.webhook_queue.claim("another", 30.0, {}, 4, 10)) == 1


async def test_old_events_are_forgotten_but_not_what_is_pending(world):
    host = await world.user()
    endpoint_id = await hook(world, "https://shop.test/hook", host)
    stream_id = await world.live(host)
    queue = world.stores.webhook_queue
    world.clock.ahead += timedelta(days=31)
    assert await queue.prune(30, 10) == 0
    await world.stores.streams.end(stream_id, EndReason.HOST)
    (first,) = await queue.claim("one", 30.0, {}, 4, 10)
    attempt = WebhookAttempt(world.clock.now(), 5, 200, None)
    assert await queue.settle(first, "one", AttemptOutcome(attempt, DeliveryState.DELIVERED))
    assert not await queue.settle(first, "one", AttemptOutcome(attempt, DeliveryState.DELIVERED))
    assert await queue.prune(30, 10) == 1
    assert [one.type for one in await log_of(world, endpoint_id)] == ["stream.ended"]
    world.clock.ahead += timedelta(days=31)
    assert await queue.prune(30, 10) == 0
    await world.stores.webhooks.change(endpoint_id, EndpointChanges({"is_enabled": False}))
    assert await queue.prune(30, 10) == 1


async def test_who_may_set_up_what(world):
    seller, other = await world.user(Role.SELLER), await world.user(Role.BOTH)
    buyer, admin = await world.user(Role.BUYER), await world.user(Role.ADMIN)
    webhooks = service(world, [])
    new = NewWebhook("https://shop.test/hook", (WebhookEvent.STREAM_LIVE,))
    everybodys = NewWebhook(new.url, (WebhookEvent.NOTIFICATION_QUEUED,), for_all=True)
    with pytest.raises(OnlySellersSell):
        await webhooks.create(buyer, new)
    with pytest.raises(OnlyAdministrators):
        await webhooks.create(seller, everybodys)
    with pytest.raises(OnlyAdministrators):
        await webhooks.create(seller, NewWebhook(new.url, everybodys.events))
    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"):
        with pytest.raises(InvalidRequest) as refused:
            await webhooks.create(seller, NewWebhook(f"https://{address}/", new.events))
        assert refused.value.errors[0].field == "url"
    mine = (await webhooks.create(seller, new)).endpoint
    all_of_them = (await webhooks.create(admin, everybodys)).endpoint
    with pytest.raises(NotYourWebhook):
        await webhooks.show(other, mine.id)
    with pytest.raises(NotYourWebhook):
        await webhooks.delete(seller, all_of_them.id)
    assert await webhooks.show(admin, mine.id) == mine
    assert (await webhooks.list(seller, PAGE, for_all=False)).items == [mine]
    assert (await webhooks.list(admin, PAGE, for_all=True)).items == [all_of_them]
    await webhooks.delete(seller, mine.id)
    with pytest.raises(WebhookNotFound):
        await webhooks.show(seller, mine.id)
    for _ in range(MOST_ENDPOINTS):
        await webhooks.create(seller, new)
    with pytest.raises(TooManyWebhooks):
        await webhooks.create(seller, new)
