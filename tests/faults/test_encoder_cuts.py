"""An encoder whose network breaks again and again: by reset, and by silence."""

import os
from contextlib import ExitStack

import pytest

from tests.support.cuttable_proxy import CuttableProxy
from tests.support.players import HLS_JS
from tests.support.processes import wait_until
from tests.support.pushers import FRAME_RATE, Pusher, decode_complaints
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

CUTS = int(os.environ.get("GOLIVE_TEST_CUTS", "2"))
"""How often the encoder is cut; 10 for the full length."""

VISIT_S, WATCHED_S = 3, 2


@pytest.fixture
def server(tmp_path):
    with golive_server(tmp_path / "data") as started:
        yield started


def test_an_encoder_that_is_cut_again_and_again_is_one_stream_and_one_vod(server, clip, browser):
    """Every other cut is silence: nginx still believes in the old encoder when the new one comes.

    One viewer looks on through all of it, and nobody touches the player.
    """
    stream = server.live_stream("cut")
    page = None
    with CuttableProxy(server.rtmp_port) as network, ExitStack() as viewing:
        url = f"rtmp://127.0.0.1:{network.port}/live/{stream.key}"
        for visit in range(CUTS + 1):
            with Pusher(clip, url, loop=True) as pusher:
                pusher.wait_frames(VISIT_S * FRAME_RATE)
                if page is None:
                    page = viewing.enter_context(browser.play(HLS_JS, server.hls(stream.id)))
                    page.wait_playing()
                at_s = page.sample().current_s
                page.wait(lambda one, at_s=at_s: one.current_s > at_s + WATCHED_S, 20, "on again")
                if visit < CUTS:
                    cut_off(server, network, pusher, silently=visit % 2 == 1)
                else:
                    pusher.stop()
        ended = server.end(stream)
        page.wait(is_at_the_end, 20, "at the end")
    assert ended["vodUrl"]
    assert len(server.events("publish_accepted")) == CUTS + 1
    playlist = (server.data_dir / "objects" / "vods" / stream.id / "video.m3u8").read_text()
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == CUTS
    assert decode_complaints(server.vod(stream.id)) == ""


def is_at_the_end(one):
    """hls.js never says so while a hole shorter than its `maxBufferHole` (0.1 s) lies behind the
    playhead: it looks for a second buffered range from before the hole on, and finds the one that it
    plays. The start of a Period with B-frames is such a hole: their delay. With `maxBufferHole: 0`
    it ends every time."""
    return one.ended or one.duration_s - one.current_s < 0.3


def cut_off(server, network, pusher, *, silently):
    """Break the encoder's connection, and wait until the server has noticed."""
    if not silently:
        network.reset()
        assert pusher.wait(20) != 0
        return

    def stalls():
        return sum(event["after"] == "stalled" for event in server.events("session_state"))

    before = stalls()
    network.silence()
    wait_until(lambda: stalls() > before, 20, "the silence is noticed")
    assert pusher.is_sending
