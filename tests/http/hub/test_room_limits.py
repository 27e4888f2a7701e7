"""A full room against its limits, and frames that are none: nobody else notices."""

import asyncio
import logging
from collections import Counter

import pytest
from structlog.testing import capture_logs

from controller.domain.room import Allowance
from controller.errors import ControllerError
from controller.hub.limits import HubLimits
from tests.http.hub.running_hub import run_hub
from tests.http.hub.test_socketio import connected, run_socketio
from tests.unit.controller.hub.doubles import Installation, a_user

USERS = 500


async def test_five_hundred_users_at_every_limit_are_heard_exactly_as_often_as_allowed():
    """Time is held, so that no bucket fills again: what is allowed is known to the message."""
    place = Installation(HubLimits(log_events=100_000, backlog_bytes=100_000_000))
    host = a_user("host")
    stream = place.streams.add(owner_id=host.user_id)
    data = {"stream_id": str(stream.id)}
    hosting, witness = await place.joined(stream, host)
    users = [a_user(f"user{number}") for number in range(USERS)]
    connections = []
    for user in users:
        connection, _ = place.connect(user)
        await place.hub.handle(connection, "stream_join", data)
        connections.append(connection)

    refused: Counter[str] = Counter()

    async def say(number: int, text: str) -> None:
        try:
            message = {**data, "message": text}
            await place.hub.handle(connections[number], "stream_chat", message)
        except ControllerError as error:
            refused[error.code] += 1

    async def moderate(action: str, **more: object) -> None:
        act = {**data, "action": action, **more}
        await place.hub.handle(hosting, "stream_moderate", act)

    for number in range(50):
        await moderate("ban", user_id=str(users[number].user_id))
    for number in range(50, 100):
        await moderate("timeout", user_id=str(users[number].user_id), duration_s=600)
    # Everybody at once: 200 characters pass and 201 do not, ten messages pass and two do not.
    wanted = [
        *[
            (number, f"{number}:{turn:02}".ljust(200, "x"))
            for turn in range(12)
            for number in range(USERS)
        ],
        *[(number, "y" * 201) for number in range(USERS)],
    ]
    await asyncio.gather(*(say(number, text) for number, text in wanted))
    place.time.pass_by(1.0)
    heard = Counter(one["message"].split(":")[0] for one in witness.named("chat:message"))
    assert heard == {str(number): 10 for number in range(100, USERS)}
    assert refused == {
        "message_too_long": USERS,
        "banned": 50 * 12,
        "timed_out": 50 * 12,
        "rate_limited": 400 * 2,
    }
    # Slow mode, when the minute's allowance is there again: one each, and one after the interval.
    place.time.pass_by(600)
    witness.writes.clear()
    refused.clear()
    await moderate("slow_mode", interval_s=30)
    for _ in range(3):
        await asyncio.gather(*(say(number, f"{number}:slow") for number in range(100, USERS)))
    place.time.pass_by(30)
    await asyncio.gather(*(say(number, f"{number}:slow") for number in range(100, USERS)))
    place.time.pass_by(1.0)
    heard = Counter(one["message"].split(":")[0] for one in witness.named("chat:message"))
    assert heard == {str(number): 2 for number in range(100, USERS)}
    assert refused == {"rate_limited": 400 * 2}


