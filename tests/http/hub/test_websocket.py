"""The contract over a real WebSocket: events, sentences, frames that are none, dead peers."""

import asyncio
import logging
import struct

import pytest
from aiohttp import WSServerHandshakeError
from structlog.testing import capture_logs

from controller.hub.closing import CloseCode
from controller.hub.limits import HubLimits
from tests.http.hub.running_hub import Socket, run_hub
from tests.support.waiting import until
from tests.unit.controller.hub.doubles import a_user


@pytest.fixture
async def hub():
    async with run_hub() as running:
        yield running


async def test_the_three_ways_to_say_who_one_is(hub):
    ann = a_user()
    token, stream = hub.tokens.add(ann), hub.place.streams.add()
    async with hub.socket(token=token) as socket:
        assert (await socket.join(stream))["viewerId"] == str(ann.user_id)
    async with hub.socket(protocols=("bearer", token)) as socket:
        assert socket.raw.protocol == "bearer"
        assert (await socket.join(stream))["viewerId"] == str(ann.user_id)
    async with hub.socket() as socket:
        assert await socket.call("auth", token=token) == {"ack": 1}
        assert (await socket.join(stream))["viewerId"] == str(ann.user_id)
        assert await socket.call("auth", token=token) == {"ack": 2}
        other = hub.tokens.add(a_user("bob"))
        assert (await socket.call("auth", token=other))["data"]["code"] == "already_identified"


async def test_a_bad_token_is_told_and_closed(hub):
    async with hub.socket(token="no") as socket:
        refusal = await socket.wait("error")
        assert refusal["data"] == {"message": "Not authenticated", "code": "not_authenticated"}
        assert await socket.close_code() == CloseCode.BAD_CREDENTIALS
    async with hub.socket() as socket:
        answer = await socket.call("auth", token="no")
        assert answer["data"]["message"] == "Not authenticated"
        assert await socket.close_code() == CloseCode.BAD_CREDENTIALS
    assert not hub.place.hub.connections


async def test_a_guest_counts_once_per_browser_and_cannot_chat(hub):
    stream = hub.place.streams.add()
    async with hub.socket() as first, hub.socket() as second:
        joined = await first.join(stream)
        assert joined["viewerCount"] == 1
        assert joined["viewerId"].startswith("anon-")
        # The cookie jar is the browser's.
        assert (await second.join(stream))["viewerCount"] == 1
        answer = await first.call("stream_chat", stream_id=str(stream.id), message="m")
        assert answer["data"] == {"message": "Not authenticated", "code": "not_authenticated"}
        assert answer["id"] == 1
    hub.client.session.cookie_jar.clear()
    async with hub.socket(session=joined["session"]) as again:
        assert (await again.join(stream))["viewerId"] == joined["viewerId"]


async def test_a_conversation(hub):
    stream = hub.place.streams.add()
    ann, bob = a_user("ann"), a_user("bob")
    async with (
        hub.socket(token=hub.tokens.add(ann)) as a,
        hub.socket(token=hub.tokens.add(bob)) as b,
    ):
        await a.join(stream)
        await b.join(stream)
        assert (await a.wait("viewer:joined"))["data"]["viewerCount"] == 2
        assert await b.call("stream_chat", stream_id=str(stream.id), message="hi") == {"ack": 1}
        heard = await a.wait("chat:message")
        assert heard["data"]["message"] == "hi"
        assert heard["data"]["username"] == "bob"
        await b.send("stream_reaction", stream_id=str(stream.id), emoji="💎")
        assert (await a.wait("reaction:new"))["data"]["emoji"] == "💎"
        await b.raw.close()
        assert (await a.wait("viewer:left"))["data"]["viewerCount"] == 1


async def test_whoever_comes_back_gets_what_it_missed(hub):
    stream, ann = hub.place.streams.add(), a_user("ann")
    async with hub.socket(token=hub.tokens.add(ann)) as a:
        await a.join(stream)
        async with hub.socket() as guest:
            place = await guest.join(stream)
        await a.call("stream_chat", stream_id=str(stream.id), message="missed")
        async with hub.socket() as guest:
            joined = await guest.join(stream, offset=place["offset"], epoch=place["epoch"])
            assert joined["recovered"] is True
            assert joined["history"] == []
            missed = await guest.wait("chat:message")
            assert missed["data"]["message"] == "missed"
            assert missed["epoch"] == place["epoch"]
            assert missed["offset"] > place["offset"]
        async with hub.socket() as guest:
            joined = await guest.join(stream, offset=place["offset"], epoch="another")
            assert joined["recovered"] is False
            assert [one["message"] for one in joined["history"]] == ["missed"]


