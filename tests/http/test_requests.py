"""What holds for every call: idempotency, conditional requests, request ids, cross-origin rules,
failures of the database, and who sees which key.
"""

import asyncio
import logging
import re
import time
from uuid import uuid4

import aiohttp
import pytest
import structlog

from controller.api.health import ReadinessCheck
from controller.auth.authenticator import Authenticator
from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.failure_limit import FailureAllowance, FailureLimiter
from controller.auth.verification_keys import ConfiguredKey
from controller.domain.ports import EndedMedia
from controller.hub.guests import GuestSessions
from tests.http.running_api import GUEST_KEY, FakePublishing, RunningApi, run_api
from tests.support.databases import DatabaseFactory, postgres_server
from tests.support.tokens import SECRET, bearer_token, person

NEW = {"title": "Mugs", "category": "kitchen"}


async def test_a_repeated_creation_is_answered_alike_and_says_so(api: RunningApi):
    host, headers = person("seller"), {"Idempotency-Key": "tap-1"}
    first = await api.call("POST", "/streams", host, NEW, headers=headers)
    again = await api.call("POST", "/streams", host, NEW, headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await api.call("POST", "/streams", host, {**NEW, "title": "Bowls"}, headers=headers)
    assert (other.status, other.problem["code"]) == (409, "idempotency_key_reused")
    listed = await api.call("GET", "/streams", params={"user_id": str(host.id)})
    assert len(listed.data["items"]) == 1


async def test_a_product_event_is_counted_once_per_viewer_and_key(api: RunningApi):
    host, viewer = person("seller"), person()
    product = await api.product(host)
    stream_id = await api.stream(host, product_ids=[product])
    path = f"/streams/{stream_id}/products/{product}/events"
    headers = {"Idempotency-Key": "tap-1"}
    counted = [
        (await api.call("POST", path, who, {"type": "click"}, headers=headers)).data["counted"]
        for who in (viewer, viewer, host)
    ]
    assert counted == [True, False, True]
    reused = await api.call("POST", path, viewer, {"type": "view"}, headers=headers)
    assert reused.status == 409
    analytics = await api.call("GET", f"/streams/{stream_id}/analytics", host)
    assert analytics.data["products"][0]["clicks"] == 2


async def test_a_viewer_without_a_token_counts_by_its_session(api: RunningApi):
    host = person("seller")
    product = await api.product(host)
    stream_id = await api.stream(host, product_ids=[product])
    path = f"/streams/{stream_id}/products/{product}/events"
    guests = GuestSessions(GUEST_KEY)
    one, other = (guests.recognise("").token for _ in range(2))
    headers = {"Idempotency-Key": "tap-1"}

    async def tell(session: str = "", kind: str = "click", **more):
        params = {"session": session} if session else {}
        return await api.call("POST", path, None, {"type": kind}, params=params, **more)

    counted = [(await tell(who, headers=headers)).data["counted"] for who in (one, one, other)]
    assert counted == [True, False, True]
    by_cookie = await tell(headers={**headers, "Cookie": f"golive_guest={one}"})
    assert (by_cookie.status, by_cookie.data["counted"]) == (202, False)
    for kind in ("view", "inquiry", "purchase"):
        assert (await tell(one, kind)).status == 202
    for refused in (await tell(), await tell("x" * 43), await tell("", "purchase")):
        assert (refused.status, refused.problem["code"]) == (401, "not_authenticated")
    assert (await tell("x" * 257)).status == 422
    [found] = (await api.call("GET", f"/streams/{stream_id}/analytics", host)).data["products"]
    assert [found[kind] for kind in ("clicks", "views", "inquiries", "purchases")] == [2, 1, 1, 1]


@pytest.mark.parametrize("quantity", [0, -1, 101, 1.5, "2", None, True, 1e400])
async def test_a_quantity_is_a_whole_number_from_1_to_100(api: RunningApi, quantity):
    host = person("seller")
    product = await api.product(host)
    stream_id = await api.stream(host, product_ids=[product])
    path = f"/streams/{stream_id}/products/{product}/events"
    body = {"type": "purchase", "quantity": quantity}
    refused = await api.call("POST", path, host, body)
    assert refused.status in {400, 422}
    if refused.status == 422:
        assert [one["field"] for one in refused.problem["errors"]] == ["quantity"]
    for least_or_most in (1, 100):
        body = {"type": "purchase", "quantity": least_or_most}
        assert (await api.call("POST", path, host, body)).status == 202
    [found] = (await api.call("GET", f"/streams/{stream_id}/analytics", host)).data["products"]
    assert found["purchases"] == 101


async def test_an_unchanged_stream_is_not_sent_again(api: RunningApi):
    host = person("seller")
    path = f"/streams/{await api.stream(host)}"
    etag = (await api.call("GET", path)).headers["ETag"]
    for tags in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        unchanged = await api.call("GET", path, headers={"If-None-Match": tags})
        assert (unchanged.status, unchanged.text) == (304, "")
        assert unchanged.headers["ETag"] == etag
    # The owner sees another answer, with the key in it.
    assert (await api.call("GET", path, host, headers={"If-None-Match": etag})).status == 200
    await api.call("PATCH", f"{path}/settings", host, {"title": "Bowls"})
    changed = await api.call("GET", path, headers={"If-None-Match": etag})
    assert changed.status == 200
    assert changed.headers["ETag"] != etag


@pytest.mark.parametrize("role", ["buyer", "seller", "both", "admin"])
async def test_a_stream_key_is_shown_to_its_owner_only(api: RunningApi, role):
    host = person("seller")
    stream_id = await api.stream(host)
    key = (await api.call("GET", f"/streams/{stream_id}", host)).data["stream_key"]
    assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}", key)
    other = person(role)
    for path in (f"/streams/{stream_id}", "/streams"):
        assert key in (await api.call("GET", path, host)).text
        for who in (other, None):
            assert "sk_" not in (await api.call("GET", path, who)).text


