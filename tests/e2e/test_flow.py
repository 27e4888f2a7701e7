"""The Go Live flow with a real encoder and a real room, on SQLite and on PostgreSQL."""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import pytest

from controller.auth.issuing import standalone_user_id
from controller.domain.people import Role
from tests.support.databases import PostgresServer, binaries
from tests.support.guides import run_guide
from tests.support.pushers import FRAME_RATE, Pusher, count_frames
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def postgres():
    server = PostgresServer.start(binaries())
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_settings(request):
    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("postgres")
    return {"GOLIVE_DATABASE_URL": asyncio.run(server.create_empty())}


def test_the_go_live_flow_from_products_to_analytics(database_settings, tmp_path, clip):
    with golive_server(tmp_path / "data", database_settings) as server:
        stream = scheduled(server)
        go_live(server, stream)
        with Pusher(clip, server.push_url(stream["key"]), loop=True) as pusher:
            pusher.wait_frames(4 * FRAME_RATE)
            tag_and_buy(server, stream)
            asyncio.run(chat_in(server, stream))
            ended = server.expect(200, "POST", f"{stream['path']}/end", token=stream["token"])
        check_ended(server, stream, ended)


def test_the_guide_says_what_happens(database_settings, tmp_path):
    checkout = Path(__file__).parents[2]
    with golive_server(tmp_path / "data", database_settings) as server:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PWD": str(checkout),
            "DATA": str(server.data_dir),
            "API": f"{server.url}/api/v1",
        }
        run_guide(checkout / "docs" / "go-live-flow.md", environment)


def scheduled(server) -> dict:
    """Create with one product, attach another, change the settings."""
    token = server.token("shop")
    mug, bowl = (str(standalone_user_id(f"{name} of the shop")) for name in ("mug", "bowl"))
    for product, title, price in ((mug, "Mug", 9.5), (bowl, "Bowl", 20)):
        body = {"title": title, "price": price, "currency": "EUR"}
        assert server.api("PUT", f"/products/{product}", body, token).status in {200, 201}
    body = {"title": "Pots", "category": "home", "product_ids": [mug]}
    created = server.expect(201, "POST", "/streams", body, token=token)
    path = f"/streams/{created['streamId']}"
    attached = server.expect(200, "POST", f"{path}/products", [bowl], token=token)
    assert attached["totalCount"] == 2
    settings = {"title": "Pots and bowls", "estimated_duration": 45}
    changed = server.expect(200, "PATCH", f"{path}/settings", settings, token=token)
    assert changed["settings"]["estimatedDuration"] == 45
    return {"id": created["streamId"], "path": path, "token": token, "mug": mug, "bowl": bowl}


def go_live(server, stream) -> None:
    not_ready = {"camera_ready": True, "checklist_complete": False}
    refused = server.api("POST", f"{stream['path']}/go-live", not_ready, stream["token"])
    assert (refused.status, refused.data["detail"]) == (400, "Camera and checklist must be ready")
    ready = {"camera_ready": True, "checklist_complete": True}
    live = server.expect(200, "POST", f"{stream['path']}/go-live", ready, token=stream["token"])
    server.secrets.add(live["streamKey"])
    assert live["rtmpUrl"] == server.rtmp_url
    assert live["hlsUrl"] == server.hls(stream["id"])
    assert live["dashUrl"] == server.dash(stream["id"])
    stream["key"] = live["streamKey"]


def tag_and_buy(server, stream) -> None:
    tag = {"x": 0.25, "y": 0.75, "timestamp_seconds": 3}
    path = f"{stream['path']}/products/{stream['mug']}"
    tagged = server.expect(200, "POST", f"{path}/tag", tag, token=stream["token"])
    assert (tagged["x"], tagged["y"], tagged["timestamp"]) == (0.25, 0.75, 3)
    buyer = server.token("buyer", Role.BUYER)
    for kind in ("view", "click", "purchase"):
        event = {"type": kind, "quantity": 2} if kind == "purchase" else {"type": kind}
        assert server.api("POST", f"{path}/events", event, buyer).status == 202


async def chat_in(server, stream) -> None:
    """A buyer joins, writes, likes, and hears it."""
    token = server.token("buyer", Role.BUYER)
    url = f"{server.url.replace('http', 'ws')}/api/v1/ws"
    frames = [
        {"event": "stream_join", "data": {"stream_id": stream["id"]}, "id": 1},
        {"event": "stream_chat", "data": {"stream_id": stream["id"], "message": "Nice!"}},
        {"event": "stream_reaction", "data": {"stream_id": stream["id"], "emoji": "🔥"}},
    ]
    wanted = {"stream:joined", "chat:message", "reaction:new"}
    async with (
        asyncio.timeout(20),
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=["bearer", token]) as socket,
    ):
        for frame in frames:
            await socket.send_json(frame)
        async for message in socket:
            wanted.discard(json.loads(message.data).get("event"))
            if not wanted:
                return
    raise AssertionError(f"not heard: {wanted}")


def check_ended(server, stream, ended) -> None:
    assert ended["status"] == "ended"
    assert ended["vodUrl"] == server.vod(stream["id"])
    assert ended["stats"]["chatMessages"] == 1
    assert ended["stats"]["totalLikes"] == 1
    assert ended["stats"]["uniqueViewers"] == 1
    assert count_frames(ended["vodUrl"]) >= 4 * FRAME_RATE
    analytics = server.expect(200, "GET", f"{stream['path']}/analytics", token=stream["token"])
    assert analytics["basicStats"]["peakViewers"] == 1
    assert analytics["engagement"]["reactions"] == {"🔥": 1}
    mug = next(p for p in analytics["products"] if p["productId"] == stream["mug"])
    assert (mug["clicks"], mug["views"], mug["purchases"]) == (1, 1, 2)
    assert float(analytics["revenue"]["total"]) == 19.0
