"""What the public nginx serves from disk, what it asks the daemon, and what it hides."""

import asyncio
import gzip
import http.client
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import pytest

from controller.hub.endpoint.player_log import PlayerLog
from controller.hub.limits import HubLimits
from controller.hub.quality import QualityBook
from tests.support.processes import wait_until
from tests.unit.controller.hub.doubles import HeldTime, QualityMemory
from tests.unit.controller.nginx.conftest import STREAM, Edge

IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> list[str]:
        return self.headers.get_all(name) or []

    @property
    def json(self) -> dict:
        return json.loads(self.body)


def ask(edge: Edge, path: str, method: str = "GET", body=None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", edge.http_port, timeout=15)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=names)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("video/init-0.mp4", "video/mp4"),
        ("video/segment-17.m4s", "video/iso.segment"),
        ("audio/part-3.m4s", "video/iso.segment"),
    ],
)
def test_media_come_from_disk_and_may_be_kept_for_ever(edge, name, content_type):
    edge.write(edge.live / name, b"0123456789")

    answer = ask(edge, f"/live/{STREAM}/{name}", Origin="https://shop.example")

    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.header("Content-Type") == [content_type]
    assert answer.header("Cache-Control") == [IMMUTABLE]
    assert answer.header("Access-Control-Allow-Origin") == ["*"]
    part = ask(edge, f"/live/{STREAM}/{name}", Range="bytes=2-4")
    assert (part.status, part.body) == (206, b"234")


@pytest.mark.parametrize(
    "name", ["journal.jsonl", "video/journal.log", "video/segment-1.m4s.partial", "video/../x"]
)
def test_nothing_else_in_the_live_folder_is_served(edge, name):
    edge.write(edge.live / "journal.jsonl")
    edge.write(edge.live / "video" / "journal.log")
    edge.write(edge.live / "video" / "segment-1.m4s.partial")

    answer = ask(edge, f"/live/{STREAM}/{name}")

    assert answer.status == 404
    assert answer.json["code"] == "not_found"


@pytest.mark.parametrize(
    "name", ["index.m3u8", "video.m3u8", "manifest.mpd", "low-latency.mpd", "../time"]
)
def test_playlists_are_the_daemons_even_when_a_file_of_that_name_exists(edge, name):
    edge.write(edge.live / name, b"stale")

    path = f"/live/{STREAM}/{name}".replace(f"{STREAM}/../", "")

    answer = ask(edge, f"{path}?_HLS_msn=4&_HLS_part=1")

    assert answer.json["path"] == f"{path}?_HLS_msn=4&_HLS_part=1"
    assert answer.header("Cache-Control") == ["no-cache"]
    assert answer.header("Access-Control-Allow-Origin") == ["*"]


def test_a_playlist_may_be_held_and_its_caching_is_the_daemons_word(edge):
    begun_s = time.monotonic()

    answer = ask(edge, f"/live/{STREAM}/video.m3u8?sleep=1.5&cc=max-age%3D1")

    assert time.monotonic() - begun_s >= 1.5
    assert answer.header("Cache-Control") == ["max-age=1"]


def test_playlists_are_compressed(edge):
    answer = ask(edge, f"/live/{STREAM}/video.m3u8", Accept_Encoding="gzip")

    assert answer.header("Content-Encoding") == ["gzip"]
    assert json.loads(gzip.decompress(answer.body))["padding"]


def test_a_part_that_does_not_exist_yet_is_asked_of_the_daemon_and_sent_by_nginx(edge):
    edge.write(edge.live / "video" / "part-8.m4s", b"finished meanwhile")
    accel = f"/_live/{STREAM}/video/part-8.m4s"

    answer = ask(edge, f"/live/{STREAM}/video/part-9.m4s?accel={accel}")
    private = ask(edge, f"/live/{STREAM}/video/part-9.m4s?accel={accel}&cc=private")

    assert (answer.status, answer.body) == (200, b"finished meanwhile")
    assert answer.header("Content-Type") == ["video/iso.segment"]
    assert answer.header("Cache-Control") == [IMMUTABLE]
    assert answer.header("Access-Control-Allow-Origin") == ["*"]
    assert private.header("Cache-Control") == ["private"]


def test_a_part_that_will_not_come_is_not_found_and_not_kept(edge):
    answer = ask(edge, f"/live/{STREAM}/video/part-99.m4s?status=404&cc=no-store")

    assert answer.status == 404
    assert answer.header("Cache-Control") == ["no-store"]
    assert answer.header("Access-Control-Allow-Origin") == ["*"]


