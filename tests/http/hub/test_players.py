"""Players without a socket over HTTP: beacons, sessions, and what becomes of nonsense."""

import asyncio

import pytest

from controller.domain.streams import Audience
from controller.hub.limits import HubLimits
from tests.http.hub.running_hub import run_hub
from tests.http.hub.test_sse import with_problems
from tests.support.waiting import until
from tests.unit.controller.hub.doubles import a_user


@pytest.fixture
async def hub():
    async with run_hub(HubLimits(tick_s=0.02, unseen_s=5.0), add=with_problems) as running:
        yield running


async def beacon(hub, stream, token=None, status=200, **body) -> dict:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    path = f"/api/v1/streams/{stream.id}/watching"
    async with hub.client.post(path, json=body, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        assert status != 200 or answer.headers["Cache-Control"] == "no-store"
        found = await answer.json()
        return found["data"] if status == 200 else found


async def until_viewers(hub, stream, viewers: int) -> None:
    async def they_are():
        return await hub.place.realtime.viewers(stream.id) == viewers

    await until(they_are, f"{viewers} viewers")


async def test_an_anonymous_player_gets_a_session_and_counts_when_it_comes_back_with_it(hub):
    stream = hub.place.streams.add()
    hub.client.session.cookie_jar.clear()

    first = await beacon(hub, stream)
    assert first["repeatAfterSeconds"] == 2
    assert len(hub.place.watchers) == 0

    again = await beacon(hub, stream, session=first["session"])
    assert again["session"] == first["session"]
    await until_viewers(hub, stream, 1)
    await beacon(hub, stream, session=first["session"], leaving=True)
    await until_viewers(hub, stream, 0)


async def test_a_users_player_and_socket_are_one_viewer_also_by_the_playlists_session(hub):
    stream = hub.place.streams.add()
    token = hub.tokens.add(a_user("ann"))

    session = (await beacon(hub, stream, token))["session"]
    await until_viewers(hub, stream, 1)
    async with hub.socket(token=token) as socket:
        assert (await socket.join(stream))["viewerCount"] == 1
        assert hub.place.watchers.seen(stream.id, session)
        # The socket's room has heard of nobody else.
        assert hub.place.hub._rooms.find(stream.id).presence.here.keys() == {
            str(hub.tokens.users[token].user_id)
        }
    await until_viewers(hub, stream, 1)


async def test_a_guests_player_is_the_guest_of_its_socket(hub):
    stream = hub.place.streams.add()
    async with hub.socket() as socket:
        joined = await socket.join(stream)
        # By the browser's cookie, and by the session that an app was told.
        by_cookie = await beacon(hub, stream)
        hub.client.session.cookie_jar.clear()
        by_session = await beacon(hub, stream, session=joined["session"])
        assert by_cookie == by_session
        assert hub.place.sessions.read(stream.id, by_cookie["session"]).viewer == joined["viewerId"]
        while (
            hub.place.hub._rooms.find(stream.id).presence.here[joined["viewerId"]].connections != 2
        ):
            await asyncio.sleep(0.02)
        assert await hub.place.realtime.viewers(stream.id) == 1


async def test_a_limited_stream_counts_those_who_may_watch_it(hub):
    stream = hub.place.streams.add(audience=Audience.FOLLOWERS)
    ann = a_user("ann")
    token = hub.tokens.add(ann)
    assert (await beacon(hub, stream, token, status=403))["code"] == "not_in_audience"
    assert (await beacon(hub, stream, status=403))["code"] == "not_in_audience"
    hub.place.users.followers.add((ann.user_id, stream.owner_id))
    await beacon(hub, stream, token)
    await until_viewers(hub, stream, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b'{"session": "nonsense"}', 200),
        (b'{"session": 7}', 422),
        (b"[]", 422),
        (b'{"session": "' + b"x" * 300 + b'"}', 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 900, 422),
        (b'{"session": "' + b"x" * 5_000 + b'"}', 413),
    ],
)
async def test_nonsense_is_answered_and_counts_nobody(hub, body, status):
    stream = hub.place.streams.add()
    hub.client.session.cookie_jar.clear()
    path = f"/api/v1/streams/{stream.id}/watching"
    async with hub.client.post(path, data=body) as answer:
        assert answer.status == status, await answer.text()
    assert len(hub.place.watchers) == 0


async def test_a_guest_comes_from_the_network_that_its_proxy_names(hub):
    host = a_user("host")
    stream = hub.place.streams.add(owner_id=host.user_id)
    async with (
        hub.socket(token=hub.tokens.add(host)) as boss,
        hub.socket(headers={"X-Forwarded-For": "203.0.113.7"}) as guest,
    ):
        await boss.join(stream)
        joined = await guest.join(stream)
        answer = await boss.call(
            "stream_moderate",
            stream_id=str(stream.id),
            action="ban",
            user_id=joined["viewerId"],
        )
        assert "ack" in answer
        while not (await boss.wait("viewer:sanctioned"))["data"]["viewerId"].startswith("net-"):
            pass
        hub.client.session.cookie_jar.clear()
        for address, outcome in (("203.0.113.99", "error"), ("198.51.100.1", "stream:joined")):
            async with hub.socket(headers={"X-Forwarded-For": address}) as other:
                await other.send("stream_join", stream_id=str(stream.id))
                assert (await other.next())["event"] == outcome
        kept = repr(hub.place.store.moderations) + repr(hub.place.store.figures)
        assert "203.0.113" not in kept
