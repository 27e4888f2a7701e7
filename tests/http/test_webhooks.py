"""Webhooks and notifications through the API."""

from uuid import uuid4

import pytest

from tests.support.tokens import person

HOOK = {"url": "https://shop.test/hook", "events": ["stream.live", "stream.ended"]}


async def test_a_webhook_is_set_up_shown_changed_and_forgotten(api):
    seller = person("seller")
    created = (await api.call("POST", "/webhooks", seller, HOOK)).data
    assert created["secret"].startswith("whsec_")
    path = f"/webhooks/{created['id']}"
    shown = (await api.call("GET", path, seller)).data
    assert shown == {name: value for name, value in created.items() if name != "secret"}
    assert (shown["scope"], shown["enabled"], shown["events"]) == ("own", True, HOOK["events"])
    changes = {"enabled": False, "events": ["product.purchased"], "description": "till"}
    changed = (await api.call("PATCH", path, seller, changes)).data
    assert changed["events"] == ["product.purchased"]
    assert (changed["enabled"], changed["description"], changed["url"]) == (
        False,
        "till",
        HOOK["url"],
    )
    rotated = (await api.call("POST", f"{path}/rotate-secret", seller)).data
    assert rotated["secret"] != created["secret"]
    assert rotated["previousUntil"] is not None
    assert [one["id"] for one in (await api.call("GET", "/webhooks", seller)).data["items"]] == [
        created["id"]
    ]
    assert (await api.call("DELETE", path, seller)).data["deleted"] is True
    assert (await api.call("GET", path, seller)).problem["code"] == "webhook_not_found"


async def test_the_log_shows_what_is_to_be_sent(api):
    seller = person("seller")
    hook = (await api.call("POST", "/webhooks", seller, HOOK)).data
    stream_id = await api.live_stream(seller)
    path = f"/webhooks/{hook['id']}"
    (entry,) = (await api.call("GET", f"{path}/deliveries?state=pending", seller)).data["items"]
    assert (entry["type"], entry["streamId"], entry["attempts"]) == ("stream.live", stream_id, 0)
    assert entry["messageId"].startswith("msg_")
    assert entry["nextAttemptAt"] is not None
    assert entry["lastAttempt"] is None
    again = await api.call("POST", f"{path}/deliveries/{entry['id']}/resend", seller)
    assert (again.status, again.problem["code"]) == (409, "delivery_pending")
    again = await api.call("POST", f"{path}/deliveries/{uuid4()}/resend", seller)
    assert again.problem["code"] == "delivery_not_found"
    assert (await api.call("POST", f"{path}/resend-dead", seller)).data["count"] == 0


async def test_the_log_is_read_page_by_page(api):
    seller = person("seller")
    hook = (await api.call("POST", "/webhooks", seller, HOOK)).data
    streams = [await api.live_stream(seller) for _ in range(5)]
    seen, query = [], "limit=2"
    while query:
        page = (await api.call("GET", f"/webhooks/{hook['id']}/deliveries?{query}", seller)).data
        seen += [one["streamId"] for one in page["items"]]
        query = page["nextCursor"] and f"limit=2&cursor={page['nextCursor']}"
    assert seen == streams[::-1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**HOOK, "url": "ftp://shop.test/"}, "url"),
        ({**HOOK, "url": "https://user:hush@shop.test/"}, "url"),
        ({**HOOK, "url": "http://169.254.169.254/latest"}, "url"),
        ({**HOOK, "events": []}, "events"),
        ({**HOOK, "events": ["stream.exploded"]}, "events.0"),
        ({**HOOK, "scope": "some"}, "scope"),
        ({"url": HOOK["url"]}, "events"),
    ],
)
async def test_what_is_wrong_is_named(api, body, field):
    problem = (await api.call("POST", "/webhooks", person("seller"), body)).problem
    assert problem["status"] == 422
    assert [one["field"] for one in problem["errors"]] == [field]


async def test_only_those_who_may_set_up_webhooks(api):
    seller, admin = person("seller"), person("admin")
    for who, body, code in (
        (person("buyer"), HOOK, "only_sellers_sell"),
        (seller, {**HOOK, "scope": "all"}, "only_administrators"),
        (seller, {**HOOK, "events": ["notification.queued"]}, "only_administrators"),
        (None, HOOK, "not_authenticated"),
    ):
        assert (await api.call("POST", "/webhooks", who, body)).problem["code"] == code
    everybodys = (await api.call("POST", "/webhooks", admin, {**HOOK, "scope": "all"})).data
    path = f"/webhooks/{everybodys['id']}"
    assert (await api.call("GET", path, seller)).problem["code"] == "not_your_webhook"
    assert (await api.call("GET", "/webhooks?scope=all", seller)).status == 403
    listed = (await api.call("GET", "/webhooks?scope=all", admin)).data["items"]
    assert [one["id"] for one in listed] == [everybodys["id"]]


async def test_a_host_reads_how_far_the_telling_is(api):
    seller, fan = person("seller"), person("buyer")
    await api.call("GET", "/webhooks", seller)  # known from now on
    await api.call("PUT", f"/users/{seller.id}/follow", fan)
    body = {"kind": "fcm", "token": "phone-1"}
    await api.call("PUT", f"/users/me/devices/{uuid4()}", fan, body)
    product_id = await api.product(seller)
    stream_id = await api.stream(seller, product_ids=[product_id])
    assert (await api.go_live(seller, stream_id))["notificationsSent"] == 1
    path = f"/streams/{stream_id}/notifications"
    status = (await api.call("GET", path, seller)).data
    assert (status["queued"], status["expanded"], status["complete"]) == (1, 0, False)
    await api.stores.notifications.fan_out(10)
    status = (await api.call("GET", path, seller)).data
    assert (status["expanded"], status["devices"]["queued"]) == (1, 1)
    assert (await api.call("GET", path, fan)).problem["code"] == "not_your_stream"


async def test_pages_learn_the_key_that_they_subscribe_with(api):
    setup = (await api.call("GET", "/push")).data
    assert len(setup["webPush"]["applicationServerKey"]) == 87
    assert setup["fcm"] is False
