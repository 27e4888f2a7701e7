"""Reading along over Server-Sent Events."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from controller.errors import ControllerError
from controller.hub.limits import HubLimits
from tests.http.hub.running_hub import run_hub
from tests.unit.controller.hub.doubles import a_user

UNKNOWN = "7b6b9df6-2b3f-4b4b-9a55-0e6f6f1f2d11"


@web.middleware
async def problems(request, handler):
    """What the API's middleware does."""
    try:
        return await handler(request)
    except ControllerError as error:
        return web.json_response({"code": error.code}, status=error.http_status)


def with_problems(app, _hub, _credentials) -> None:
    app.middlewares.append(problems)


@pytest.fixture
async def hub():
    async with run_hub(HubLimits(heartbeat_s=0.2), add=with_problems) as running:
        yield running


class Reader:
    def __init__(self, response) -> None:
        self.response = response

    async def next(self) -> dict:
        """The next event, comments left out."""
        event: dict = {}
        async with asyncio.timeout(45):
            async for raw in self.response.content:
                line = raw.decode().rstrip("\n")
                if not line and "data" in event:
                    return event
                name, _, value = line.partition(": ")
                if name in {"event", "id"}:
                    event[name] = value
                elif name == "data":
                    event["data"] = msgspec.json.decode(value)
        raise AssertionError("ended")

    async def wait(self, name: str) -> dict:
        while True:
            event = await self.next()
            if event["event"] == name:
                return event


@asynccontextmanager
async def reading(hub, stream, **headers):
    path = f"/api/v1/streams/{stream.id}/room"
    async with hub.client.get(path, headers=headers, timeout=None) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Reader(response)


async def test_a_reader_sees_the_room_and_counts(hub):
    stream, ann = hub.place.streams.add(), a_user("ann")
    async with hub.socket(token=hub.tokens.add(ann)) as socket:
        await socket.join(stream)
        async with reading(hub, stream) as reader:
            joined = await reader.next()
            assert joined["event"] == "stream:joined"
            assert joined["data"]["viewerCount"] == 2
            await socket.call("stream_chat", stream_id=str(stream.id), message="one\ntwo")
            heard = await reader.wait("chat:message")
            assert heard["data"]["message"] == "one two"
        assert (await socket.wait("viewer:left"))["data"]["viewerCount"] == 1


async def test_a_reader_that_comes_back_misses_nothing(hub):
    stream, ann = hub.place.streams.add(), a_user("ann")
    async with hub.socket(token=hub.tokens.add(ann)) as socket:
        await socket.join(stream)
        async with reading(hub, stream) as reader:
            await socket.call("stream_chat", stream_id=str(stream.id), message="seen")
            last = (await reader.wait("chat:message"))["id"]
        await socket.call("stream_chat", stream_id=str(stream.id), message="missed")
        async with reading(hub, stream, **{"Last-Event-ID": last}) as reader:
            assert (await reader.wait("stream:joined"))["data"]["recovered"] is True
            assert (await reader.wait("chat:message"))["data"]["message"] == "missed"
        for odd in ("x", "x:y", ":", "a:-1", "a:9" * 40, "²:²"):
            header = odd.encode().decode("latin-1")
            async with reading(hub, stream, **{"Last-Event-ID": header}) as reader:
                assert (await reader.wait("stream:joined"))["data"]["recovered"] is False


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/api/v1/streams/{UNKNOWN}/room", 404, "stream_not_found"),
        ("/api/v1/streams/x/room", 404, "stream_not_found"),
        (f"/api/v1/streams/{UNKNOWN}/room?token=bad", 401, "not_authenticated"),
    ],
)
async def test_what_is_refused_is_answered_as_elsewhere(hub, path, status, code):
    async with hub.client.get(path) as response:
        assert (response.status, (await response.json())["code"]) == (status, code)
    assert not hub.place.hub.connections


async def test_a_reader_is_let_go_when_the_server_stops(hub):
    stream = hub.place.streams.add()
    async with reading(hub, stream) as reader:
        await reader.next()
        await hub.place.service.close()
        assert await reader.response.content.read() is not None
    assert not hub.place.hub.connections


async def test_an_old_proxy_gets_a_body_without_chunks(hub):
    stream = hub.place.streams.add()
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.client.port)
    writer.write(f"GET /api/v1/streams/{stream.id}/room HTTP/1.0\r\n\r\n".encode())
    async with asyncio.timeout(45):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"retry: 2000\n\n")
    assert b"chunked" not in head
    assert body.startswith(b"event: stream:joined\n")
    writer.close()
    await writer.wait_closed()
