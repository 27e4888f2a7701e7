"""The contract as a table: its events, and what is refused in which words, on every transport.

Socket.IO is spoken by its own client from npm. Each event is caused once and heard by a viewer on
each transport; the payloads must be the same, and what the AsyncAPI document says.
"""

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jsonschema_rs
import pytest

from controller.domain.products import ProductTag
from controller.domain.showcase import Moment, ProductPin
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience
from controller.hub.asyncapi import EVENTS, asyncapi_document
from controller.hub.limits import HubLimits
from controller.hub.realtime_failover import FailoverRealtime
from controller.hub.realtime_memory import MemoryRealtime
from controller.hub.realtime_redis import RedisRealtime
from tests.contract.room.redis_server import shared_redis  # noqa: F401 - a fixture
from tests.http.hub.running_hub import WallTime
from tests.http.hub.test_socketio import run_socketio
from tests.support.room_clients import socket_io_client, sse_client, websocket_client
from tests.unit.controller.hub.doubles import a_user

LIMITS = HubLimits(tick_s=0.05, lease_s=6.0, token_warning_s=3600)


def _schemas() -> dict[str, jsonschema_rs.Validator]:
    schemas = asyncapi_document("1", "https://shop.test", LIMITS)["components"]["schemas"]
    strict = {name: {**schema, "additionalProperties": False} for name, schema in schemas.items()}
    return {
        name: jsonschema_rs.validator_for(
            {
                "$ref": f"#/components/schemas/{model.__name__}",
                "components": {"schemas": strict},
            },
            validate_formats=True,
        )
        for name, model in EVENTS.items()
    }


SCHEMAS = _schemas()


@asynccontextmanager
async def room_on(kind: str, redis_url: str):
    realtime = None
    if kind == "redis":
        shared = RedisRealtime(
            redis_url, uuid4().hex, lease_s=LIMITS.lease_s, log_events=LIMITS.log_events
        )
        twin = MemoryRealtime(WallTime().monotonic_s, LIMITS.log_events)
        realtime = FailoverRealtime(shared, twin)
    async with run_socketio(LIMITS, realtime) as hub:
        yield hub


@pytest.fixture(params=["memory", "redis"])
async def hub(request):
    url = request.getfixturevalue("shared_redis").url if request.param == "redis" else ""
    async with room_on(request.param, url) as running:
        yield running


class Scene:
    """A live stream with its host on a WebSocket, and a viewer per transport."""

    def __init__(self, hub, stream, host, viewers) -> None:
        self.hub, self.stream, self.host, self.viewers = hub, stream, host, viewers
        self.id = str(stream.id)
        self.announcer = hub.place.service.announcer
        self.guest = None

    async def moderate(self, action: str, **data) -> None:
        await self.call("stream_moderate", action=action, **data)

    async def call(self, event: str, **data) -> None:
        assert await self.host.call(event, {"stream_id": self.id, **data}) is None

    async def say(self, text: str) -> dict:
        await self.call("stream_chat", message=text)
        return await self.host.wait("chat:message")


async def _delete(scene: Scene) -> None:
    said = await scene.say("to be deleted")
    await scene.moderate("delete", message_id=said["messageId"])


async def _pin(scene: Scene) -> None:
    said = await scene.say("to be pinned")
    await scene.moderate("pin", message_id=said["messageId"])


async def _come(scene: Scene) -> None:
    token = scene.hub.tokens.add(a_user("late"))
    scene.guest = await AsyncExitStack().__aenter__()
    late = await scene.guest.enter_async_context(websocket_client(scene.hub.base, token))
    assert await late.call("stream_join", {"stream_id": scene.id}) is None


async def _go(scene: Scene) -> None:
    await scene.guest.aclose()


async def _many(scene: Scene) -> None:
    """What a big room tells, by the path that it takes."""
    opened = scene.hub.place.service._rooms.find(scene.stream.id)
    opened.count_due = True


async def _tag(scene: Scene) -> None:
    tag = ProductTag(scene.stream.id, uuid4(), 0.25, 0.5, 12, datetime.now(UTC))
    await scene.announcer.product_tagged(tag)


def _product_pin(scene: Scene) -> ProductPin:
    since = Moment(datetime.now(UTC))
    return ProductPin(uuid4(), scene.stream.id, uuid4(), 12, since, until=since)