async def test_a_rotated_key_replaces_the_old_one_and_its_encoder_is_dropped(api: RunningApi):
    host = person("seller")
    stream_id = await api.live_stream(host)
    old = (await api.call("GET", f"/streams/{stream_id}", host)).data["stream_key"]
    rotated = await api.call("POST", f"/streams/{stream_id}/rotate-key", host)
    new = rotated.data["streamKey"]
    assert new != old
    assert (await api.call("GET", f"/streams/{stream_id}", host)).data["stream_key"] == new
    assert (await api.keys.find_key(old)).may_publish is False
    assert (await api.keys.find_key(new)).may_publish is True
    assert [(str(at), why) for at, why in api.publishing.disconnected] == [
        (stream_id, "key_rotated")
    ]


async def test_limited_streams_are_hidden_from_everyone_else(api: RunningApi):
    host, fan, neighbor, stranger = person("seller"), person(), person(), person()
    followers = await api.stream(host, audience="followers")
    nearby = await api.stream(host, audience="neighborhood")
    await api.call("PUT", f"/users/{host.id}/follow", fan)
    for who, latitude in ((host, 52.520), (neighbor, 52.529), (stranger, 52.600)):
        await api.call("PUT", "/users/me", who, {"latitude": latitude, "longitude": 13.405})
    seen = {
        "host": (host, {followers, nearby}),
        "fan": (fan, {followers}),
        "neighbor": (neighbor, {nearby}),
        "stranger": (stranger, set()),
        "admin": (person("admin"), {followers, nearby}),
        "anonymous": (None, set()),
    }
    for name, (who, expected) in seen.items():
        page = (await api.call("GET", "/streams", who)).data
        assert {item["id"] for item in page["items"]} == expected, name
        for stream_id in (followers, nearby):
            reply = await api.call("GET", f"/streams/{stream_id}", who)
            assert reply.status == (200 if stream_id in expected else 403), name
            if reply.status == 403:
                assert reply.problem["code"] == "not_in_audience"