MALFORMED = [
    "",
    " ",
    "null",
    "1",
    "[]",
    '"text"',
    "{}",
    "{",
    '{"event"',
    '{"event":null}',
    '{"event":1}',
    '{"event":[]}',
    '{"event":"stream_join","data":null}',
    '{"event":"stream_join","data":[]}',
    '{"event":"stream_join","data":"x"}',
    '{"event":"stream_join","data":{}}',
    '{"event":"stream_join","data":{"stream_id":null}}',
    '{"event":"stream_join","data":{"stream_id":1e400}}',
    '{"event":"stream_join","data":{"stream_id":true}}',
    '{"event":"stream_join","data":{"stream_id":{"a":1}}}',
    '{"event":"stream_join","data":{"stream_id":"00000000-0000-0000-0000-00000000000g"}}',
    '{"event":"stream_join","data":{"stream_id":"\\u0000"}}',
    '{"event":"stream_join","data":{"stream_id":"../../etc/passwd"}}',
    '{"event":"stream_leave","data":{"stream_id":[]}}',
    '{"event":"stream_chat","data":{"stream_id":"x","message":5}}',
    '{"event":"stream_chat","data":{"message":"\\ud800"}}',
    '{"event":"stream_reaction","data":{"stream_id":"x","emoji":["🔥"]}}',
    '{"event":"stream_moderate","data":{"stream_id":"x"}}',
    '{"event":"stream_prepare","data":{}}',
    '{"event":"unknown","data":{}}',
    '{"event":"","data":{}}',
    '{"event":"__init__","data":{}}',
    '{"event":"stream_join","data":{},"id":"1"}',
    '{"event":"stream_join","data":{},"id":-1}',
    '{"event":"stream_join","data":{},"id":1.5}',
    '{"event":"stream_join","data":{},"id":true}',
    '{"event":"stream_join","data":{},"id":[1]}',
    '{"event":"stream_join","data":{},"id":123456789012345678901234567890}',
    '{"event":"auth"}x',
    "{'event':'auth'}",
    "<xml/>",
    "[" * 10_000,
    '{"event":' * 3_000,
    '{"a":' * 2_000 + "1" + "}" * 2_000,
    "\ufeff{}",
    "NaN",
    '{"event":"stream_join","data":{"stream_id":"' + "x" * 20_000 + '"}}',
    "\u0000",
    "🔥" * 100,
]


async def test_frames_that_are_none_get_an_error_and_harm_nobody(hub, caplog):
    stream, ann = hub.place.streams.add(), a_user("ann")
    caplog.set_level(logging.WARNING)
    with capture_logs() as logs:
        async with hub.socket(token=hub.tokens.add(ann)) as witness:
            await witness.join(stream)
            for frame in MALFORMED:
                async with hub.socket() as socket:
                    await socket.raw.send_str(frame)
                    answer = await socket.next()
                    assert answer["event"] == "error", frame[:80]
                    assert set(answer["data"]) == {"message", "code"}
                    assert answer["data"]["code"] != "internal_error", frame[:80]
            assert (await witness.call("stream_leave", stream_id=str(stream.id)))["ack"]
    assert [one for one in logs if one["log_level"] in {"error", "critical"}] == []
    assert caplog.records == []


def raw_frame(first_byte: int, payload: bytes) -> bytes:
    """A masked frame with a zero mask."""
    size = len(payload)
    head = (
        bytes((first_byte, 0x80 | size))
        if size < 126
        else struct.pack("!BBH", first_byte, 0x80 | 126, size)
    )
    return head + b"\x00" * 4 + payload


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (raw_frame(0x81, b"\xff\xfe\xfd"), 1007),  # text that is not UTF-8
        (raw_frame(0xF1, b"x"), 1002),  # reserved bits
        (raw_frame(0x83, b"x"), 1002),  # an opcode that there is not
        (raw_frame(0x80, b"x"), 1002),  # a continuation of nothing
        (raw_frame(0x09, b"x"), 1002),  # a control frame in fragments
        (raw_frame(0x89, b"x" * 200), 1002),  # a control frame too long
        (raw_frame(0x88, b"\x00"), 1002),  # half a close code
    ],
)
async def test_bytes_against_the_protocol_close_the_connection(hub, caplog, raw, code):
    caplog.set_level(logging.WARNING)
    with capture_logs() as logs:
        async with hub.socket() as socket:
            socket.raw._writer.transport.write(raw)
            assert await socket.close_code() in {code, 1006}
        await until(lambda: not hub.place.hub.connections)
    assert [one for one in logs if one["log_level"] in {"error", "critical"}] == []
    assert caplog.records == []


