"""Notifications over each database: whoever follows is told once, whatever the services answer."""

import asyncio
import contextlib
import json
import os
import random
import statistics
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from controller.domain.notifications import PushState
from controller.domain.people import Device, PushKind, Role
from controller.domain.states import EndReason
from controller.domain.webhooks import BackOff
from controller.errors import StoreUnavailable
from controller.notify.fcm import FcmChannel, FcmTokens, ServiceAccount
from controller.notify.guarded_http import AddressGuard, open_session
from controller.notify.push_pump import PushPump, PushPumpSettings
from controller.notify.vapid import VapidKey, VapidSigner
from controller.notify.web_push import WebPushChannel
from controller.stores.opening import open_stores
from controller.stores.schema import follows, notifications, push_devices, users
from tests.contract.outreach.conftest import LOOPBACK, until
from tests.support.receivers import FakeFcm, FakeWebPush

FOLLOWERS = int(os.environ.get("GOLIVE_TEST_FOLLOWERS", "300"))
WATCH = "https://shop.test/watch"
VAPID = VapidKey.derive(b"only the tests of notifications know this secret")
QUICK = BackOff(first_s=0.05, factor=1.5, longest_s=1.0, attempts=50)


@pytest.fixture
async def fcm():
    async with FakeFcm().listening() as service:
        yield service


@pytest.fixture
async def web_push():
    async with FakeWebPush().listening() as service:
        service.application_server_key = VAPID.public
        yield service


@pytest.fixture
def telling(world, fcm, tmp_path):
    """Run a worker's pump of notifications over the world's database."""

    @asynccontextmanager
    async def run(name="one", *, stores=None, allowed=LOOPBACK, back_off=QUICK, **changed):
        account = ServiceAccount.read(fcm.credentials(tmp_path))
        settings = PushPumpSettings(poll_s=0.05, grace_s=0.2, back_off=back_off, **changed)
        async with open_session(None) as google, open_session(AddressGuard(allowed)) as guarded:
            tokens = FcmTokens(google, account, 60.0)
            channels = {
                PushKind.FCM: FcmChannel(google, tokens, fcm.url, account.project_id, WATCH, 60.0),
                PushKind.WEB_PUSH: WebPushChannel(
                    guarded, VapidSigner(VAPID, "mailto:it@shop.test"), WATCH, 60.0
                ),
            }
            store = (stores or world.stores).notifications
            pump = PushPump(store, channels, name, random.Random(1), settings)
            running = asyncio.create_task(pump.run())
            try:
                yield pump
            finally:
                running.cancel()
                await asyncio.wait({running})
                if not running.cancelled():
                    running.result()

    return run


async def follow(world, host, fan=None):
    fan = fan or await world.user(Role.BUYER)
    await world.stores.users.follow(fan.user_id, host.user_id)
    return fan


async def device(world, user, kind, address):
    found = Device(uuid4(), user.user_id, kind, address)
    await world.stores.users.put_device(found)
    return found


async def crowd(world, host, number):
    """So many followers, each with a phone of the address `phone-N`."""
    now = world.clock.now()
    ids = [uuid4() for _ in range(number)]
    tables = {
        users: [
            {"id": i, "username": f"fan{n}", "role": Role.BUYER, "created_at": now, "updated_at": now}
            for n, i in enumerate(ids)
        ],
        follows: [{"follower_id": i, "host_id": host.user_id, "created_at": now} for i in ids],
        push_devices: [
            {"user_id": i, "id": uuid4(), "kind": PushKind.FCM, "address": f"phone-{n}", "updated_at": now}
            for n, i in enumerate(ids)
        ],
    }  # fmt: skip
    for table, rows in tables.items():
        for at in range(0, number, 1000):
            async with world.stores.database.write() as connection:
                await connection.execute(insert(table), rows[at : at + 1000])


async def until_complete(world, stream_id, limit_s=60.0, pause_s=0.02):
    async def is_complete():
        with contextlib.suppress(StoreUnavailable):  # on a machine that is very busy
            return (await world.stores.notifications.status(stream_id)).is_complete

    await until(is_complete, "all is told", limit_s, pause_s)
    return await world.stores.notifications.status(stream_id)


async def addresses(world):
    async with world.stores.database.read() as connection:
        return set((await connection.execute(select(push_devices.c.address))).scalars())