def test_the_internal_location_cannot_be_asked_for(edge):
    edge.write(edge.live / "video" / "part-8.m4s", b"secret?")

    assert ask(edge, f"/_live/{STREAM}/video/part-8.m4s").status == 404


@pytest.mark.parametrize(
    ("name", "content_type", "cache"),
    [
        (f"{STREAM}.m3u8", "application/vnd.apple.mpegurl", "public, max-age=10"),
        (f"{STREAM}.mpd", "application/dash+xml", "public, max-age=10"),
        (f"{STREAM}/video/segment-0.m4s", "video/iso.segment", IMMUTABLE),
        (f"{STREAM}/video.m3u8", "application/vnd.apple.mpegurl", "public, max-age=10"),
    ],
)
def test_recordings_come_from_the_local_object_store(edge, name, content_type, cache):
    edge.write(edge.vods / name, b"recorded")

    answer = ask(edge, f"/vods/{name}")

    assert (answer.status, answer.body) == (200, b"recorded")
    assert answer.header("Content-Type")[0].startswith(content_type)
    assert answer.header("Cache-Control") == [cache]
    assert answer.header("Access-Control-Allow-Origin") == ["*"]


def test_a_recording_that_is_not_there_yet_is_not_kept_as_missing(edge):
    answer = ask(edge, "/vods/99999999-2222-4333-8444-555555555555.m3u8")

    assert answer.status == 404
    assert answer.header("Cache-Control") == ["no-store"]


