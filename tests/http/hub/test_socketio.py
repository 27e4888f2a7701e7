"""The same room for Socket.IO clients."""

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest
import socketio
from aiohttp import ClientSession
from structlog.testing import capture_logs

from controller.hub.endpoint.socketio import SocketIoEndpoint
from controller.hub.limits import HubLimits
from tests.http.hub.running_hub import run_hub
from tests.support.waiting import until
from tests.unit.controller.hub.doubles import a_user


@asynccontextmanager
async def run_socketio(limits: HubLimits | None = None, realtime=None):
    limits = limits or HubLimits()
    made = []

    def add(app, hub, credentials) -> None:
        made.append(SocketIoEndpoint(hub, credentials, limits, ["*"]))
        app.router.add_routes(made[0].routes())

    async with run_hub(limits, realtime, add=add) as running:
        running.endpoint = made[0]
        yield running
        await running.place.service.close()
        await made[0].close()


@pytest.fixture
async def hub():
    # A poll that is held when its client leaves ends with the next ping.
    async with run_socketio(HubLimits(heartbeat_s=0.5)) as running:
        yield running


class Client:
    """python-socketio's client, with a queue of what it hears."""

    def __init__(self, raw: socketio.AsyncClient) -> None:
        self.raw = raw
        self.heard: asyncio.Queue = asyncio.Queue()
        raw.on("*", self._hear)

    async def _hear(self, event: str, data: dict) -> None:
        await self.heard.put((event, data))

    async def wait(self, name: str) -> dict:
        async with asyncio.timeout(45):
            while True:
                event, data = await self.heard.get()
                if event == name:
                    return data

    async def call(self, event: str, **data) -> dict:
        return await self.raw.call(event, data, timeout=45)


@asynccontextmanager
async def connected(hub, transports=("polling", "websocket"), **auth):
    # A session of its own: the client would leave its own open for a moment too long.
    async with ClientSession() as session:
        raw = socketio.AsyncClient(reconnection=False, http_session=session)
        client = Client(raw)
        url = str(hub.client.make_url("/"))
        await raw.connect(url, auth=auth or None, transports=list(transports), wait_timeout=45)
        try:
            yield client
        finally:
            await raw.disconnect()


@pytest.mark.parametrize("transports", [("polling", "websocket"), ("websocket",), ("polling",)])
async def test_a_conversation_between_transports(hub, transports):
    stream, ann, bob = hub.place.streams.add(), a_user("ann"), a_user("bob")
    async with hub.socket(token=hub.tokens.add(ann)) as other:
        await other.join(stream)
        async with connected(hub, transports, token=hub.tokens.add(bob)) as client:
            assert await client.call("stream_join", stream_id=str(stream.id)) == {"ok": True}
            joined = await client.wait("stream:joined")
            assert (joined["viewerCount"], joined["viewerId"]) == (2, str(bob.user_id))
            await client.call("stream_chat", stream_id=str(stream.id), message="from bob")
            frame = await other.wait("chat:message")
            position = {"offset": frame["offset"], "epoch": frame["epoch"]}
            assert await client.wait("chat:message") == frame["data"] | position
            await other.call("stream_reaction", stream_id=str(stream.id), emoji="🔥")
            assert (await client.wait("reaction:new"))["emoji"] == "🔥"
        assert (await other.wait("viewer:left"))["data"]["viewerCount"] == 1


@pytest.mark.parametrize(
    ("event", "data", "message"),
    [
        ("stream_join", {}, "stream_id required"),
        ("stream_join", {"stream_id": "x"}, "Stream not found"),
        ("stream_chat", {"stream_id": "x"}, "stream_id and message required"),
        (
            "stream_chat",
            {"stream_id": "x", "message": "x" * 201},
            "Message too long (max 200 chars)",
        ),
        ("nonsense", {}, "Unknown event"),
        ("stream_join", None, "stream_id required"),
        ("stream_join", [1], "Malformed frame"),
        ("stream_join", "x", "Malformed frame"),
        ("auth", "x", "Malformed frame"),
    ],
)
async def test_what_is_refused_and_in_which_words(hub, event, data, message):
    async with connected(hub, token=hub.tokens.add(a_user())) as client:
        answer = await client.raw.call(event, data, timeout=45)
        assert (answer["ok"], answer["message"]) == (False, message)
        assert (await client.wait("error"))["message"] == message


