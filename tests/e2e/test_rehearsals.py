"""Rehearsals with real encoders: the host watches, nobody else does, and nothing is left."""

import re
import sqlite3
import threading
import urllib.error
import urllib.request
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import psutil
import pytest

from controller.domain.people import Role
from tests.support.processes import wait_until
from tests.support.pushers import Pusher, count_frames, make_clip, push_refused
from tests.support.servers import GoliveServer, golive_server
from tests.support.webrtc import WATCH_OFFER, http, post_offer, webrtc_browser

pytestmark = pytest.mark.e2e

SHORT_S = 10
READY = {"camera_ready": True, "checklist_complete": True}
_TOKEN = re.compile(r"/~[A-Za-z0-9_-]{32}/")
_MOVING = frozenset({"room_leases", "span_holders", "alembic_version"})


@pytest.fixture(scope="module")
def chromium():
    with webrtc_browser() as started:
        yield started


@pytest.fixture(scope="module")
def rehearsed_clip(tmp_path_factory):
    """Without B-frames, and of another size than what is sent on air."""
    folder = tmp_path_factory.mktemp("rehearsed")
    return make_clip(folder, b_frames=0, size="320x180", video_kbps=400)


@pytest.fixture(scope="module")
def shown_clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    return make_clip(folder, b_frames=0, size="640x360", video_kbps=800)


@dataclass
class Host:
    """A host, its scheduled stream, and what the API said of the rehearsal at first."""

    server: GoliveServer
    stream_id: str
    token: str
    first: dict

    @property
    def path(self) -> str:
        return f"/streams/{self.stream_id}/rehearsal"

    @property
    def media_id(self) -> str:
        return urlsplit(self.first["hlsUrl"]).path.split("/")[3]

    @property
    def key(self) -> str:
        return self.first["streamKey"]

    @property
    def push_url(self) -> str:
        return self.server.push_url(self.key)

    def rehearsal(self) -> dict:
        """As it is now; with a token that is good."""
        return self.server.expect(200, "GET", self.path, token=self.token)

    def wait_ingest(self, state: str) -> None:
        wait_until(lambda: self.rehearsal()["ingest"] == state, 20, f"the encoder is {state}")

    def is_over(self) -> bool:
        return self.server.api("GET", self.path, token=self.token).status == 404

    def go_live(self) -> None:
        path = f"/streams/{self.stream_id}/go-live"
        self.server.expect(200, "POST", path, READY, token=self.token)

    def left(self) -> list[str]:
        """What is there of the rehearsal, on disk and in the database."""
        folder = self.server.data_dir
        found = [str(one) for one in folder.rglob(f"*{self.media_id}*")]
        found += [str(one) for one in (folder / "spool").glob("*.flv")]
        words = (self.media_id, self.media_id.replace("-", ""))
        with closing(sqlite3.connect(folder / "golive.db")) as database:
            for table in tables(database):
                rows = database.execute(f'SELECT * FROM "{table}"').fetchall()
                found += [table for row in rows if any(word in str(row) for word in words)]
        return found


def rehearse(server: GoliveServer, username: str, **fields: object) -> Host:
    stream_id, token = server.scheduled_stream(username, **fields)
    path = f"/streams/{stream_id}/rehearsal"
    first = server.expect(201, "POST", path, token=token)
    server.secrets.add(first["streamKey"])
    return Host(server, stream_id, token, first)


def tables(database: sqlite3.Connection) -> list[str]:
    named = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in named]


def counts(server: GoliveServer) -> dict[str, int]:
    """Rows of every table that does not change by itself."""
    with closing(sqlite3.connect(server.data_dir / "golive.db")) as database:
        return {
            name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for name in tables(database)
            if name not in _MOVING
        }