@pytest.mark.parametrize(
    "path",
    [f"/live/{STREAM}/video/init-0.mp4", f"/live/{STREAM}/index.m3u8", f"/vods/{STREAM}.m3u8"],
)
def test_browsers_may_ask_first_and_nobody_may_write(edge, path):
    edge.write(edge.live / "video" / "init-0.mp4")
    preflight = ask(edge, path, method="OPTIONS", Origin="https://shop.example")

    assert preflight.status == 204
    assert preflight.header("Access-Control-Allow-Origin") == ["*"]
    assert "Range" in preflight.header("Access-Control-Allow-Headers")[0]
    for method in ("PUT", "POST", "DELETE"):
        answer = ask(edge, path, method=method, body=b"x")
        assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/publish",
        "/api/v1/streams/validate-key",
        "/api//v1/streams/./validate-key",
        "/api/v1/streams/%76alidate-key",
        "/stat",
        "/control/drop/publisher?app=live&name=x",
        "/metrics",
        "/secrets.json",
        "/objects/vods/x.m3u8",
        "/run/http.conf",
    ],
)
def test_what_is_not_public_does_not_exist(edge, path):
    for method in ("GET", "POST"):
        answer = ask(edge, path, method=method, body=b"name=x" if method == "POST" else None)
        assert answer.status == 404
        assert answer.header("Content-Type") == ["application/problem+json"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/readyz",
        "/docs",
        "/watch/x",
        "/host/x",
        "/static/x.js",
        "/api/v1/streams/x/y",
    ],
)
def test_the_daemon_answers_the_rest_and_learns_who_asks(edge, path):
    answer = ask(edge, f"{path}?a=1", X_Forwarded_For="6.6.6.6", X_Real_IP="6.6.6.6")

    assert answer.json["path"] == f"{path}?a=1"
    seen = answer.json["headers"]
    assert seen["X-Forwarded-For"] == seen["X-Real-IP"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"
    assert seen["Host"] == f"127.0.0.1:{edge.http_port}"


def test_a_body_that_is_too_large_is_refused_in_the_apis_words(edge):
    answer = ask(edge, "/api/v1/streams", method="POST", body=b"x" * (2 << 20))

    assert answer.status == 413
    assert answer.json["code"] == "body_too_large"


def test_a_daemon_that_is_down_is_told_in_the_apis_words_while_watched_media_go_on(edge):
    """nginx remembers who may play what is being watched."""
    edge.write(edge.live / "video" / "segment-4.m4s", b"before")
    edge.write(edge.live / "video" / "segment-5.m4s", b"still here")
    assert ask(edge, f"/live/{STREAM}/video/segment-4.m4s").body == b"before"

    answer = ask(edge, "/api/v1/anything?exit=1")
    media = ask(edge, f"/live/{STREAM}/video/segment-5.m4s")
    waiting = ask(edge, "/api/v1/anything")

    assert (answer.status, answer.json["code"]) == (503, "daemon_unavailable")
    assert answer.header("Retry-After") == ["1"]
    assert media.body == b"still here"
    assert waiting.status == 200, "it waited for the next daemon"


def test_a_player_whose_daemon_is_killed_is_answered_by_the_next(edge):
    daemons = [one for one in edge.process.descendants() if "stand_in_daemon" in str(one.cmdline())]
    with ThreadPoolExecutor() as pool:
        held = pool.submit(ask, edge, f"/live/{STREAM}/video.m3u8?sleep=1.5")
        wait_until(lambda: edge.holds("video.m3u8?sleep=1.5"), 10, "it is with the daemon")
        for daemon in daemons:
            daemon.kill()
        answer = held.result(20)

    assert answer.status == 200
    assert answer.json["pid"] not in {daemon.pid for daemon in daemons}


def test_idle_connections_to_a_killed_daemon_cost_no_player_its_answer(edge):
    """There are more of them than tries, and the kernel closes them last."""
    daemons = [one for one in edge.process.descendants() if "stand_in_daemon" in str(one.cmdline())]
    path = f"/live/{STREAM}/video.m3u8?sleep="
    with ThreadPoolExecutor(24) as pool:
        held = [pool.submit(ask, edge, f"{path}3.{i}") for i in range(4)]
        for i in range(4):
            wait_until(lambda i=i: edge.holds(f"{path}3.{i}"), 10, "all are with the daemon")
        for one in [pool.submit(ask, edge, f"{path}0.{i + 10}") for i in range(20)]:
            assert one.result(20).status == 200
        for daemon in daemons:
            daemon.kill()
        answers = [one.result(20) for one in held]

    assert [answer.status for answer in answers] == [200] * 4


def test_the_access_log_has_neither_queries_nor_keys(edge):
    log = edge.data / "logs" / "access.log"
    ask(edge, "/api/v1/marker?token=very-secret-token")
    ask(edge, "/watch/sk_0123456789abcdef0123456789abcdef")

    # nginx gathers lines for up to 5 s.
    def is_written() -> bool:  # each of its workers gathers its own
        text = log.read_text()
        return "(redacted)" in text and "/api/v1/marker" in text

    wait_until(is_written, 15, "the lines are written")

    text = log.read_text()
    assert re.search(r'"GET /api/v1/marker HTTP/1.1" 200 \d+ \d', text)
    assert "very-secret" not in text
    assert "127.0.0.0 [" in text
    assert "127.0.0.1" not in text
    assert "sk_0123" not in text


async def test_what_players_tell_with_requests_for_files_comes_to_the_daemon(edge):
    store, time = QualityMemory(), HeldTime()
    book = QualityBook(store, "holder", HubLimits(), time)
    log = PlayerLog(edge.data / "run" / "players.sock", book)
    await log.open()
    try:
        edge.write(edge.live / "video/segment-30.m4s")
        path = f"/live/{STREAM}/video/segment-30.m4s"
        told = 'br=4000,d=2000,ot=v,sid="by-query",bs'
        headers = {"CMCD-Object": "br=1000,d=2000,ot=v", "CMCD-Session": 'sid="by \\"headers"'}
        for query, sent in (
            ("", {}),
            ("?CMCD=" + quote(told), {}),
            ("?session=x&CMCD=nonsense", {}),
            ("", headers),
        ):
            answer = await asyncio.to_thread(ask, edge, path + query, **sent)
            assert answer.status == 200
        async with asyncio.timeout(30):
            while book.statistics.told < 2:
                await asyncio.sleep(0.02)
        await book.write(all_of_it=True)
    finally:
        await log.close()
    assert (book.statistics.told, log.malformed) == (2, 0)
    assert {stream_id for stream_id, _ in store.sessions} == {UUID(STREAM)}
    sessions = sorted(store.sessions.values(), key=lambda one: one.bits)
    assert [(one.bits, one.rebuffers) for one in sessions] == [(2_000_000, 0), (8_000_000, 1)]
    # Nobody listens any more: files are served all the same.
    assert (await asyncio.to_thread(ask, edge, f"{path}?CMCD={quote(told)}")).status == 200


def test_pages_elsewhere_may_send_client_data_in_headers(edge):
    edge.write(edge.live / "video/segment-30.m4s")
    answer = ask(edge, f"/live/{STREAM}/video/segment-30.m4s", "OPTIONS")
    assert "CMCD-Session" in answer.header("Access-Control-Allow-Headers")[0]