async def test_an_administrator_ends_and_reads_but_does_not_publish(api: RunningApi):
    host, admin = person("seller"), person("admin")
    live, scheduled = await api.live_stream(host), await api.stream(host)
    assert (await api.call("GET", f"/streams/{live}/analytics", admin)).status == 200
    assert (await api.call("POST", f"/streams/{live}/rotate-key", admin)).status == 403
    assert (await api.call("POST", f"/streams/{live}/end", admin)).status == 200
    assert (await api.call("POST", f"/streams/{scheduled}/cancel", admin)).status == 200


async def test_a_stream_ends_although_its_media_cannot(api: RunningApi):
    host = person("seller")
    stream_id = await api.live_stream(host)
    api.publishing.failure = RuntimeError("the packager is gone")
    ended = await api.call("POST", f"/streams/{stream_id}/end", host)
    assert (ended.status, ended.data["vodUrl"]) == (200, None)


class SlowPublishing(FakePublishing):
    """A media side that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_go_on, self.done = (asyncio.Event() for _ in range(3))

    async def end_stream(self, stream_id) -> EndedMedia:
        self.begun.set()
        await self.may_go_on.wait()
        self.done.set()
        return EndedMedia("https://vod.test/x.m3u8")


async def test_a_command_is_seen_through_though_its_client_hangs_up(sqlite_factory):
    publishing, host = SlowPublishing(), person("seller")
    url = await sqlite_factory.fresh()
    async with run_api(url, runner={"handler_cancellation": True}, publishing=publishing) as api:
        stream_id = await api.live_stream(host)
        ending = asyncio.create_task(api.call("POST", f"/streams/{stream_id}/end", host))
        await publishing.begun.wait()
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        publishing.may_go_on.set()
        async with asyncio.timeout(10):
            await publishing.done.wait()
            while (await api.call("GET", f"/streams/{stream_id}")).data["vod_url"] is None:
                await asyncio.sleep(0.01)


async def test_every_answer_names_its_request(api: RunningApi):
    given = "trace-0123456789"
    for path in ("/streams", "/nothing", f"/streams/{uuid4()}", "//healthz"):
        assert len((await api.call("GET", path)).headers["X-Request-ID"]) == 32
        named = await api.call("GET", path, headers={"X-Request-ID": given})
        assert named.headers["X-Request-ID"] == given
        if named.status == 404:
            assert named.problem["request_id"] == given
    forged = await api.call("GET", "/streams", headers={"X-Request-ID": "a b<script>"})
    assert "<" not in forged.headers["X-Request-ID"]


async def test_pages_of_listed_origins_may_call(api: RunningApi):
    preflight = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    }
    for method, path, extra in (
        ("OPTIONS", "/users/me", preflight),
        ("GET", "/streams", {}),
        ("GET", "/users/me", {}),
        ("GET", "/nothing", {}),
    ):
        ours = await api.call(method, path, headers={"Origin": "https://app.test", **extra})
        assert ours.headers["Access-Control-Allow-Origin"] == "https://app.test"
        assert "Origin" in ours.headers.getall("Vary")
        theirs = await api.call(method, path, headers={"Origin": "https://evil.test", **extra})
        assert "Access-Control-Allow-Origin" not in theirs.headers
        if method == "OPTIONS":
            assert ours.status == 204
            assert "Authorization" in ours.headers["Access-Control-Allow-Headers"]
            assert theirs.status == 405


async def test_head_is_answered_like_get_without_a_body(api: RunningApi):
    host = person("seller")
    path = f"/streams/{await api.stream(host)}"
    get, head = await api.call("GET", path), await api.call("HEAD", path)
    assert (head.status, head.text) == (200, "")
    assert head.headers["ETag"] == get.headers["ETag"]


async def test_an_unknown_method_is_told_the_known_ones(api: RunningApi):
    refused = await api.call("PATCH", "/streams")
    assert refused.status == 405
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_a_database_that_is_gone_is_said_at_once_and_comes_back(request, tmp_path):
    server = postgres_server(request.config)
    url = await DatabaseFactory("postgresql", tmp_path, server).fresh()
    async with run_api(url) as api:
        host = person("seller")
        stream_id = await api.stream(host)
        async with server.unreachable(url):
            for call in (
                ("GET", f"/streams/{stream_id}"),
                (
                    "POST",
                    f"/streams/{stream_id}/go-live",
                    host,
                    {"camera_ready": True, "checklist_complete": True},
                ),
                ("PUT", f"/users/{host.id}/follow", person()),
            ):
                refused = await api.call(*call)
                assert (refused.status, refused.problem["code"]) == (503, "store_unavailable")
                assert refused.problem["retryable"] is True
                assert refused.headers["Retry-After"].isdigit()
            assert (await api.call("GET", "//readyz")).status == 503
        assert (await api.call("GET", f"/streams/{stream_id}")).status == 200
        assert (await api.call("GET", "//readyz")).status == 200


async def test_readiness_gives_a_reason_per_dependency(sqlite_factory):
    async def hangs():
        await asyncio.Event().wait()

    async def breaks():
        raise RuntimeError("secret-detail")

    async def works():
        pass

    checks = [ReadinessCheck("disk", works), ReadinessCheck("nginx", breaks)]
    async with run_api(await sqlite_factory.fresh(), readiness=checks) as api:
        reply = await api.call("GET", "//readyz")
        assert reply.status == 503
        assert reply.json["checks"]["disk"] == {"ok": True}
        assert reply.json["checks"]["nginx"] == {"ok": False, "reason": "RuntimeError"}
        assert "secret-detail" not in reply.text
        assert (await api.call("GET", "//healthz")).json == {"status": "ok"}


async def test_a_source_of_bad_tokens_is_slowed_down_and_good_ones_pass(sqlite_factory):
    url = await sqlite_factory.fresh()
    async with run_api(url) as api:
        limiter = FailureLimiter(FailureAllowance(burst=3, per_minute=6), time.monotonic)
        bearer = BearerTokens(TokenRules("HS256"), ConfiguredKey(SECRET.encode(), "HS256"))
        authenticator = Authenticator(bearer, api.stores.users, limiter)
        async with run_api(url, authenticator=authenticator) as slow:
            bad = {"Authorization": f"Bearer {bearer_token(life_s=-999)}"}
            statuses = [(await slow.call("GET", "/users/me", headers=bad)).status for _ in range(5)]
            assert statuses == [401, 401, 401, 429, 429]
            refused = await slow.call("GET", "/users/me", headers=bad)
            assert 1 <= int(refused.headers["Retry-After"]) <= 10
            assert refused.problem["retryable"] is True
            assert (await slow.call("GET", "/users/me", person())).status == 200


async def test_a_crash_is_a_problem_without_its_reason(sqlite_factory):
    class Broken:
        async def find(self, *_query):
            raise KeyError("secret-detail")

    async with run_api(await sqlite_factory.fresh(), catalogue=Broken()) as api:
        crashed = await api.call("GET", "/streams")
        assert (crashed.status, crashed.problem["code"]) == (500, "internal_error")
        assert "secret-detail" not in crashed.text
        assert "Traceback" not in crashed.text


async def test_no_key_and_no_token_is_in_any_log(api: RunningApi, caplog):
    caplog.set_level(logging.DEBUG)
    host, follower = person("seller"), person()
    with structlog.testing.capture_logs() as logged:
        stream_id = await api.live_stream(host, audience="followers")
        path = f"/streams/{stream_id}"
        old = (await api.call("GET", path, host)).data["stream_key"]
        new = (await api.call("POST", f"{path}/rotate-key", host)).data["streamKey"]
        await api.call("PUT", f"/users/{host.id}/follow", follower)
        playback = (await api.call("POST", f"{path}/playback-token", follower)).data["token"]
        bad = bearer_token(life_s=-999)
        await api.call("GET", path, headers={"Authorization": f"Bearer {bad}"})
        await api.call("GET", f"/streams?cursor={new}&token={bad}")
        api.publishing.failure = RuntimeError("the packager is gone")
        await api.call("POST", f"{path}/end", host)
    told = repr(logged) + caplog.text
    assert "token_refused" in told
    assert "publishing_step_failed" in told
    for secret in (old, new, playback, bad, host.token, follower.token):
        assert secret not in told


async def test_a_user_is_known_from_their_first_call(api: RunningApi):
    newcomer = person("both", "newcomer")
    profile = (await api.call("GET", "/users/me", newcomer)).data
    assert profile == {
        "id": str(newcomer.id),
        "username": "newcomer",
        "avatarUrl": None,
        "role": "both",
        "latitude": None,
        "longitude": None,
    }


async def test_the_directory_is_kept_by_its_owners(api: RunningApi):
    seller, other, buyer = person("seller"), person("both"), person("buyer")
    product = await api.product(seller, image_urls=["https://x.test/1.png"])
    path, body = f"/products/{product}", {"title": "Mug", "price": 3, "currency": "USD"}
    assert (await api.call("PUT", path, buyer, body)).problem["code"] == "only_sellers_sell"
    assert (await api.call("PUT", path, other, body)).problem["code"] == "not_your_product"
    replaced = await api.call("PUT", path, seller, body)
    assert (replaced.status, replaced.data["price"], replaced.data["imageUrls"]) == (200, 3.0, [])
    listed = await api.call("GET", "/products", seller, params={"seller_id": str(seller.id)})
    assert [item["id"] for item in listed.data["items"]] == [product]
    foreign = await api.call("GET", "/products", other, params={"seller_id": str(seller.id)})
    assert foreign.status == 403
    assert (await api.call("DELETE", path, other)).status == 403
    assert (await api.call("DELETE", path, seller)).status == 200
    assert (await api.call("DELETE", path, seller)).status == 404


async def test_people_follow_and_keep_devices(api: RunningApi):
    host, fan = person("seller"), person()
    await api.call("GET", "/users/me", host)
    follow = f"/users/{host.id}/follow"
    followed = await api.call("PUT", follow, fan)
    assert followed.data == {"userId": str(host.id), "following": True}
    assert (await api.call("DELETE", follow, fan)).data["following"] is False
    assert (await api.call("PUT", follow, host)).problem["code"] == "cannot_follow_self"
    assert (await api.call("PUT", f"/users/{uuid4()}/follow", fan)).status == 404
    device = f"/users/me/devices/{uuid4()}"
    subscription = {"endpoint": "https://push.test/x", "keys": {"p256dh": "BPk", "auth": "aUt"}}
    for target in (
        {"kind": "fcm", "token": "fcm-token"},
        {"kind": "web_push", "subscription": subscription},
    ):
        kept = await api.call("PUT", device, fan, target)
        assert (kept.status, kept.data["kind"]) == (200, target["kind"])
        assert "fcm-token" not in kept.text
    assert (await api.call("DELETE", device, fan)).data["deleted"] is True


async def test_the_docs_need_nothing_from_elsewhere(api: RunningApi):
    page = await api.call("GET", "//docs")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    document = (await api.call("GET", "/openapi.json")).json
    for path, entries in document["paths"].items():
        assert path in page.text
        for entry in entries.values():
            assert f'id="{entry["operationId"]}"' in page.text
    for code in ("stream_not_found", "host_not_ready", "store_unavailable"):
        assert f'id="error-{code}"' in page.text
    # No script, style, font or picture is fetched.
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=(?!\"data:)", page.text)
    assert not re.search(r"url\(|@import", page.text)


async def test_a_connection_that_breaks_in_the_middle_of_a_body_harms_nobody(api: RunningApi):
    host = person("seller")
    address = aiohttp.client.URL(api.base)
    _reader, writer = await asyncio.open_connection(address.host, address.port)
    head = (
        f"POST /api/v1/streams HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {host.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await api.call("GET", "/streams")).status == 200