def _malformed() -> list[str | bytes]:
    texts = [
        "", " ", "x", "{", "}", "[", "]", "[]", "{}", "null", "true", "1", "-0", '""', '"event"',
        "NaN", "Infinity", "{'event':'stream_join'}", "{event:1}", '{"event":}', '{"event"}',
        '{"event":null}', '{"event":1}', '{"event":[]}', '{"event":{}}', '{"event":true}',
        '{"event":"stream_join","data":null}', '{"event":"stream_join","data":[]}',
        '{"event":"stream_join","data":"x"}', '{"event":"stream_join","data":1}',
        '{"event":"stream_join","id":"1"}', '{"event":"stream_join","id":-1}',
        '{"event":"stream_join","id":1.5}', '{"event":"stream_join","id":[]}',
        '{"event":"stream_join","id":1e400}', '{"event":"stream_join","id":99999999999999999999}',
        '{"event":""}', '{"event":"nonsense"}', '{"event":"__class__"}', '{"event":"STREAM_JOIN"}',
        '{"event":"stream:joined"}', '{"event":"stream_join"}',
        '{"event":"stream_join","data":{"stream_id":1}}',
        '{"event":"stream_join","data":{"stream_id":{}}}',
        '{"event":"stream_join","data":{"stream_id":"\\u0000"}}',
        '{"event":"stream_join","data":{"stream_id":"../../etc/passwd"}}',
        '{"event":"stream_join","data":{"stream_id":"00000000-0000-0000-0000-000000000000"}}',
        '{"event":"stream_chat","data":{"stream_id":"x","message":{}}}',
        '{"event":"stream_chat","data":{"stream_id":"x","message":"\\ud800"}}',
        '{"event":"stream_reaction","data":{"stream_id":"x","emoji":[]}}',
        '{"event":"stream_moderate","data":{"stream_id":"x","action":{}}}',
        '{"event":"auth","data":{"token":{}}}', '{"event":"auth"}',
        '{"event":"stream_join"}{"event":"stream_join"}', '{"event":"stream_join",}',
        '{"event":"\\x"}', "[" * 10_000, '{"data":' * 3_000,
        '{"event":"' + "x" * 20_000 + '"}', "\ufeff{}",
    ]  # fmt: skip
    return [*texts, b"", b"\x00\x01\x02", b'{"event":"stream_join"}', "x" * 10_000_000]


MALFORMED = _malformed()


async def test_sixty_kinds_of_malformed_frames_over_websocket(caplog):
    assert len({*MALFORMED}) >= 60
    caplog.set_level(logging.WARNING)
    async with run_hub(HubLimits(frames=Allowance(1_000, 1_000.0))) as hub:
        stream = hub.place.streams.add()
        token = hub.tokens.add(a_user("witness"))
        with capture_logs() as logs:
            async with hub.socket(token=token) as witness:
                await witness.join(stream)
                for frame in MALFORMED:
                    async with hub.socket() as socket:
                        send = (
                            socket.raw.send_str if isinstance(frame, str) else socket.raw.send_bytes
                        )
                        try:
                            await send(frame)
                        except ConnectionError:  # too long: closed before it was sent whole
                            assert len(frame) > hub.place.limits.frame_bytes
                            continue
                        answer = await socket.raw.receive(timeout=45)
                        if isinstance(answer.data, str):
                            assert '"event":"error"' in answer.data, frame[:80]
                        else:
                            assert socket.raw.closed, frame[:80]
                    said = await witness.call("stream_prepare", stream_id=str(stream.id))
                    assert "ack" in said
                said = await witness.call("stream_prepare", stream_id=str(stream.id))
                assert "ack" in said
        assert [one for one in logs if one["log_level"] in {"error", "critical"}] == []
    assert caplog.records == []


async def test_invalid_utf_8_closes_and_harms_nobody():
    async with run_hub() as hub:
        async with hub.socket() as socket:
            mask = b"\x00" * 4
            socket.raw._response.connection.transport.write(b"\x81\x82" + mask + b"\xff\xfe")
            assert await socket.close_code() == 1007
        async with hub.socket() as other:
            assert (await other.join(hub.place.streams.add()))["viewerCount"] == 1


@pytest.mark.parametrize(
    "payload", [None, 1, "x", [], [1], True, {"stream_id": 1}, {"stream_id": {}}]
)
async def test_payloads_that_are_none_over_socket_io(payload):
    async with run_socketio(HubLimits(heartbeat_s=0.5)) as hub:  # noqa: SIM117
        async with connected(hub, token=hub.tokens.add(a_user())) as client:
            for event in ("stream_join", "stream_chat", "stream_moderate", "auth", "nonsense"):
                if event == "auth" and isinstance(payload, dict):
                    continue
                answer = await client.raw.call(event, payload, timeout=45)
                assert answer["ok"] is False
                assert answer["message"]