async def test_many_followers_are_told_once_each_and_going_live_does_not_wait(
    world, telling, fcm, database_url
):
    """One in a hundred is gone, one in ten meets 429 or 503 first; two workers."""
    host = await world.user()
    usual_s = []
    for _ in range(5):  # nobody follows yet
        stream_id = await world.stream(host, await world.product(host))
        usual_s.append(await time_to_go_live(world, stream_id))
    await crowd(world, host, FOLLOWERS)
    phones = [f"phone-{n}" for n in range(FOLLOWERS)]
    fcm.dead = set(phones[::100])
    for n, phone in enumerate(phones[5::10]):
        fcm.troubles[phone] = [429] if n % 2 else [503, 429]
    troubled = sum(len(some) for some in fcm.troubles.values())
    stream_id = await world.stream(host, await world.product(host))
    second = open_stores(database_url, world.clock)
    try:
        # The workers are processes of their own: here they would share this one's time.
        began = time.perf_counter()
        live = await world.stores.streams.go_live(stream_id)
        took_s = time.perf_counter() - began
        async with telling(), telling("two", stores=second):
            began = time.perf_counter()
            status = await until_complete(world, stream_id, 60 + FOLLOWERS / 12, 0.2)
            told_s = time.perf_counter() - began
    finally:
        await second.database.close()
    median_s = statistics.median(usual_s)
    print(
        f"\n{world.stores.database.dialect}: {FOLLOWERS} followers told in {told_s:.1f} s; go-live"
        f" {took_s * 1000:.1f} ms, usually {median_s * 1000:.1f} ms"
    )
    alive = set(phones) - fcm.dead
    assert live.notifications_queued == FOLLOWERS == status.queued == status.expanded
    assert set(fcm.told) == alive
    assert set(fcm.told.values()) == {1}
    assert fcm.met[429] + fcm.met[503] == troubled
    assert await addresses(world) == alive
    assert status.told == status.devices[PushState.DELIVERED] == len(alive)
    assert status.devices[PushState.DEAD] == len(fcm.dead)
    assert status.devices[PushState.QUEUED] == status.devices[PushState.FAILED] == 0
    assert fcm.tokens_given <= 2  # one for each worker
    # The same call for nobody, on the same machine: a factor, not a time.
    assert took_s < 10 * median_s + 0.1


async def time_to_go_live(world, stream_id):
    began = time.perf_counter()
    await world.stores.streams.go_live(stream_id)
    return time.perf_counter() - began


async def test_a_browser_can_read_what_it_is_sent(world, telling, web_push):
    host = await world.user()
    fan = await follow(world, host)
    await device(world, fan, PushKind.WEB_PUSH, json.dumps(web_push.subscribe("laptop")))
    async with telling():
        stream_id = await world.live(host)
        status = await until_complete(world, stream_id)
    assert (status.queued, status.told) == (1, 1)
    (shown,) = web_push.received["laptop"]
    assert shown == {
        "type": "stream.live",
        "streamId": str(stream_id),
        "title": f"{host.username} is live",
        "body": "Mugs",
        "url": f"{WATCH}/{stream_id}",
    }
    assert web_push.headers["laptop"]["Topic"] == stream_id.hex
    assert web_push.headers["laptop"]["Urgency"] == "high"


async def test_browsers_that_are_gone_are_forgotten_and_busy_services_asked_again(
    world, telling, web_push
):
    host = await world.user()
    for name in ("gone", "busy", "strict", "moved"):
        fan = await follow(world, host)
        await device(world, fan, PushKind.WEB_PUSH, json.dumps(web_push.subscribe(name)))
    del web_push.browsers["gone"]
    web_push.location = f"{web_push.url}/push/busy"
    web_push.troubles |= {"busy": [429, 503, 500], "strict": [403], "moved": [307]}
    odd = await follow(world, host)
    await device(world, odd, PushKind.WEB_PUSH, json.dumps({"endpoint": "https://x.test", "keys": {"p256dh": "AA", "auth": "AA"}}))  # fmt: skip
    async with telling():
        stream_id = await world.live(host)
        status = await until_complete(world, stream_id)
    assert len(web_push.received["busy"]) == 1
    assert not web_push.received["moved"]
    assert status.devices == {
        PushState.QUEUED: 0,
        PushState.DELIVERED: 1,
        PushState.DEAD: 2,
        PushState.FAILED: 2,
    }
    left = {
        json.loads(address)["endpoint"].rpartition("/")[2] for address in await addresses(world)
    }
    assert left == {"busy", "strict", "moved"}


