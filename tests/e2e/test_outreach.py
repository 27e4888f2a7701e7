"""A whole server tells others: a follower's phone and browser, a receiver of webhooks."""

import asyncio
import json
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from controller.auth.issuing import standalone_user_id
from controller.domain.people import Device, PushKind, Role
from controller.stores.opening import open_stores
from controller.system_clock import SystemClock
from tests.support.processes import wait_until
from tests.support.receivers import FakeFcm, FakeWebPush, Receiver
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

LIMIT_S = 90.0
LOOPBACK = '["127.0.0.0/8"]'


async def test_followers_and_receivers_hear_of_a_stream(tmp_path):
    receiver, fcm, web_push = Receiver(), FakeFcm(), FakeWebPush()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(receiver.listening())
        await stack.enter_async_context(fcm.listening())
        await stack.enter_async_context(web_push.listening())
        settings = {
            "GOLIVE_WEBHOOK_ALLOWED_NETWORKS": LOOPBACK,
            "GOLIVE_WEB_PUSH_ALLOWED_NETWORKS": LOOPBACK,
            "GOLIVE_FCM_CREDENTIALS_FILE": str(fcm.credentials(tmp_path)),
            "GOLIVE_FCM_ENDPOINT": fcm.url,
        }
        # The services answer on this loop, the server is asked from a thread.
        await asyncio.to_thread(go_live_and_end, tmp_path, settings, url, receiver, fcm, web_push)


def go_live_and_end(tmp_path, settings, url, receiver, fcm, web_push):
    with golive_server(tmp_path / "data", settings) as server:
        host, fan = server.token("host"), server.token("fan", Role.BUYER)
        hook = {"url": url, "events": ["stream.live", "stream.ended"]}
        created = server.expect(201, "POST", "/webhooks", hook, token=host)
        server.secrets.add(created["secret"])
        receiver.secrets.append(created["secret"])
        setup = server.expect(200, "GET", "/push", token=fan)
        assert setup["fcm"] is True
        web_push.application_server_key = setup["webPush"]["applicationServerKey"]
        subscribe(server, fan, web_push)
        wait_until(lambda: server.events("worker_ready"), LIMIT_S, "the worker runs")
        first = server.find_process("controller.cli", "worker")
        first.kill()  # what is to be told is in the database
        stream = server.live_stream("host")
        followed = f"/streams/{stream.id}/notifications"
        wait_until(lambda: receiver.taken, LIMIT_S, "the receiver has heard of it")
        wait_until(
            lambda: server.expect(200, "GET", followed, token=host)["complete"],
            LIMIT_S,
            "everybody is told",
        )
        status = server.expect(200, "GET", followed, token=host)
        assert (status["queued"], status["told"], status["devices"]["delivered"]) == (1, 1, 2)
        assert fcm.told == {"phone-of-fan": 1}
        assert fcm.messages["phone-of-fan"]["data"]["url"] == server.watch(stream.id)
        assert [one["streamId"] for one in web_push.received["laptop"]] == [stream.id]
        server.end(stream)
        wait_until(lambda: len(receiver.taken) == 2, LIMIT_S, "the receiver has heard of the end")
        assert receiver.of_stream(stream.id) == ["stream.live", "stream.ended"]
        assert receiver.met.total() == 2


def subscribe(server, fan, web_push):
    """The fan follows the host, and has a phone and a browser."""
    profile = server.expect(200, "GET", "/users/me", token=server.token("host"))
    server.expect(200, "PUT", f"/users/{profile['id']}/follow", token=fan)
    phone = {"kind": "fcm", "token": "phone-of-fan"}
    server.expect(200, "PUT", f"/users/me/devices/{uuid4()}", phone, token=fan)
    subscription = web_push.subscribe("laptop")
    browser = {"kind": "web_push", "subscription": subscription}
    refused = server.api("PUT", f"/users/me/devices/{uuid4()}", browser, fan)
    assert refused.status == 422  # https only: this service is written into the database
    add_device(server, json.dumps(subscription))


def add_device(server, address):
    asyncio.run(_add_device(f"sqlite:///{server.data_dir}/golive.db", address))


async def _add_device(url, address):
    stores = open_stores(url, SystemClock())
    try:
        fan_id = standalone_user_id("fan")
        await stores.users.put_device(Device(uuid4(), fan_id, PushKind.WEB_PUSH, address))
    finally:
        await stores.database.close()
