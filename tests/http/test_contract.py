"""The flow of the contract, call by call, on both databases: every field, every sentence."""

import re
from datetime import datetime
from uuid import uuid4

from tests.http.running_api import RunningApi
from tests.support.tokens import person

STREAM_RESPONSE = {
    "id",
    "user_id",
    "title",
    "description",
    "category",
    "status",
    "stream_type",
    "rtmp_url",
    "stream_key",
    "hls_url",
    "dash_url",
    "low_latency_dash_url",
    "thumbnail_url",
    "viewer_count",
    "total_views",
    "duration_seconds",
    "started_at",
    "ended_at",
    "audience",
    "estimated_duration",
    "notify_followers",
    "notify_neighborhood",
    "enable_chat",
    "enable_comments",
    "record_stream",
    "vod_url",
    "peak_viewers",
    "unique_viewers",
    "total_likes",
    "chat_messages_count",
    "average_watch_time",
    "ingest_state",
    "created_at",
    "updated_at",
    "user",
    "products",
}
READY = {"camera_ready": True, "checklist_complete": True}
KEY = re.compile(r"sk_[A-Za-z0-9_-]{43}")


def is_time(text):
    return datetime.fromisoformat(text).utcoffset() is not None


async def test_the_go_live_flow(both_apis: RunningApi):
    api, host, viewer = both_apis, person("seller"), person("buyer")
    api.publishing.vod_url = "https://vod.test/vods/x.m3u8"
    mug, bowl = await api.product(host, title="Mug", price=12.5), await api.product(host)
    await api.call("PUT", f"/users/{host.id}/follow", viewer)

    # 2: product selection
    body = {"title": "Mugs", "category": "kitchen", "product_ids": [mug]}
    created = await api.call("POST", "/streams", host, body)
    assert created.status == 201
    assert created.json["success"] is True
    assert set(created.data) == {
        "streamId",
        "title",
        "status",
        "audience",
        "estimatedDuration",
        "productCount",
        "createdAt",
    }
    assert created.data["status"] == "scheduled"
    assert created.data["audience"] == "everyone"
    assert created.data["estimatedDuration"] == 30
    assert created.data["productCount"] == 1
    stream = f"/streams/{created.data['streamId']}"

    attached = await api.call("POST", f"{stream}/products", host, [bowl])
    assert attached.status == 200
    assert attached.data["totalCount"] == 2
    assert attached.data["products"][0] | {"currency": None, "isAvailable": None} == {
        "id": mug,
        "title": "Mug",
        "price": 12.5,
        "imageUrl": None,
        "currency": None,
        "isAvailable": None,
    }
    again = await api.call("POST", f"{stream}/products", host, {"product_ids": [bowl]})
    assert again.data == attached.data

    # 3: settings
    changes = {"title": "More mugs", "enable_chat": False}
    updated = await api.call("PATCH", f"{stream}/settings", host, changes)
    assert updated.status == 200
    assert updated.data["title"] == "More mugs"
    assert updated.data["settings"] == {
        "audience": "everyone",
        "estimatedDuration": 30,
        "notifyFollowers": True,
        "notifyNeighborhood": False,
        "enableChat": False,
        "enableComments": True,
        "recordStream": True,
    }
    assert is_time(updated.data["updatedAt"])

    # 5: go live
    live = await api.call("POST", f"{stream}/go-live", host, READY)
    stream_id = created.data["streamId"]
    assert live.status == 200
    assert live.data["status"] == "live"
    assert live.data["rtmpUrl"] == "rtmp://shop.test/live"
    assert KEY.fullmatch(live.data["streamKey"])
    assert live.data["hlsUrl"] == f"https://shop.test/live/{stream_id}/index.m3u8"
    assert live.data["dashUrl"] == f"https://shop.test/live/{stream_id}/manifest.mpd"
    assert is_time(live.data["startedAt"])
    assert live.data["notificationsSent"] == 1

    pin = {"x": 0.25, "y": 0.75, "timestamp_seconds": 12}
    tagged = await api.call("POST", f"{stream}/products/{mug}/tag", host, pin)
    assert tagged.status == 200
    assert tagged.data == {"productId": mug, "x": 0.25, "y": 0.75, "timestamp": 12}

    for event in ({"type": "click"}, {"type": "view"}, {"type": "purchase", "quantity": 3}):
        sent = await api.call("POST", f"{stream}/products/{mug}/events", viewer, event)
        assert sent.status == 202

    # the end
    ended = await api.call("POST", f"{stream}/end", host)
    assert ended.status == 200
    assert ended.data["status"] == "ended"
    assert ended.data["duration"] >= 0
    assert ended.data["stats"] == {
        "peakViewers": 0,
        "uniqueViewers": 0,
        "totalLikes": 0,
        "chatMessages": 0,
        "averageWatchTime": 0.0,
    }
    assert ended.data["vodUrl"] == "https://vod.test/vods/x.m3u8"
    assert is_time(ended.data["endedAt"])
    assert [str(stream_id) for stream_id in api.publishing.ended] == [stream_id]

    analytics = (await api.call("GET", f"{stream}/analytics", host)).data
    assert set(analytics) == {
        "streamId",
        "basicStats",
        "engagement",
        "products",
        "revenue",
        "geography",
        "timeline",
        "quality",
    }
    assert set(analytics["basicStats"]) == {
        "duration",
        "peakViewers",
        "uniqueViewers",
        "averageWatchTime",
    }
    assert analytics["engagement"] == {"totalLikes": 0, "chatMessages": 0, "reactions": {}}
    assert analytics["products"][0] == {
        "productId": mug,
        "title": "Mug",
        "clicks": 1,
        "views": 1,
        "inquiries": 0,
        "purchases": 3,
    }
    assert analytics["revenue"]["currency"] == "EUR"
    assert analytics["revenue"]["total"] == "37.50"
    assert analytics["revenue"]["perProduct"][0] == {
        "productId": mug,
        "currency": "EUR",
        "total": "37.50",
    }
    assert analytics["geography"] == {}
    assert analytics["timeline"] == []
    assert analytics["quality"] == {
        "sessions": 0,
        "startupTime": None,
        "startupTimeP95": None,
        "rebuffers": 0,
        "rebufferedSessions": 0,
        "rebufferTime": None,
        "averageBitrate": None,
    }

    shown = await api.call("GET", stream, host)
    assert set(shown.data) >= STREAM_RESPONSE
    assert shown.data["status"] == "ended"
    assert shown.data["ingest_state"] == "finished"
    assert shown.data["user"] == {"id": str(host.id), "username": host.username, "avatar_url": None}
    assert [product["id"] for product in shown.data["products"]] == [mug, bowl]
    assert (await api.call("GET", stream)).data["stream_key"] is None