async def test_a_frame_beyond_the_limit_closes_the_connection(hub):
    async with hub.socket() as socket:
        await socket.raw.send_str("x" * 100_000)
        assert await socket.close_code() == 1009


async def test_binary_frames_get_an_error(hub):
    async with hub.socket() as socket:
        await socket.raw.send_bytes(b"\x00\x01")
        assert (await socket.next())["data"]["code"] == "malformed_frame"


async def test_too_many_malformed_frames_close_the_connection(hub):
    async with hub.socket() as socket:
        for _ in range(hub.place.limits.malformed_frames + 1):
            await socket.raw.send_str("{")
        assert await socket.close_code() == CloseCode.PROTOCOL_VIOLATION


async def test_a_peer_that_does_not_answer_pings_is_released():
    async with run_hub(HubLimits(heartbeat_s=0.1)) as hub:
        stream = hub.place.streams.add()
        raw = await hub.client.ws_connect("/api/v1/ws", autoping=False)
        await Socket(raw).join(stream)
        # Nobody reads, so nobody answers.
        await until(lambda: not hub.place.hub.connections)
        await until(lambda: hub.place.store.viewers_now.get(stream.id) == 0)
        await raw.close()


async def test_a_client_that_stops_reading_is_closed_and_delays_nobody():
    limits = HubLimits(backlog_bytes=65_536)
    async with run_hub(limits) as hub:
        stream = hub.place.streams.add()
        deaf = await hub.client.ws_connect("/api/v1/ws")
        await Socket(deaf).join(stream)
        deaf._response.connection.transport.pause_reading()
        async with hub.socket() as socket:
            await socket.join(stream)
            [stuck, _] = hub.place.hub.connections
            for number in range(400):
                data = b'{"n":%d,"filler":"%s"}' % (number, b"x" * 20_000)
                await hub.place.realtime.publish(stream.id, "test:event", data)
                assert (await socket.wait("test:event"))["data"]["n"] == number
                if not stuck.is_open:
                    break
            assert not stuck.is_open
            await until(lambda: stuck not in hub.place.hub.connections)
        deaf._response.connection.transport.abort()


async def test_the_server_says_when_it_stops():
    async with run_hub() as hub:
        async with hub.socket() as socket:
            await socket.join(hub.place.streams.add())
            closing = asyncio.create_task(hub.place.service.close())
            assert await socket.close_code() == CloseCode.SERVER_STOPPING
            await closing
        async with hub.socket() as late:
            assert await late.close_code() == CloseCode.SERVER_STOPPING


async def test_a_full_server_says_so():
    async with run_hub(HubLimits(connections=1)) as hub, hub.socket():
        await until(lambda: hub.place.hub.connections)
        async with hub.socket() as second:
            assert await second.close_code() == CloseCode.SERVER_FULL


async def test_a_foreign_page_may_not_connect_when_origins_are_named():
    def restrict(_app, _hub, credentials) -> None:
        credentials._allowed_origins = frozenset({"https://shop.example"})

    async with run_hub(add=restrict) as hub:
        async with hub.socket(headers={"Origin": "https://shop.example"}) as socket:
            assert not socket.raw.closed
        with pytest.raises(WSServerHandshakeError):
            async with hub.socket(headers={"Origin": "https://evil.example"}):
                pass


async def test_long_messages_are_deflated_where_the_client_can(hub):
    stream, ann = hub.place.streams.add(), a_user("ann")
    async with hub.client.ws_connect(
        "/api/v1/ws", compress=15, params={"token": hub.tokens.add(ann)}
    ) as raw:
        assert raw.compress
        socket = Socket(raw)
        await socket.join(stream)
        for _ in range(5):
            await socket.call("stream_chat", stream_id=str(stream.id), message="long " * 40)
        again = await socket.join(stream)
        assert len(again["history"]) == 5
        assert raw.closed is False
