"""Pins and the replay of the room over HTTP: who may, and what is refused."""

from uuid import UUID, uuid4

import pytest

from controller.domain.room import ChatMessage, RoomFigures
from controller.stores.room import SqlRooms
from tests.http.running_api import RunningApi
from tests.support.tokens import person


async def live(api: RunningApi, host, **fields):
    """A live stream's id, and its product's."""
    product = await api.product(host)
    stream_id = await api.stream(host, product_ids=[product], **fields)
    await api.go_live(host, stream_id)
    return stream_id, product


async def test_a_host_pins_and_unpins(api: RunningApi):
    host = person("seller")
    stream_id, product = await live(api, host)
    path = f"/streams/{stream_id}/products/{product}/pin"
    pinned = (await api.call("POST", path, host)).data
    assert pinned == {"productId": product, "pinned": True, "at": pinned["at"]}
    again = (await api.call("POST", path, host)).data
    assert again == pinned
    gone = (await api.call("DELETE", path, host)).data
    assert gone["pinned"] is False
    assert gone["at"] >= pinned["at"]
    assert (await api.call("DELETE", path, host)).data["at"] is None


async def test_nobody_else_pins_and_nothing_else_is_pinned(api: RunningApi):
    host, other = person("seller"), person("seller")
    stream_id, product = await live(api, host)
    path = f"/streams/{stream_id}/products/{product}/pin"
    for method in ("POST", "DELETE"):
        assert (await api.call(method, path)).status == 401
        assert (await api.call(method, path, other)).problem["detail"] == "Not your stream"
    stray = f"/streams/{stream_id}/products/{await api.product(host)}/pin"
    assert (await api.call("POST", stray, host)).problem["detail"] == "Product not in stream"
    await api.call("POST", f"/streams/{stream_id}/end", host)
    assert (await api.call("POST", path, host)).problem["detail"] == "Stream is not live"


async def test_the_room_again_by_the_time_of_the_recording(api: RunningApi):
    host = person("seller")
    stream_id, product = await live(api, host)
    said = ChatMessage(
        uuid4(), UUID(stream_id), uuid4(), "ann", None, "lovely", api.clock.now(), 12.25
    )
    figures = RoomFigures(1, 1, messages=(said,), reaction_moments={(10, "🔥"): 3})
    await SqlRooms(api.stores.database, api.clock).record(UUID(stream_id), figures)
    tag = {"x": 0.5, "y": 0.25, "timestamp_seconds": 14}
    await api.call("POST", f"/streams/{stream_id}/products/{product}/tag", host, tag)
    await api.call("POST", f"/streams/{stream_id}/end", host)
    replay = await api.call(
        "GET", f"/streams/{stream_id}/replay", params={"from": "10", "to": "20"}
    )
    assert replay.data == {
        "streamId": stream_id,
        "from": 10.0,
        "to": 20.0,
        "chat": [
            {
                "t": 12.25,
                "messageId": str(said.id),
                "userId": str(said.user_id),
                "username": "ann",
                "avatarUrl": None,
                "message": "lovely",
                "timestamp": replay.data["chat"][0]["timestamp"],
            }
        ],
        "reactions": [{"t": 10, "emoji": "🔥", "count": 3}],
        "tags": [{"t": 14.0, "productId": product, "x": 0.5, "y": 0.25}],
        "pins": [],
        "more": False,
    }
    whole = (await api.call("GET", f"/streams/{stream_id}/replay")).data
    assert (whole["from"], whole["to"], len(whole["chat"])) == (0.0, 60.0, 1)
    far = await api.call("GET", f"/streams/{stream_id}/replay", params={"to": "90000"})
    assert far.data["to"] == 600.0, "what one call answers at most"


async def test_a_replay_is_for_the_audience(api: RunningApi):
    host, follower, stranger = person("seller"), person(), person()
    stream_id, _ = await live(api, host, audience="followers")
    for one in (follower, stranger):
        await api.call("GET", "/users/me", one)
    await api.call("PUT", f"/users/{host.id}/follow", follower)
    path = f"/streams/{stream_id}/replay"
    assert [(await api.call("GET", path, who)).status for who in (host, follower)] == [200, 200]
    assert [(await api.call("GET", path, who)).status for who in (None, stranger)] == [403, 403]
    assert (await api.call("GET", f"/streams/{uuid4()}/replay")).status == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "-1"}, "from"),
        ({"from": "abc"}, "from"),
        ({"from": " 1"}, "from"),
        ({"from": "nan"}, "from"),
        ({"to": "1e3"}, "to"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "+5"}, "limit"),
        ({"from": "20", "to": "10"}, ""),
    ],
)
async def test_a_query_that_means_nothing_is_refused_by_name(api: RunningApi, query, field):
    refused = await api.call("GET", f"/streams/{uuid4()}/replay", params=query)
    assert refused.status == 422
    assert refused.problem["errors"][0]["field"] == field
