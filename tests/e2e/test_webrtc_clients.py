"""Peers that are no browser, with WebRTC stacks of their own: FFmpeg's WHIP muxer, and werift."""

import json
import os
import sys
from contextlib import contextmanager

import pytest

from tests.support.certificates import make_certificate
from tests.support.node import CLIENTS, NODE
from tests.support.processes import Running, wait_until
from tests.support.pushers import Pusher, count_frames, decode_complaints, make_clip
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

_AT_THE_EDGES = 3
"""Pictures that a publisher's end may cut off: the last is whole when the next one comes."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


@pytest.fixture(scope="module")
def webrtc_clip(tmp_path_factory):
    """H.264 High without B-frames, and Opus."""
    folder = tmp_path_factory.mktemp("webrtc")
    return make_clip(folder, b_frames=0, size="640x360", video_kbps=1200, opus=True)


@contextmanager
def running(argv, **variables):
    """A client; gone at the end."""
    client = Running([str(word) for word in argv], {**os.environ, **variables}, CLIENTS.parents[1])
    try:
        yield client
    finally:
        client.kill()


def ffmpeg(server, live, clip, certificate):
    argv = [sys.executable, "-m", "tests.support.ffmpeg_whip", clip.path]
    argv += [f"{server.url}/live/whip", certificate.chain, certificate.key]
    return running(argv, WHIP_KEY=live.key)


def werift(server, live, clip, _certificate):
    argv = [NODE, CLIENTS / "whip_publisher.js", clip.path, f"{server.url}/live/whip"]
    return running(argv, WHIP_KEY=live.key)


@pytest.mark.parametrize("publisher", [ffmpeg, werift])
def test_what_it_publishes_plays_over_hls_and_is_recorded(server, webrtc_clip, tmp_path, publisher):
    live = server.live_stream(publisher.__name__)
    with publisher(server, live, webrtc_clip, make_certificate(tmp_path)) as client:
        server.wait_ingest(live, "connected")
        assert decode_complaints(server.hls(live.id), "-t", "2") == ""
        client.wait_for("sent ")
        assert client.wait() == 0, client.text
    server.wait_ingest(live, "interrupted")
    server.end(live)

    recording = server.vod(live.id)
    frames = count_frames(recording)
    print(f"{publisher.__name__}: {webrtc_clip.frames} pictures sent, {frames} recorded")
    assert webrtc_clip.frames - _AT_THE_EDGES <= frames <= webrtc_clip.frames
    assert decode_complaints(recording) == ""


def test_a_player_that_is_no_browser_gets_pictures_and_sound(server, tmp_path):
    clip = make_clip(tmp_path, b_frames=0, size="640x360", video_kbps=1200)
    live = server.live_stream("player")
    with Pusher(clip, server.push_url(live.key), loop=True) as pusher:
        pusher.wait_frames(75)
        server.wait_ingest(live, "connected")
        argv = [NODE, CLIENTS / "whep_player.js", f"{server.url}/live/{live.id}/whep"]
        with running(argv) as player:

            def got() -> dict:
                assert player.process.poll() is None, player.text
                return json.loads(player.out[-1]) if player.out else {"pictures": 0, "audio": 0}

            wait_until(lambda: got()["pictures"] > 90, 40, "pictures")
            wait_until(lambda: got()["audio"] > 100, 40, "two seconds of sound")
            played = got()
            wait_until(
                lambda: server.stream(live)["viewer_count"] == 1, 20, "the viewer is counted"
            )
            assert player.stop() == 0, player.text
    wait_until(lambda: len(server.events("whep_closed")) == 1, 20, "the session ends")
    assert server.events("whep_closed")[0]["reason"] == "hangup"
    print(played)
    assert played["keyframes"] > 0
    assert played["lost"] == 0
