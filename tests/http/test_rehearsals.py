"""The calls about a rehearsal: who may, when, and what each answers, on both databases."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from controller.domain.rehearsals import is_rehearsal
from tests.http.running_api import PUBLIC_URL, REHEARSAL_S, RunningApi
from tests.support.tokens import person

READY = {"camera_ready": True, "checklist_complete": True}
REHEARSAL = {
    "streamId",
    "startedAt",
    "expiresAt",
    "ingest",
    "rtmpUrl",
    "whipUrl",
    "streamKey",
    "whepUrl",
    "hlsUrl",
    "dashUrl",
    "token",
    "tokenExpiresAt",
    "renewAt",
    "session",
    "intake",
    "parts",
    "advice",
}


def path_of(stream_id: str) -> str:
    return f"/streams/{stream_id}/rehearsal"


def media_of(rehearsal: dict) -> UUID:
    """The id in its addresses."""
    return UUID(urlsplit(rehearsal["hlsUrl"]).path.split("/")[3])


async def test_a_host_rehearses(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    stream_id = await api.stream(host)
    path = path_of(stream_id)
    none = await api.call("GET", path, host)
    assert (none.status, none.problem["code"]) == (404, "rehearsal_not_found")

    started = await api.call("POST", path, host)
    assert started.status == 201
    data, media = started.data, media_of(started.data)
    assert set(data) == REHEARSAL
    assert (data["streamId"], data["ingest"], data["session"]) == (stream_id, "idle", None)
    assert (data["intake"], data["parts"], data["advice"]) == (None, None, [])
    lasts = datetime.fromisoformat(data["expiresAt"]) - datetime.fromisoformat(data["startedAt"])
    assert lasts == timedelta(seconds=REHEARSAL_S)
    base = f"{PUBLIC_URL}/~{data['token']}/live/{media}"
    assert data["whepUrl"] == f"{base}/whep"
    assert data["hlsUrl"] == f"{base}/index.m3u8"
    assert data["dashUrl"] == f"{base}/manifest.mpd"
    assert data["whipUrl"] == f"{PUBLIC_URL}/live/whip"
    assert is_rehearsal(media)
    match = await api.keys.find_key(data["streamKey"])
    assert (match.stream_id, match.media_id) == (UUID(stream_id), media)

    again = await api.call("POST", path, host)
    assert (again.status, media_of(again.data)) == (200, media)
    assert again.data["expiresAt"] == data["expiresAt"]
    read = await api.call("GET", path, host)
    assert (read.status, media_of(read.data)) == (200, media)

    ended = await api.call("DELETE", path, host)
    assert (ended.status, ended.text) == (204, "")
    assert api.rehearsing.ended == [(media, "rehearsal_ended")]
    assert (await api.call("GET", path, host)).status == 404
    assert (await api.call("DELETE", path, host)).status == 204
    assert not (await api.keys.find_key(data["streamKey"])).may_publish


async def test_it_is_its_owners(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    stream_id = await api.stream(host)
    assert (await api.call("POST", path_of(stream_id), host)).status == 201
    for other in (person("seller"), person("buyer"), person("admin")):
        for method in ("POST", "GET", "DELETE"):
            refused = await api.call(method, path_of(stream_id), other)
            assert (refused.status, refused.problem["detail"]) == (403, "Not your stream")
    for method in ("POST", "GET", "DELETE"):
        assert (await api.call(method, path_of(stream_id))).status == 401
        missing = await api.call(method, path_of(str(uuid4())), host)
        assert (missing.status, missing.problem["detail"]) == (404, "Stream not found")
        assert (await api.call(method, path_of("x"), host)).status == 422
    assert (await api.call("GET", path_of(stream_id), host)).status == 200
    assert api.rehearsing.ended == []


async def test_only_a_scheduled_stream_is_rehearsed(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    stream_id = await api.live_stream(host)
    for status in ("live", "ended"):
        refused = await api.call("POST", path_of(stream_id), host)
        assert (refused.status, refused.problem["code"]) == (400, "stream_not_scheduled"), status
        assert refused.problem["detail"] == "Stream must be in scheduled status"
        if status == "live":
            assert (await api.call("POST", f"/streams/{stream_id}/end", host)).status == 200
    cancelled = await api.stream(host)
    assert (await api.call("POST", f"/streams/{cancelled}/cancel", host)).status == 200
    assert (await api.call("POST", path_of(cancelled), host)).status == 400


async def test_what_ends_it(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    product = await api.product(host)
    for call, body, reason in (
        ("go-live", READY, "stream_live"),
        ("cancel", None, "stream_cancelled"),
        ("rotate-key", None, "key_rotated"),
    ):
        api.rehearsing.ended.clear()
        stream_id = await api.stream(host, product_ids=[product])
        started = (await api.call("POST", path_of(stream_id), host)).data
        reply = await api.call("POST", f"/streams/{stream_id}/{call}", host, body)
        assert reply.status == 200, reply.text
        assert api.rehearsing.ended == [(media_of(started), reason)]
        over = await api.call("GET", path_of(stream_id), host)
        assert (over.status, over.problem["code"]) == (404, "rehearsal_not_found")
        assert await api.stores.rehearsals.all() == []


async def test_what_is_refused_ends_nothing(both_apis: RunningApi):
    api, host, stranger = both_apis, person("seller"), person("seller")
    stream_id = await api.stream(host)
    assert (await api.call("POST", path_of(stream_id), host)).status == 201
    for by, call, body, status in (
        (host, "go-live", READY, 400),
        (stranger, "go-live", READY, 403),
        (stranger, "cancel", None, 403),
        (stranger, "rotate-key", None, 403),
    ):
        reply = await api.call("POST", f"/streams/{stream_id}/{call}", by, body)
        assert reply.status == status, reply.text
    assert (await api.call("GET", path_of(stream_id), host)).status == 200
    assert api.rehearsing.ended == []


async def test_its_time_runs_out(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    stream_id = await api.stream(host)
    started = (await api.call("POST", path_of(stream_id), host)).data
    api.clock.ahead += timedelta(seconds=REHEARSAL_S)
    assert (await api.call("GET", path_of(stream_id), host)).status == 404
    assert not (await api.keys.find_key(started["streamKey"])).may_publish
    another = await api.call("POST", path_of(stream_id), host)
    assert another.status == 201
    assert media_of(another.data) != media_of(started)


async def test_only_its_own_token_plays_it(both_apis: RunningApi):
    api, host, other, viewer = both_apis, person("seller"), person("seller"), person("buyer")
    stream_id = await api.stream(host, audience="followers")
    rehearsal = (await api.call("POST", path_of(stream_id), host)).data
    elsewhere = (await api.call("POST", path_of(await api.stream(other)), other)).data
    await api.call("PUT", f"/users/{host.id}/follow", viewer)
    granted = await api.call("POST", f"/streams/{stream_id}/playback-token", viewer)
    media = media_of(rehearsal)

    async def plays(token: str | None) -> bool:
        headers = {"X-Playback-Stream": str(media)}
        if token is not None:
            headers["X-Playback-Token"] = token
        reply = await api.call("GET", "//internal/playback-access", headers=headers)
        assert reply.status in {204, 403}
        assert (await api.gate.authorize(media, token)).allowed is (reply.status == 204)
        return reply.status == 204

    assert await plays(rehearsal["token"])
    assert granted.data["token"]
    for token in (None, granted.data["token"], elsewhere["token"], "A" * 32, "nonsense"):
        assert not await plays(token), "a token of something else"


async def test_nobody_else_sees_anything_of_it(both_apis: RunningApi):
    api, host, viewer = both_apis, person("seller"), person("buyer")
    await api.call("PUT", f"/users/{host.id}/follow", viewer)
    stream_id = await api.stream(host)
    before = {who: (await api.call("GET", "/streams", who)).data for who in (None, viewer, host)}
    shown = (await api.call("GET", f"/streams/{stream_id}", viewer)).data
    media = media_of((await api.call("POST", path_of(stream_id), host)).data)
    for who, listed in before.items():
        assert (await api.call("GET", "/streams", who)).data == listed
    assert (await api.call("GET", f"/streams/{stream_id}", viewer)).data == shown
    assert shown["ingest_state"] == "idle"
    for method, call in (
        ("GET", ""),
        ("GET", "/analytics"),
        ("GET", "/viewers"),
        ("GET", "/health"),
        ("GET", "/recording"),
        ("GET", "/replay"),
        ("GET", "/clips"),
        ("POST", "/playback-token"),
        ("POST", "/end"),
        ("POST", "/rehearsal"),
    ):
        for who in (viewer, host):
            reply = await api.call(method, f"/streams/{media}{call}", who)
            assert reply.status == 404, f"{method} {call}: {reply.text}"


async def test_an_administrator_cancels_it(both_apis: RunningApi):
    api, host, admin = both_apis, person("seller"), person("admin")
    stream_id = await api.stream(host)
    media = media_of((await api.call("POST", path_of(stream_id), host)).data)
    assert (await api.call("POST", f"/streams/{stream_id}/cancel", admin)).status == 200
    assert api.rehearsing.ended == [(media, "stream_cancelled")]