async def test_a_stream_is_cancelled_and_stays_so(both_apis: RunningApi):
    api, host = both_apis, person("both")
    stream_id = await api.stream(host, product_ids=[await api.product(host)])
    cancelled = await api.call("POST", f"/streams/{stream_id}/cancel", host)
    assert cancelled.status == 200
    assert cancelled.data["status"] == "cancelled"
    for call, body in (("cancel", None), ("go-live", READY)):
        refused = await api.call("POST", f"/streams/{stream_id}/{call}", host, body)
        assert (refused.status, refused.problem["detail"]) == (
            400,
            "Stream must be in scheduled status",
        )


async def test_every_refusal_has_the_sentence_that_clients_match_on(both_apis: RunningApi):
    api, host, stranger = both_apis, person("seller"), person("seller")
    mug, foreign, gone = (
        await api.product(host),
        await api.product(stranger),
        await api.product(host, is_available=False),
    )
    scheduled = f"/streams/{await api.stream(host, product_ids=[mug])}"
    empty = f"/streams/{await api.stream(host)}"
    live = f"/streams/{await api.live_stream(host)}"
    nowhere = f"/streams/{uuid4()}"
    new = {"title": "Mugs", "category": "kitchen"}
    pin = {"x": 0, "y": 0}
    refusals = [
        # who, method, path, body, status, detail
        (person("buyer"), "POST", "/streams", new, 403, "Only sellers can create streams"),
        (person("admin"), "POST", "/streams", new, 403, "Only sellers can create streams"),
        *(
            (host, "POST", "/streams", {**new, "product_ids": [product]}, 400, detail)
            for detail in ["Some products not found or not available"]
            for product in (foreign, gone, str(uuid4()))
        ),
        (host, "GET", nowhere, None, 404, "Stream not found"),
        (host, "POST", f"{nowhere}/end", None, 404, "Stream not found"),
        (host, "POST", f"{nowhere}/products", [mug], 404, "Stream not found"),
        (stranger, "POST", f"{scheduled}/products", [mug], 403, "Not your stream"),
        (stranger, "PATCH", f"{scheduled}/settings", {}, 403, "Not your stream"),
        (stranger, "POST", f"{scheduled}/go-live", READY, 403, "Not your stream"),
        (stranger, "POST", f"{live}/end", None, 403, "Not your stream"),
        (stranger, "POST", f"{live}/rotate-key", None, 403, "Not your stream"),
        (stranger, "GET", f"{live}/viewers", None, 403, "Not your stream"),
        (stranger, "GET", f"{live}/analytics", None, 403, "Not your stream"),
        (stranger, "POST", f"{live}/products/{mug}/tag", pin, 403, "Not your stream"),
        (host, "POST", f"{scheduled}/products", [foreign], 400, "Some products not found"),
        (host, "POST", f"{scheduled}/products", [gone], 400, "Some products not found"),
        (host, "POST", f"{live}/products", [mug], 400, "Can only attach products to scheduled streams"),
        (host, "PATCH", f"{live}/settings", {"title": "x"}, 400, "Can only update scheduled streams"),
        (host, "POST", f"{live}/go-live", READY, 400, "Stream must be in scheduled status"),
        (host, "POST", f"{empty}/go-live", READY, 400, "Stream must have at least 1 product attached"),
        (host, "POST", f"{scheduled}/go-live", {**READY, "camera_ready": False}, 400, "Camera and checklist must be ready"),
        (host, "POST", f"{scheduled}/go-live", {**READY, "checklist_complete": False}, 400, "Camera and checklist must be ready"),
        (host, "POST", f"{scheduled}/end", None, 400, "Stream is not live"),
        (host, "DELETE", f"{scheduled}/products/{foreign}", None, 404, "Product not in stream"),
        (host, "POST", f"{live}/products/{mug}/tag", pin, 404, "Product not in stream"),
        (host, "POST", f"{live}/products/{mug}/events", {"type": "view"}, 404, "Product not in stream"),
    ]  # fmt: skip
    for who, method, path, body, status, detail in refusals:
        reply = await api.call(method, path, who, body)
        said = (reply.status, reply.problem["detail"])
        assert said == (status, detail), (method, path, body)


