"""Limited streams play with their token only: asked of the daemon, and through a real nginx that
runs the very directives of the decision record.
"""

import asyncio
import re
import shutil
import subprocess
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from yarl import URL

from controller.auth.playback import PlaybackTokens
from tests.http.running_api import KEY_SECRET, TTL_S, FakeClock, RunningApi
from tests.support.databases import free_port
from tests.support.tokens import person

RECORD = Path(__file__).parents[2] / "docs/decisions/0003-playback-access.md"
MEDIA = {
    "playlist": "/live/{id}/index.m3u8",
    "MPD": "/live/{id}/manifest.mpd",
    "segment": "/live/{id}/video/segment-1.m4s",
    "part": "/live/{id}/video/part-1.m4s",
    "VOD playlist": "/vods/{id}.m3u8",
    "VOD MPD": "/vods/{id}.mpd",
    "VOD segment": "/vods/{id}/video/segment-1.m4s",
}

UNKNOWN = "7b6b9df6-2b3f-4b4b-9a55-0e6f6f1f2d11"


def directives(section: str) -> str:
    return re.search(rf"```nginx {section}\n(.*?)```", RECORD.read_text(), re.DOTALL)[1]


def nginx_config(folder: Path, port: int, daemon: str) -> str:
    media = directives("media")
    return f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream daemon {{ server {daemon}; }}
    {directives("http")}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/media;
        location / {{ return 404; }}
        {directives("server")}
        location ~ "^/live/(?<playback_stream>[0-9a-f-]{{36}})/" {{ {media} }}
        location ~ "^/vods/(?<playback_stream>[0-9a-f-]{{36}})[./]" {{ {media} }}
    }}
}}"""


@asynccontextmanager
async def nginx_in_front(api: RunningApi, folder: Path):
    """nginx over media files of two streams, asking the API; yields (base, streams)."""
    if shutil.which("nginx") is None and not Path("/usr/sbin/nginx").exists():
        pytest.skip("nginx is not installed")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(nginx_config(folder, port, api.base.removeprefix("http://")))
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(folder), "-c", str(config)]
    if Path("/etc/passwd").stat().st_uid == folder.stat().st_uid:
        command += ["-g", "user root;"]  # or its workers could not read the test's folder
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        base = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 10
        while not await answers(api, base):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "nginx does not answer"
            await asyncio.sleep(0.02)
        yield base
    finally:
        process.terminate()
        process.wait(10)


async def answers(api: RunningApi, base: str) -> bool:
    try:
        async with api.session.get(f"{base}/") as response:
            return response.status == 404
    except OSError:
        return False


def lay_out_media(folder: Path, stream_id: str) -> None:
    for path in MEDIA.values():
        file = folder / "media" / path.format(id=stream_id).lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"media of {stream_id}")


async def granted(api: RunningApi, viewer, stream_id: str) -> dict:
    reply = await api.call("POST", f"/streams/{stream_id}/playback-token", viewer)
    assert reply.status == 200, reply.text
    return reply.data


async def test_nginx_gives_out_limited_media_with_their_own_fresh_token_only(api, tmp_path):
    host, follower = person("seller"), person("buyer")
    closed = await api.live_stream(host, audience="followers")
    other = await api.live_stream(host, audience="followers")
    opened = await api.live_stream(host)
    await api.call("PUT", f"/users/{host.id}/follow", follower)
    for stream_id in (closed, other, opened):
        lay_out_media(tmp_path, stream_id)
    token = (await granted(api, follower, closed))["token"]
    foreign = (await granted(api, follower, other))["token"]
    past = FakeClock(timedelta(seconds=-2 * TTL_S))
    expired = PlaybackTokens(KEY_SECRET, TTL_S, past).issue(UUID(closed)).token

    async with nginx_in_front(api, tmp_path) as base:

        async def status(path: str) -> tuple[int, str]:
            async with api.session.get(URL(base + path, encoded=True)) as response:
                return response.status, await response.text()

        for what, pattern in MEDIA.items():
            path = pattern.format(id=closed)
            assert (await status(path))[0] == 403, f"{what} without a token"
            assert (await status(f"/~{foreign}{path}"))[0] == 403, f"{what}, another's token"
            assert (await status(f"/~{expired}{path}"))[0] == 403, f"{what}, expired token"
            assert await status(f"/~{token}{path}") == (200, f"media of {closed}"), what
            assert await status(pattern.format(id=opened)) == (200, f"media of {opened}"), what
        # Asking about one stream and getting another's media.
        for trick in (
            f"/live/{opened}/../{closed}/index.m3u8",
            f"/live/{opened}/%2e%2e/{closed}/index.m3u8",
            f"/live/{opened}/..%2f{closed}/index.m3u8",
            f"//live/{closed}/index.m3u8",
            f"/%6cive/{closed}/index.m3u8",
            f"/~{foreign}/live/{other}/../{closed}/index.m3u8",
            f"/~{foreign}/live/../live/{closed}/index.m3u8",
            f"/live/{closed}/index.m3u8?/live/{opened}/",
        ):
            code, text = await status(trick)
            assert closed not in text, trick
            assert code in (400, 403, 404), trick


async def test_the_daemon_sees_one_question_per_stream_and_token(api, tmp_path):
    host = person("seller")
    stream_id = await api.live_stream(host, audience="followers")
    lay_out_media(tmp_path, stream_id)
    token = (await granted(api, host, stream_id))["token"]
    asked = []
    authorize = api.gate.authorize

    async def counting(*question):
        asked.append(question)
        return await authorize(*question)

    api.gate.authorize = counting
    async with nginx_in_front(api, tmp_path) as base:
        for _request in range(50):
            url = f"{base}/~{token}/live/{stream_id}/video/segment-1.m4s"
            async with api.session.get(url) as response:
                assert response.status == 200
    assert 1 <= len(asked) <= 2  # one; two if the 15 s ran out just then


ACCESS = "//internal/playback-access"


async def ask(api: RunningApi, stream_id: object, token: str | None = None):
    headers = {"X-Playback-Stream": str(stream_id)}
    if token is not None:
        headers["X-Playback-Token"] = token
    return await api.call("GET", ACCESS, headers=headers)


async def test_a_decision_may_be_kept_no_longer_than_its_token_lives(api):
    host = person("seller")
    stream_id = await api.live_stream(host, audience="followers")
    grant = await granted(api, host, stream_id)
    allowed = await ask(api, stream_id, grant["token"])
    assert allowed.status == 204
    assert allowed.headers["Cache-Control"] == "max-age=15"
    api.clock.ahead += timedelta(seconds=TTL_S - TTL_S // 10 - 5)
    last = await ask(api, stream_id, grant["token"])
    kept_s = int(last.headers["Cache-Control"].removeprefix("max-age="))
    api.clock.ahead += timedelta(seconds=TTL_S // 10 + 5)
    assert 1 <= kept_s <= 15
    over = await ask(api, stream_id, grant["token"])
    assert (over.status, over.headers["Cache-Control"]) == (403, "no-store")
    assert over.headers["X-Playback-Refusal"] == "token_expired"


@pytest.mark.parametrize("stream_id", ["", "x", UNKNOWN, "../etc", "{" + UNKNOWN + "}"])
async def test_an_unknown_stream_is_refused(api, stream_id):
    refused = await ask(api, stream_id)
    assert (refused.status, refused.headers["X-Playback-Refusal"]) == (403, "unknown_stream")


async def test_a_cancelled_stream_is_refused(api):
    host = person("seller")
    stream_id = await api.stream(host)
    await api.call("POST", f"/streams/{stream_id}/cancel", host)
    refused = await ask(api, stream_id)
    assert (refused.status, refused.headers["X-Playback-Refusal"]) == (403, "cancelled")


async def test_only_the_audience_is_given_a_token(api):
    host, follower, stranger, admin = (
        person("seller"),
        person("buyer"),
        person("buyer"),
        person("admin"),
    )
    stream_id = await api.live_stream(host, audience="followers")
    await api.call("PUT", f"/users/{host.id}/follow", follower)
    path = f"/streams/{stream_id}/playback-token"
    for who, status in ((host, 200), (follower, 200), (admin, 200), (stranger, 403), (None, 401)):
        assert (await api.call("POST", path, who)).status == status
    await api.call("DELETE", f"/users/{host.id}/follow", follower)
    assert (await api.call("POST", path, follower)).status == 403


async def test_addresses_of_a_limited_stream_carry_the_token_and_others_none(api):
    host = person("seller")
    limited = await granted(api, host, await api.live_stream(host, audience="neighborhood"))
    stream_id, token = limited["streamId"], limited["token"]
    assert limited["hlsUrl"] == f"https://shop.test/~{token}/live/{stream_id}/index.m3u8"
    assert limited["dashUrl"] == f"https://shop.test/~{token}/live/{stream_id}/manifest.mpd"
    low_latency = f"https://shop.test/~{token}/live/{stream_id}/low-latency.mpd"
    assert limited["lowLatencyDashUrl"] == low_latency
    assert limited["renewAt"] < limited["expiresAt"]
    everyone = await granted(api, host, await api.live_stream(host))
    assert everyone["token"] is None
    assert everyone["expiresAt"] is None
    assert "~" not in everyone["hlsUrl"] + everyone["dashUrl"]
