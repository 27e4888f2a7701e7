"""A connection lives as long as its token, on every transport, unless the token is renewed."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import socketio
from aiohttp import ClientSession

from controller.hub.closing import CloseCode
from controller.hub.limits import HubLimits
from tests.http.hub.test_socketio import connected, run_socketio
from tests.unit.controller.hub.doubles import a_user

LIMITS = HubLimits(tick_s=0.05, token_warning_s=1.0, heartbeat_s=0.5)


def lasting(user, seconds: float):
    return replace(user, expires_at=datetime.now(UTC) + timedelta(seconds=seconds))


async def test_a_websocket_is_warned_and_closed_with_a_code_of_its_own():
    async with run_socketio(LIMITS) as hub:
        stream = hub.place.streams.add()
        async with hub.socket(token=hub.tokens.add(lasting(a_user(), 1.2))) as socket:
            await socket.join(stream)
            warning = await socket.wait("auth:expiring")
            assert datetime.fromisoformat(warning["data"]["expiresAt"]) > datetime.now(UTC)
            assert (await socket.wait("error"))["data"]["code"] == "token_expired"
            assert await socket.close_code() == CloseCode.TOKEN_EXPIRED


async def test_an_auth_frame_renews_and_the_viewer_stays_in_the_room():
    async with run_socketio(LIMITS) as hub:
        stream, ann = hub.place.streams.add(), lasting(a_user("ann"), 1.2)
        async with hub.socket(token=hub.tokens.add(ann)) as socket:
            await socket.join(stream)
            await socket.wait("auth:expiring")
            [connection] = hub.place.hub.connections
            refused = await socket.call("auth", token="no")
            assert refused["data"]["message"] == "Not authenticated"
            assert connection.is_open
            token = hub.tokens.add(lasting(ann, 60))
            assert "ack" in await socket.call("auth", token=token)
            while datetime.now(UTC) < ann.expires_at + timedelta(seconds=10 * LIMITS.tick_s):
                prepared = await socket.call("stream_prepare", stream_id=str(stream.id))
                assert "ack" in prepared
                await asyncio.sleep(0.1)
            assert connection.is_open


async def test_a_socket_io_client_is_warned_told_and_disconnected():
    async with run_socketio(LIMITS) as hub:
        ann = a_user("ann")
        token = hub.tokens.add(lasting(ann, 1.2))
        async with hub.client.ws_connect("/socket.io/?EIO=4&transport=websocket") as raw:
            await raw.receive_str(timeout=45)
            await raw.send_str(f'40{{"token":"{token}"}}')
            packets = []
            async for packet in raw:
                if packet.data == "2":
                    await raw.send_str("3")
                else:
                    packets.append(packet.data)
        assert packets[1].startswith('42["auth:expiring",{"expiresAt":')
        told = '42["error",{"message":"Token expired","code":"token_expired"}]'
        assert packets[2:] == [told, "1"]
        async with connected(hub, token=hub.tokens.add(lasting(ann, 1.2))) as client:
            await client.wait("auth:expiring")
            token = hub.tokens.add(lasting(ann, 60))
            assert await client.call("auth", token=token) == {"ok": True}


async def test_a_reader_of_server_sent_events_is_told_and_let_go():
    async with run_socketio(LIMITS) as hub:
        stream = hub.place.streams.add()
        token = hub.tokens.add(lasting(a_user(), 1.2))
        path = f"/api/v1/streams/{stream.id}/room"
        async with hub.client.get(path, params={"token": token}, timeout=None) as response:
            async with asyncio.timeout(45):
                body = (await response.content.read()).decode()
        assert body.index("event: auth:expiring") < body.index("event: error")
        assert "token_expired" in body


async def test_a_real_client_comes_back_with_a_new_token_by_itself():
    """As apps do it: the client's reconnection asks for the present token."""
    async with run_socketio(LIMITS) as hub, ClientSession() as session:
        ann, stream = a_user("ann"), hub.place.streams.add()
        tokens = iter([hub.tokens.add(lasting(ann, 1.2))])
        raw = socketio.AsyncClient(
            reconnection_delay=0.05, reconnection_delay_max=0.1, http_session=session
        )
        joined = asyncio.Queue()

        async def join() -> None:
            await raw.emit("stream_join", {"stream_id": str(stream.id)})

        async def heard(data) -> None:
            await joined.put(data)

        def auth() -> dict:
            return {"token": next(tokens, None) or hub.tokens.add(lasting(ann, 60))}

        raw.on("connect", join)
        raw.on("stream:joined", heard)
        await raw.connect(str(hub.client.make_url("/")), auth=auth, wait_timeout=45)
        async with asyncio.timeout(45):
            await joined.get()
            await joined.get()
        with suppress(asyncio.CancelledError):
            await raw.disconnect()