async def _end(scene: Scene) -> None:
    now = datetime.now(UTC)
    ended = replace(scene.stream, status=StreamStatus.ENDED, ended_at=now, duration_s=60)
    scene.hub.place.streams.by_id[ended.id] = ended
    await scene.announcer.ended(ended)


ROOM_EVENTS = [
    ("stream:started", lambda scene: scene.announcer.started(scene.stream)),
    ("chat:message", lambda scene: scene.call("stream_chat", message="  hello ❤️ ")),
    ("reaction:new", lambda scene: scene.call("stream_reaction", emoji="💎")),
    ("chat:deleted", _delete),
    ("chat:pinned", _pin),
    ("chat:settings", lambda scene: scene.moderate("slow_mode", interval_s=3)),
    ("viewer:joined", _come),
    ("viewer:left", _go),
    ("viewer:count", _many),
    (
        "viewer:sanctioned",
        lambda scene: scene.moderate("timeout", user_id=str(uuid4()), duration_s=60),
    ),
    ("product:tagged", _tag),
    ("product:pinned", lambda scene: scene.announcer.product_pinned(_product_pin(scene))),
    ("product:unpinned", lambda scene: scene.announcer.product_unpinned(_product_pin(scene))),
    ("stream:interrupted", lambda scene: scene.announcer.interrupted(scene.stream)),
    ("stream:resumed", lambda scene: scene.announcer.resumed(scene.stream)),
    ("stream:ended", _end),
]
"""What everybody in the room hears, and what causes it."""

PRIVATE_EVENTS = {
    "stream:joined",
    "stream:ready",
    "stream:advice",
    "chat:held",
    "auth:expiring",
    "error",
}
"""What one client alone is sent."""


def check(name: str, payload: dict) -> dict:
    errors = [str(error) for error in SCHEMAS[name].iter_errors(payload)]
    assert errors == [], (name, payload)
    return payload


async def test_every_event_is_the_same_on_every_transport_and_as_documented(hub):
    assert {name for name, _ in ROOM_EVENTS} | PRIVATE_EVENTS == set(EVENTS)
    hub.base = str(hub.client.make_url("")).rstrip("/")
    host = a_user("host")
    stream = hub.place.streams.add(owner_id=host.user_id)
    tokens = [hub.tokens.add(one) for one in (host, a_user("ann"), a_user("bob"), a_user("eve"))]
    async with (
        websocket_client(hub.base, tokens[0]) as hosting,
        websocket_client(hub.base, tokens[1]) as ann,
        socket_io_client(hub.base, tokens[2]) as bob,
    ):
        for client in (hosting, ann, bob):
            assert await client.call("stream_join", {"stream_id": str(stream.id)}) is None
        async with sse_client(hub.base, tokens[3], str(stream.id)) as eve:
            joined = [
                check("stream:joined", await one.wait("stream:joined")) for one in (ann, bob, eve)
            ]
            assert [one["viewerCount"] for one in joined] == [2, 3, 4]
            scene = Scene(hub, stream, hosting, (ann, bob, eve))
            for name, cause in ROOM_EVENTS:
                await cause(scene)
                heard = [check(name, await one.wait(name)) for one in scene.viewers]
                assert heard[0] == heard[1] == heard[2], name


@pytest.mark.parametrize("connect", [websocket_client, socket_io_client])
async def test_what_one_client_alone_is_told(hub, connect):
    base = str(hub.client.make_url("")).rstrip("/")
    host = replace(a_user("host"), expires_at=datetime.now(UTC) + timedelta(seconds=600))
    stream = hub.place.streams.add(owner_id=host.user_id)
    data = {"stream_id": str(stream.id)}
    async with (
        connect(base, hub.tokens.add(host)) as hosting,
        connect(base, hub.tokens.add(a_user("ann"))) as ann,
    ):
        check("auth:expiring", await hosting.wait("auth:expiring"))
        for client in (hosting, ann):
            assert await client.call("stream_join", data) is None
            check("stream:joined", await client.wait("stream:joined"))
        assert await hosting.call("stream_prepare", data) is None
        ready = check("stream:ready", await hosting.wait("stream:ready"))
        assert (ready["status"], ready["estimatedLatency"]) == ("ready", 1.25)
        block = {**data, "action": "block_words", "words": ["spam"]}
        assert await hosting.call("stream_moderate", block) is None
        held = ("Message held for review", "message_held")
        assert await ann.call("stream_chat", {**data, "message": "Spam!"}) == held
        check("error", await ann.wait("error"))
        message = check("chat:held", await hosting.wait("chat:held"))
        approve = {**data, "action": "approve", "message_id": message["messageId"]}
        assert await hosting.call("stream_moderate", approve) is None
        assert check("chat:message", await ann.wait("chat:message")) == message
        assert await hosting.call("stream_leave", data) is None
        check("viewer:left", await ann.wait("viewer:left"))