async def test_only_sent_settings_change_and_null_clears_a_description(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    stream_id = await api.stream(host, description="Blue ones", enable_chat=False)
    path = f"/streams/{stream_id}/settings"
    kept = await api.call("PATCH", path, host, {"record_stream": False})
    assert kept.data["description"] == "Blue ones"
    assert kept.data["settings"]["enableChat"] is False
    assert kept.data["settings"]["recordStream"] is False
    cleared = await api.call("PATCH", path, host, {"description": None})
    assert cleared.data["description"] is None
    refused = await api.call("PATCH", path, host, {"title": None})
    assert refused.status == 422
    assert refused.problem["errors"][0]["field"] == "title"


async def test_a_page_leads_to_the_next_until_all_are_seen_once(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    made = [await api.stream(host, title=f"Stream {number}") for number in range(7)]
    seen, cursor = [], None
    while True:
        query = {"user_id": str(host.id), "limit": "3", **({"cursor": cursor} if cursor else {})}
        page = (await api.call("GET", "/streams", params=query)).data
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_a_listing_narrows_by_status_and_category(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    live = await api.live_stream(host, category="garden")
    scheduled = await api.stream(host, category="garden")
    await api.stream(host, category="kitchen")

    async def found(**query):
        page = (await api.call("GET", "/streams", params=query)).data
        return {item["id"] for item in page["items"]}

    assert await found(category="garden") == {live, scheduled}
    assert await found(status="live") == {live}
    assert await found(status="scheduled", category="garden") == {scheduled}
    assert await found(user_id=str(uuid4())) == set()