async def test_a_subscription_cannot_lead_into_our_networks(world, telling, web_push):
    host = await world.user()
    fan = await follow(world, host)
    await device(world, fan, PushKind.WEB_PUSH, json.dumps(web_push.subscribe("inside")))
    async with telling(allowed=[]):
        status = await until_complete(world, await world.live(host))
    assert status.devices[PushState.FAILED] == 1
    assert not web_push.received


async def test_a_person_is_told_on_each_device_and_on_none_twice(world, telling, fcm, web_push):
    host = await world.user(at=(52.52, 13.405))
    fan = await follow(world, host, await world.user(at=(52.521, 13.405)))  # and next door
    await device(world, fan, PushKind.FCM, "phone")
    await device(world, fan, PushKind.FCM, "phone")  # registered again by a new installation
    await device(world, fan, PushKind.FCM, "tablet")
    await device(world, fan, PushKind.WEB_PUSH, json.dumps(web_push.subscribe("laptop")))
    await follow(world, host)  # has no device
    async with telling():
        stream_id = await world.live(host, notify_neighborhood=True)
        status = await until_complete(world, stream_id)
    assert fcm.told == {"phone": 1, "tablet": 1}
    assert len(web_push.received["laptop"]) == 1
    assert (status.queued, status.told, status.devices[PushState.DELIVERED]) == (2, 1, 3)
    assert fcm.messages["phone"]["android"]["collapse_key"] == str(stream_id)
    async with world.stores.database.read() as connection:
        rows = (await connection.execute(select(notifications))).all()
    assert len(rows) == 2


async def test_a_token_that_runs_out_or_is_revoked_is_asked_for_anew(world, telling, fcm):
    host = await world.user()
    for n in range(3):
        await device(world, await follow(world, host), PushKind.FCM, f"phone-{n}")
    async with telling():
        await until_complete(world, await world.live(host))
        assert fcm.tokens_given == 1
        fcm.revoke_tokens()
        await until_complete(world, await world.live(host))
    assert set(fcm.told.values()) == {2}
    assert fcm.tokens_given == 2


async def test_nobody_is_called_to_what_is_over(world, telling, fcm):
    host = await world.user()
    fan = await follow(world, host)
    await device(world, fan, PushKind.FCM, "phone")
    over = await world.live(host)
    await world.stores.streams.end(over, EndReason.HOST)
    removed = await device(world, fan, PushKind.FCM, "lost phone")
    fcm.troubles["phone"] = [503] * 1000
    async with telling():
        status = await until_complete(world, over)
        assert (status.queued, status.expanded) == (1, 0)
        stream_id = await world.live(host)
        await until(lambda: fcm.met[503] > 1 and fcm.told["lost phone"], "it is tried again")
        await world.stores.users.delete_device(fan.user_id, removed.id)
        await world.stores.streams.end(stream_id, EndReason.HOST)
        status = await until_complete(world, stream_id)
    assert status.devices[PushState.FAILED] == 1


async def test_a_worker_that_dies_leaves_its_messages_to_others(world, telling, fcm):
    host = await world.user()
    await device(world, await follow(world, host), PushKind.FCM, "phone")
    stream_id = await world.live(host)
    store = world.stores.notifications
    while await store.fan_out(100) is not None:
        pass
    (held,) = await store.claim("the dead one", 30.0, 10)
    assert "phone" not in repr(held)
    assert await store.claim("another", 30.0, 10) == []
    world.clock.ahead += timedelta(seconds=31)
    async with telling():
        await until_complete(world, stream_id)
    assert fcm.told == {"phone": 1}
    world.clock.ahead += timedelta(days=31)
    assert await store.prune(30, 10) == 1


class Faulty:
    """A channel with a fault of ours."""

    async def send(self, address, message):
        raise RuntimeError("a defect")


async def test_a_fault_of_ours_is_a_try_and_ends(world):
    host = await world.user()
    await device(world, await follow(world, host), PushKind.FCM, "phone")
    stream_id = await world.live(host)
    twice = BackOff(first_s=0.01, factor=1.0, longest_s=0.01, attempts=2)
    settings = PushPumpSettings(poll_s=0.02, back_off=twice)
    pump = PushPump(
        world.stores.notifications, {PushKind.FCM: Faulty()}, "one", random.Random(1), settings
    )
    running = asyncio.create_task(pump.run())
    try:
        status = await until_complete(world, stream_id)
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert status.devices[PushState.FAILED] == 1
