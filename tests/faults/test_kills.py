"""Daemon and packager killed again and again in the middle of one stream, and nginx reloaded."""

import hashlib
import os
import random
import signal
import time
from dataclasses import dataclass, field

import pytest

from tests.support.players import HLS_JS, PlayerPage
from tests.support.processes import wait_until
from tests.support.pushers import Pusher, count_frames, repeat_clip
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("GOLIVE_TEST_KILLS", "2"))
"""How often each process is killed, once in 16 s; 20 for the full length."""

LONGEST_STOP_S = 2.0
PACKAGER, DAEMON = "packager", "daemon"
BACK_S = 20.0


@dataclass
class Viewer:
    """Looks at a player, and remembers how long it stood still."""

    page: PlayerPage
    longest_stop_s: float = 0.0
    stops: list[tuple[str, float]] = field(default_factory=list)
    _position_s: float = 0.0
    _moved_at: float = 0.0

    def look_on(self, reached, timeout_s, what):
        """Until `reached()`, a few times a second; `what` has just been done."""
        deadline_s = time.monotonic() + timeout_s
        worst_s = 0.0
        while not reached():
            now_s, position_s = time.monotonic(), self.page.sample().current_s
            assert now_s < deadline_s, f"behind {what}: {self.page.sample()}"
            if position_s > self._position_s:
                self._position_s, self._moved_at = position_s, now_s
            elif self._moved_at:
                worst_s = max(worst_s, now_s - self._moved_at)
            self.page.page.wait_for_timeout(50)
        self.longest_stop_s = max(self.longest_stop_s, worst_s)
        if worst_s:
            self.stops.append((what, round(worst_s, 2)))


@pytest.fixture
def server(tmp_path):
    with golive_server(tmp_path / "killed") as started:
        yield started


@pytest.fixture
def undisturbed(tmp_path):
    with golive_server(tmp_path / "undisturbed") as started:
        yield started


def test_kills_and_reloads_lose_no_frame_and_viewers_hardly_notice(
    server, undisturbed, browser, clip, tmp_path
):
    """The recording is, byte for byte, that of a run in which nobody was killed."""
    long_clip = repeat_clip(clip, KILLS, tmp_path)
    stream, reference = server.live_stream("killed"), undisturbed.live_stream("undisturbed")
    with (
        Pusher(long_clip, undisturbed.push_url(reference.key)) as peaceful,
        Pusher(long_clip, server.push_url(stream.key)) as pusher,
    ):
        pusher.wait_frames(90)
        with browser.play(HLS_JS, server.hls(stream.id)) as page:
            page.wait_playing()
            viewer = Viewer(page)
            kill_again_and_again(server, pusher, long_clip, viewer)
            assert pusher.wait() == 0, "the encoder noticed nothing"
        assert peaceful.wait() == 0
    for where, one in ((server, stream), (undisturbed, reference)):
        end_when_drained(where, one)
    print(f"longest stop {viewer.longest_stop_s:.2f} s; {viewer.stops}")
    refused = refused_requests(server)
    print(f"{len(refused)} requests of the player were not answered with media", *refused, sep="\n")
    assert count_frames(server.vod(stream.id)) == long_clip.frames
    for rendition in ("video", "audio"):
        assert "#EXT-X-DISCONTINUITY\n" not in playlist(server, stream, rendition)
    assert media_digests(server, stream) == media_digests(undisturbed, reference)
    assert viewer.longest_stop_s <= LONGEST_STOP_S, viewer.stops


def kill_again_and_again(server, pusher, clip, viewer):
    """Each process KILLS times in a random order, at random moments; reloads in between."""
    chance = random.Random(5)
    victims = [PACKAGER, DAEMON] * KILLS
    chance.shuffle(victims)
    step = (clip.frames - pusher.frames) // (len(victims) + 1)
    start = pusher.frames
    done = "the start"
    for turn, victim in enumerate(victims):
        at = start + int(step * (turn + chance.uniform(0.3, 0.9)))
        viewer.look_on(lambda at=at: pusher.frames >= at, 120, done)
        wait_until(lambda victim=victim: processes(server, victim), BACK_S, "one to kill")
        for process in processes(server, victim):
            process.send_signal(signal.SIGKILL)
        done = f"the kill of {victim}"
        if turn % 2:
            reload_nginx(server)
            done += " and the reload"
    last = clip.frames - 30
    viewer.look_on(lambda: pusher.frames >= last, 120, done)


def processes(server, victim):
    """Those that do the work; the daemon's launcher only waits for its end."""
    if victim == PACKAGER:
        return server.packagers
    found = server.find_processes("controller.cli", "serve")
    return [process for process in found if process.name() == "golive-daemon"]


def reload_nginx(server):
    """`nginx -s reload` of both instances: a HUP to each master."""
    for config in ("http.conf", "rtmp.conf"):
        server.find_process("nginx: master", config).send_signal(signal.SIGHUP)


def test_a_launcher_that_is_killed_with_its_daemon_loses_no_frame(server, clip):
    """The supervisor starts both anew; that takes as long as the machine needs to import them."""
    stream = server.live_stream("launched")
    with Pusher(clip, server.push_url(stream.key)) as pusher:
        pusher.wait_frames(120)
        for process in server.find_processes("controller.cli", "serve"):
            process.send_signal(signal.SIGKILL)
        assert pusher.wait() == 0
    end_when_drained(server, stream)
    assert count_frames(server.vod(stream.id)) == clip.frames
    assert "#EXT-X-DISCONTINUITY\n" not in playlist(server, stream, "video")


def end_when_drained(server, stream):
    wait_until(lambda: server.api("GET", "/streams").status == 200, BACK_S, "the API")
    server.wait_ingest(stream, "interrupted", BACK_S)
    return server.end(stream)


def refused_requests(server):
    """Lines of nginx's log: errors, and what took longer than a segment."""
    lines = (server.data_dir / "logs" / "access.log").read_text().splitlines()
    live = [line for line in lines if "/live/" in line]
    return [line for line in live if is_refused_or_slow(*line.split('" ')[1].split()[:3])]


def is_refused_or_slow(status: str, _body_bytes: str, took_s: str) -> bool:
    return int(status) >= 400 or float(took_s) > 2.5


def playlist(server, stream, rendition):
    vods = server.data_dir / "objects" / "vods"
    return (vods / stream.id / f"{rendition}.m3u8").read_text()


def media_digests(server, stream):
    """Of every init section and segment of the recording, by name."""
    folder = server.data_dir / "objects" / "vods" / stream.id
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*"))
    }