ID = "{id}"
REFUSALS = [
    ("guest", "stream_chat", {"stream_id": ID, "message": "m"}, "Not authenticated"),
    ("guest", "stream_reaction", {"stream_id": ID, "emoji": "🔥"}, "Not authenticated"),
    ("guest", "stream_prepare", {"stream_id": ID}, "Not authenticated"),
    ("guest", "stream_moderate", {"stream_id": ID, "action": "pin"}, "Not authenticated"),
    ("user", "stream_join", {}, "stream_id required"),
    ("user", "stream_join", {"stream_id": ""}, "stream_id required"),
    ("user", "stream_join", {"stream_id": None}, "stream_id required"),
    ("user", "stream_leave", {}, "stream_id required"),
    ("user", "stream_prepare", {}, "stream_id required"),
    ("user", "stream_moderate", {"action": "pin"}, "stream_id required"),
    ("user", "stream_join", {"stream_id": "nonsense"}, "Stream not found"),
    ("user", "stream_join", {"stream_id": str(uuid4())}, "Stream not found"),
    ("user", "stream_chat", {"stream_id": str(uuid4()), "message": "m"}, "Stream not found"),
    ("user", "stream_reaction", {"stream_id": str(uuid4()), "emoji": "🔥"}, "Stream not found"),
    ("user", "stream_chat", {"stream_id": ID}, "stream_id and message required"),
    ("user", "stream_chat", {"message": "m"}, "stream_id and message required"),
    (
        "user",
        "stream_chat",
        {"stream_id": ID, "message": " \n\t "},
        "stream_id and message required",
    ),
    ("user", "stream_chat", {"stream_id": ID, "message": 7}, "stream_id and message required"),
    (
        "user",
        "stream_chat",
        {"stream_id": ID, "message": "x" * 201},
        "Message too long (max 200 chars)",
    ),
    ("user", "stream_chat", {"stream_id": ID, "message": " " + "é" * 200 + " "}, None),
    ("user", "stream_reaction", {"stream_id": ID, "emoji": "💩"}, "Unknown emoji"),
    ("user", "stream_reaction", {"stream_id": ID}, "stream_id and emoji required"),
    ("user", "stream_moderate", {"stream_id": ID, "action": "slow_mode"}, "Not a moderator"),
    ("user", "stream_moderate", {"stream_id": ID}, "Unknown or incomplete moderation action"),
    ("user", "stream_dance", {"stream_id": ID}, "Unknown event"),
    ("user", "stream_join", {"stream_id": "{followers}"}, "This stream is not open to you"),
    ("user", "stream_chat", {"stream_id": "{silent}", "message": "m"}, "Chat is disabled"),
    ("user", "stream_chat", {"stream_id": "{over}", "message": "m"}, "Comments are disabled"),
    *[("user", "stream_chat", {"stream_id": ID, "message": f"{n}"}, None) for n in range(9)],
    ("user", "stream_chat", {"stream_id": ID, "message": "one more"}, "Rate limit exceeded"),
]


@pytest.mark.parametrize("connect", [websocket_client, socket_io_client])
async def test_what_is_refused_and_in_which_words(hub, connect):
    base = str(hub.client.make_url("")).rstrip("/")
    streams = hub.place.streams
    ids = {
        ID: streams.add().id,
        "{followers}": streams.add(audience=Audience.FOLLOWERS).id,
        "{silent}": streams.add(enable_chat=False).id,
        "{over}": streams.add(status=StreamStatus.ENDED, enable_comments=False).id,
    }
    async with connect(base, "") as guest, connect(base, hub.tokens.add(a_user())) as user:
        for who, event, data, expected in REFUSALS:
            stream_id = data.get("stream_id")
            sent = {**data, "stream_id": str(ids[stream_id])} if stream_id in ids else data
            client = guest if who == "guest" else user
            refusal = await client.call(event, sent)
            assert (refusal and refusal[0]) == expected, (event, data)
            if refusal is not None:
                told = check("error", await client.wait("error"))
                assert told == {"message": refusal[0], "code": refusal[1]}
