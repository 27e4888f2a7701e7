"""Viewers who are there when the encoder connects: they see a stream, not an error."""

import pytest

from tests.support.players import DASH_JS, HLS_JS, SHAKA, players
from tests.support.pushers import Pusher

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser():
    with players() as started:
        yield started


@pytest.mark.parametrize("player", [HLS_JS, DASH_JS, SHAKA])
def test_the_first_viewer_sees_the_stream_start(server, clip, browser, player):
    stream = server.live_stream(f"first viewer in {player}")
    url = server.hls(stream.id) if player == HLS_JS else server.dash(stream.id)
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(1)
        with browser.play(player, url) as page:
            sample = page.wait_playing()
            print("STARTED", player, sample.started_after_s)
            assert sample.errors == []