async def test_guests_watch_and_may_say_who_they_are_later(hub):
    stream, ann = hub.place.streams.add(), a_user("ann")
    async with connected(hub) as client:
        answer = await client.call("stream_chat", stream_id=str(stream.id), message="m")
        assert answer["message"] == "Not authenticated"
        assert await client.call("auth", token=hub.tokens.add(ann)) == {"ok": True}
        assert (await client.call("stream_chat", stream_id=str(stream.id), message="m"))["ok"]


async def test_a_client_that_comes_back_where_it_was_misses_nothing_and_hears_nothing_twice(hub):
    stream, ann, bob = hub.place.streams.add(), a_user("ann"), a_user("bob")
    data = {"stream_id": str(stream.id)}
    async with hub.socket(token=hub.tokens.add(ann)) as other:
        await other.join(stream)
        async with connected(hub, token=hub.tokens.add(bob)) as client:
            await client.call("stream_join", **data)
            await other.call("stream_chat", **data, message="heard")
            last = await client.wait("chat:message")
        await other.call("stream_chat", **data, message="missed")
        position = {"offset": last["offset"], "epoch": last["epoch"]}
        async with connected(hub, token=hub.tokens.add(bob)) as client:
            await client.call("stream_join", **data, **position)
            joined = await client.wait("stream:joined")
            assert (joined["recovered"], joined["history"]) == (True, [])
            assert (await client.wait("chat:message"))["message"] == "missed"


async def test_a_bad_token_is_refused(hub):
    async with hub.client.ws_connect("/socket.io/?EIO=4&transport=websocket") as raw:
        await raw.receive_str(timeout=45)
        await raw.send_str('40{"token":"no"}')
        assert await raw.receive_str(timeout=45) == '44{"message":"Not authenticated"}'
    assert not hub.place.hub.connections


async def test_packets_that_are_none_harm_nobody(hub, caplog):
    caplog.set_level(logging.WARNING)
    stream, ann = hub.place.streams.add(), a_user("ann")
    raw_frames = ["4", "42", "42x", "42[]", "42{}", '42["x"', "42[1]", "452-[]", "49", "9", "x",
                  "43[]", '42["stream_join",{"_placeholder":true,"num":0}]', "4" + "[" * 5_000]  # fmt: skip
    with capture_logs() as logs:
        async with connected(hub, token=hub.tokens.add(ann)) as witness:
            for frame in raw_frames:
                url = "/socket.io/?EIO=4&transport=websocket"
                async with hub.client.ws_connect(url) as raw:
                    await raw.receive_str(timeout=45)
                    await raw.send_str("40")
                    await raw.receive_str(timeout=45)
                    await raw.send_str(frame)
                    await raw.send_bytes(b"\x00\x01")
                    await raw.close()
            assert (await witness.call("stream_join", stream_id=str(stream.id)))["ok"]
    assert [one for one in logs if one["log_level"] in {"error", "critical"}] == []
    assert caplog.records == []


async def test_a_client_that_stops_reading_is_cut_off():
    async with run_socketio(HubLimits(backlog_bytes=65_536)) as hub:
        stream = hub.place.streams.add()
        raw = await hub.client.ws_connect("/socket.io/?EIO=4&transport=websocket")
        await raw.receive_str(timeout=45)
        await raw.send_str("40")
        await raw.receive_str(timeout=45)
        await raw.send_str(f'42["stream_join",{{"stream_id":"{stream.id}"}}]')
        await raw.receive_str(timeout=45)
        raw._response.connection.transport.pause_reading()
        [stuck] = hub.place.hub.connections
        for _ in range(2_000):
            if not stuck.is_open:
                break
            data = b'{"filler":"%s"}' % (b"x" * 20_000)
            await hub.place.realtime.publish(stream.id, "test:event", data)
            await asyncio.sleep(0.001)
        assert not stuck.is_open
        await until(lambda: not hub.place.hub.connections, "it was let go")
        raw._response.connection.transport.abort()


async def test_clients_are_let_go_when_the_server_stops(hub):
    async with connected(hub) as client:
        await client.call("stream_join", stream_id=str(hub.place.streams.add().id))
        await hub.place.service.close()
        await until(lambda: not client.raw.connected, "it was let go")
    assert not hub.place.hub.connections