class RoomListener(threading.Thread):
    """Hears the room of a stream until it is closed."""

    def __init__(self, server: GoliveServer, stream_id: str, token: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[str] = []
        url = f"{server.url}/api/v1/streams/{stream_id}/room"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        self._answer = urllib.request.urlopen(request, timeout=60)
        self.start()

    def run(self) -> None:
        with suppress(OSError, ValueError, AttributeError):
            for line in self._answer:
                if line.startswith(b"event:"):
                    self.heard.append(line.partition(b":")[2].strip().decode())


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def addresses(rehearsal: dict) -> list[str]:
    """Of playlists, the MPD, an init section, a segment and a part, all with the token."""
    found = [rehearsal["hlsUrl"], rehearsal["dashUrl"]]
    master = read(rehearsal["hlsUrl"])
    media_url = urljoin(
        rehearsal["hlsUrl"], re.search(r"^[^#\n].*m3u8.*$", master, re.MULTILINE)[0]
    )
    playlist = read(media_url)
    patterns = (r'MAP:URI="([^"]+)"', r"^([^#\n]+\.m4s)", r'PART:[^\n]*URI="([^"]+)"')
    found += [
        media_url,
        *(urljoin(media_url, re.search(one, playlist, re.MULTILINE)[1]) for one in patterns),
    ]
    return found


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def has_segment(rehearsal: dict) -> bool:
    """Whether a whole segment is listed beside its parts."""
    try:
        return len(addresses(rehearsal)) == 6
    except (TypeError, urllib.error.HTTPError):
        return False


def playing(stats: dict) -> bool:
    return stats.get("connection") == "connected" and stats["video"]["framesDecoded"] > 60


def test_the_host_watches_and_nobody_else(server, chromium, rehearsed_clip):
    fan = server.token("fan", Role.BUYER)
    other = rehearse(server, "other")
    host = rehearse(server, "host", audience="followers")
    owner_id = server.expect(200, "GET", f"/streams/{host.stream_id}", token=host.token)["user_id"]
    server.expect(200, "PUT", f"/users/{owner_id}/follow", token=fan)
    granted = server.expect(200, "POST", f"/streams/{host.stream_id}/playback-token", token=fan)
    room = RoomListener(server, host.stream_id, fan)

    def shown_to_fan() -> dict:
        return server.expect(200, "GET", f"/streams/{host.stream_id}", token=fan)

    wait_until(lambda: shown_to_fan()["viewer_count"] == 1, 20, "the fan is in the room")
    public = server.expect(200, "GET", "/streams?status=scheduled", token=fan)
    before = counts(server)
    with chromium.pages(1) as (page,), Pusher(rehearsed_clip, host.push_url, loop=True) as pusher:
        host.wait_ingest("connected")
        watched = page.watch(host.rehearsal()["whepUrl"])
        assert watched["status"] == 201, watched
        stats = page.wait(playing, 30, "a picture over WebRTC")
        assert (stats["video"]["frameWidth"], stats["errors"]) == (320, [])
        wait_until(lambda: has_segment(host.rehearsal()), 20, "a segment is listed")
        wait_until(lambda: host.rehearsal()["intake"] is not None, 20, "the encoder is measured")
        shown = host.rehearsal()
        assert (shown["intake"]["width"], shown["intake"]["height"]) == (320, 180)
        assert (shown["intake"]["videoCodec"], shown["session"]) == ("h264", "live")

        mine = addresses(shown)
        assert [status(url) for url in mine] == [200] * len(mine)
        strangers = {"": "/", "of the stream": granted["token"], "of another": other.first["token"]}
        for whose, token in strangers.items():
            front = token if token == "/" else f"/~{token}/"
            urls = [_TOKEN.sub(front, url, count=1) for url in mine]
            assert [status(url) for url in urls] == [403] * len(urls), whose
            whep = post_offer(_TOKEN.sub(front, shown["whepUrl"], count=1), WATCH_OFFER)
            assert (whep.status, whep.problem["code"]) == (403, "playback_token_needed"), whose
        assert status(f"{server.url}/live/{host.media_id}/thumbnail.jpg") == 403

        assert server.expect(200, "GET", "/streams?status=scheduled", token=fan) == public
        seen = shown_to_fan()
        assert (seen["status"], seen["ingest_state"]) == ("scheduled", "idle")
        assert seen["viewer_count"] == 1, "the fan, and not the host over WebRTC"
        assert seen["thumbnail_url"] is None
        for token in (fan, host.token):
            assert server.api("GET", f"/streams/{host.media_id}", token=token).status == 404

        assert server.api("DELETE", host.path, token=host.token).status == 204
        assert pusher.wait(20) != 0, "the encoder is disconnected"
    assert push_refused(rehearsed_clip, host.push_url)
    (refusal,) = [
        one for one in server.events("publish_refused") if one["code"] == "stream_scheduled"
    ]
    assert refusal["reason"] == "the stream is scheduled, not live"
    wait_until(lambda: host.left() == [], 20, "nothing is left")
    assert counts(server) == {**before, "rehearsals": before["rehearsals"] - 1}
    assert {status(url) for url in mine} <= {403, 404}
    assert not server.events("players_uncounted")
    assert not server.events("recording_ready")
    assert server.api("DELETE", other.path, token=other.token).status == 204
    host.go_live()
    wait_until(lambda: "stream:started" in room.heard, 20, "the room hears of the stream")
    before_it = room.heard[: room.heard.index("stream:started")]
    assert set(before_it) <= {"stream:joined", "viewer:joined", "viewer:count"}


def test_the_recording_has_nothing_of_it(server, rehearsed_clip, shown_clip, tmp_path):
    host = rehearse(server, "performer")
    sent = tmp_path / "sent.flv"
    with Pusher(rehearsed_clip, host.push_url, loop=True) as pusher:
        host.wait_ingest("connected")
        pusher.wait_frames(75)
        assert push_refused(rehearsed_clip, host.push_url), "a second encoder"
        assert pusher.is_sending
        host.go_live()
        assert host.is_over()
        assert pusher.wait(20) != 0, "the encoder is disconnected"
    stream = f"/streams/{host.stream_id}"
    with Pusher(shown_clip, host.push_url, duration_s=6, record=sent) as pusher:
        assert pusher.wait(30) == 0, "the same key publishes to the stream"
    wait_until(
        lambda: (
            server.expect(200, "GET", stream, token=host.token)["ingest_state"] == "interrupted"
        ),
        20,
        "all has come",
    )
    ended = server.expect(200, "POST", f"{stream}/end", token=host.token)
    frames = count_frames(str(sent))
    assert frames > 0
    assert count_frames(ended["vodUrl"]) == frames
    master = read(ended["vodUrl"])
    assert re.findall(r"RESOLUTION=(\S+?),", master) == ["640x360"]
    media = read(urljoin(ended["vodUrl"], re.search(r"^[^#\n].*$", master, re.MULTILINE)[0]))
    assert media.count("#EXT-X-MAP") == 1
    assert "#EXT-X-DISCONTINUITY\n" not in media
    wait_until(lambda: host.left() == [], 20, "nothing is left")


def test_a_new_key_ends_it(server, rehearsed_clip):
    host = rehearse(server, "careful")
    with Pusher(rehearsed_clip, host.push_url, loop=True) as pusher:
        host.wait_ingest("connected")
        rotated = server.expect(
            200, "POST", f"/streams/{host.stream_id}/rotate-key", token=host.token
        )
        server.secrets.add(rotated["streamKey"])
        assert pusher.wait(20) != 0, "the encoder is disconnected"
    assert host.is_over()
    wait_until(lambda: host.left() == [], 20, "nothing is left")


def test_a_browser_rehearses(server, chromium):
    host = rehearse(server, "camera")
    with chromium.pages(2) as (camera, viewer):
        published = camera.publish(host.first["whipUrl"], host.key, "video/H264")
        assert published["status"] == 201, published
        host.wait_ingest("connected")
        assert viewer.watch(host.rehearsal()["whepUrl"])["status"] == 201
        viewer.wait(playing, 30, "a picture over WebRTC")
        assert server.api("DELETE", host.path, token=host.token).status == 204
        session = http("DELETE", published["location"], Authorization=f"Bearer {host.key}")
        assert session.status == 404, "the session is over already"
        again = camera.publish(host.first["whipUrl"], host.key, "video/H264")
        assert (again["status"], "stream_scheduled" in again["body"]) == (403, True)
    wait_until(lambda: host.left() == [], 20, "nothing is left")


def is_served_by_another(server: GoliveServer, killed: psutil.Process) -> bool:
    serving = server.find_processes("controller.cli", "serve")
    return any(one.name() == "golive-daemon" and one.pid != killed.pid for one in serving)


def test_it_goes_on_when_the_daemon_is_killed(server, rehearsed_clip):
    host = rehearse(server, "unlucky")

    def sequence() -> int:
        media = next(url for url in addresses(host.rehearsal())[2:] if ".m3u8" in url)
        playlist = read(media)
        assert "#EXT-X-DISCONTINUITY\n" not in playlist
        return int(re.findall(r"segment-(\d+)\.m4s", playlist)[-1])

    with Pusher(rehearsed_clip, host.push_url, loop=True) as pusher:
        host.wait_ingest("connected")
        wait_until(lambda: has_segment(host.rehearsal()), 20, "a segment is listed")
        before = sequence()
        killed = server.daemon
        killed.kill()
        killed.wait(20)
        wait_until(lambda: is_served_by_another(server, killed), 20, "another daemon serves")
        wait_until(lambda: sequence() > before + 1, 30, "media go on, without a gap")
        assert pusher.is_sending
        assert host.rehearsal()["ingest"] == "connected"
        assert server.api("DELETE", host.path, token=host.token).status == 204
        assert pusher.wait(20) != 0, "the encoder is disconnected"
    wait_until(lambda: host.left() == [], 20, "nothing is left")


def test_time_runs_out(tmp_path_factory, rehearsed_clip):
    folder = tmp_path_factory.mktemp("golive")
    with golive_server(folder, {"GOLIVE_REHEARSAL_S": str(SHORT_S)}) as server:
        host = rehearse(server, "host")
        with Pusher(rehearsed_clip, host.push_url, loop=True) as pusher:
            host.wait_ingest("connected")
            assert pusher.wait(30) != 0, "the encoder is disconnected"
        assert datetime.now(UTC) >= datetime.fromisoformat(host.first["expiresAt"])
        assert host.is_over()
        wait_until(lambda: host.left() == [], 20, "nothing is left")
        assert push_refused(rehearsed_clip, host.push_url)

        away = rehearse(server, "away")
        with Pusher(rehearsed_clip, away.push_url, loop=True) as pusher:
            away.wait_ingest("connected")
            wait_until(lambda: has_segment(away.rehearsal()), 20, "there are files")
            server.stop()
            assert pusher.wait(20) != 0
        assert away.left() != []
        expires_at = datetime.fromisoformat(away.first["expiresAt"])
        wait_until(lambda: datetime.now(UTC) > expires_at, 2 * SHORT_S, "its time is up")
        server.start()
        wait_until(lambda: away.left() == [], 20, "the next daemon removes what was left")
