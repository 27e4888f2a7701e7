"""The same message on every transport."""

import zlib
from dataclasses import replace

import msgspec
import pytest

from controller.domain.room import Position
from controller.hub.codecs import (
    DeflatingWebSocketCodec,
    Message,
    ServerSentEventsCodec,
    SocketIoCodec,
    WebSocketCodec,
    text_frame,
)

MESSAGE = Message("chat:message", b'{"message":"hi"}', Position("e1", 7))


@pytest.mark.parametrize(
    ("size", "header"), [(125, 2), (126, 4), (65_535, 4), (65_536, 10), (0, 2)]
)
def test_a_frame_says_its_length_in_the_shortest_form(size, header):
    frame = text_frame(b"x" * size)
    assert len(frame) == size + header
    assert frame[0] == 0x81


def test_a_websocket_frame_holds_the_envelope():
    payload = msgspec.json.decode(WebSocketCodec().encode(MESSAGE)[2:])
    assert payload == {
        "event": "chat:message",
        "data": {"message": "hi"},
        "offset": 7,
        "epoch": "e1",
    }


def test_an_answer_carries_the_id_of_the_frame():
    frame = WebSocketCodec().encode(Message.of("error", {"message": "m", "code": "c"}, 12))
    assert msgspec.json.decode(frame[2:])["id"] == 12


def test_a_long_message_is_deflated_by_itself():
    long = Message("x", msgspec.json.encode("long " * 1000))
    frame = DeflatingWebSocketCodec().encode(long)
    assert frame[0] == 0xC1
    assert len(frame) < 500
    inflater = zlib.decompressobj(wbits=-15)
    start = 2 if frame[1] < 126 else 4
    inflated = inflater.decompress(frame[start:] + b"\x00\x00\xff\xff")
    assert msgspec.json.decode(inflated)["data"] == "long " * 1000


def test_a_short_message_is_not_deflated():
    assert DeflatingWebSocketCodec().encode(MESSAGE) == WebSocketCodec().encode(MESSAGE)


def test_a_server_sent_event_resumes_by_its_id():
    assert ServerSentEventsCodec().encode(MESSAGE) == (
        b'event: chat:message\nid: e1:7\ndata: {"message":"hi"}\n\n'
    )


def test_socket_io_gets_name_and_payload_and_where_to_come_back_to():
    codec, private = SocketIoCodec(), replace(MESSAGE, position=None)
    assert codec.encode(private) == b'2["chat:message",{"message":"hi"}]\x1e'
    assert codec.encode(MESSAGE) == (
        b'2["chat:message",{"message":"hi","offset":7,"epoch":"e1"}]\x1e'
    )
    assert codec.encode(replace(MESSAGE, data=b"{}")).startswith(b'2["chat:message",{"offset"')
