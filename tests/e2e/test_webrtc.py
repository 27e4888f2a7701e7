"""WebRTC with real peers: a browser publishes, browsers watch, the network misbehaves."""

import os
import time

import pytest

from tests.support.processes import wait_until
from tests.support.pushers import (
    OWN_TIMES,
    Pusher,
    count_frames,
    decode_complaints,
    duration_s,
    make_clip,
)
from tests.support.servers import golive_server
from tests.support.webrtc import (
    Relay,
    Weather,
    host_candidates,
    http,
    relayed_answer,
    webrtc_browser,
)

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

SHOW_S = float(os.environ.get("GOLIVE_TEST_WEBRTC_S", "4"))
"""How long browsers look on; 30 for the full length."""

STRICT = bool(os.environ.get("GOLIVE_TEST_LATENCY"))
"""Whether latencies must be those that an idle machine has: shared cores have others."""

FULL = SHOW_S > 10
CODECS = ["video/H264", "video/VP8"] if FULL else ["video/H264"]
WEATHERS = [(0.02, 0.0), (0.05, 0.0), (0.0, 0.1)]
"""Loss, and a delay of up to so many seconds, which reorders."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


@pytest.fixture(scope="module")
def chromium():
    with webrtc_browser() as started:
        yield started


@pytest.fixture(scope="module")
def plain_clip(tmp_path_factory):
    """Without B-frames."""
    folder = tmp_path_factory.mktemp("plain")
    return make_clip(folder, b_frames=0, size="640x360", video_kbps=1200)


def playing(stats: dict) -> bool:
    return stats.get("connection") == "connected" and stats["frames"] > 15


@pytest.mark.parametrize("codec", CODECS)
def test_a_browser_publishes_and_browsers_watch(server, chromium, codec):
    live = server.live_stream(codec.rpartition("/")[2].lower())
    with chromium.pages(3) as (camera, webrtc, hls):
        published = camera.publish(f"{server.url}/live/whip", live.key, codec)
        assert published["status"] == 201, published
        server.wait_ingest(live, "connected")
        watched = webrtc.watch(f"{server.url}/live/{live.id}/whep")
        assert watched["status"] == 201, watched
        hls.watch_hls(server.hls(live.id))
        webrtc.wait(playing, 30, "a picture over WebRTC")
        hls.wait(lambda stats: stats["frames"] > 15, 30, "a picture over HLS")

        camera.page.wait_for_timeout(SHOW_S * 1000)
        over_webrtc, over_hls = webrtc.stats(), hls.stats()
        sent = camera.stats()["video"]["framesEncoded"]
        print(
            f"{codec}: WHEP {over_webrtc['latency_s']} s (worst {over_webrtc['worst_s']} s), "
            f"LL-HLS {over_hls['latency_s']} s (worst {over_hls['worst_s']} s)"
        )
        ended = http("DELETE", published["location"], Authorization=f"Bearer {live.key}")
        assert ended.status == 200
        server.wait_ingest(live, "interrupted")

    for stats in (over_webrtc, over_hls):
        assert stats["errors"] == []
        assert stats["distinct"] > 15
    assert over_webrtc["audio"]["totalAudioEnergy"] > 0
    assert over_hls["soundBytes"] > 0
    assert over_webrtc["latency_s"] < over_hls["latency_s"]
    if STRICT:
        assert over_webrtc["latency_s"] <= 0.4
        assert over_hls["latency_s"] <= 1.5

    server.end(live)
    recording = server.vod(live.id)
    frames = count_frames(recording)
    print(f"{codec}: the browser had encoded {sent} frames, the recording has {frames}")
    assert frames >= sent * 0.9
    assert duration_s(recording) > SHOW_S
    assert decode_complaints(recording, output=OWN_TIMES) == ""


@pytest.fixture
def rtmp(server, plain_clip):
    """A live stream over RTMP."""
    live = server.live_stream("rtmp")
    with Pusher(plain_clip, server.push_url(live.key), loop=True) as pusher:
        pusher.wait_frames(75)
        server.wait_ingest(live, "connected")
        yield live
        pusher.stop()
    server.end(live)


def test_the_client_of_wheps_authors_watches_rtmp(server, chromium, rtmp):
    with chromium.pages(1) as (page,):
        page.watch_with_client(f"{server.url}/live/{rtmp.id}/whep")
        stats = page.wait(
            lambda stats: stats.get("video", {}).get("framesDecoded", 0) > 60, 30, "a picture"
        )
        assert stats["video"]["frameWidth"] == 640
        assert stats["errors"] == []
        wait_until(lambda: server.stream(rtmp)["viewer_count"] == 1, 20, "the viewer is counted")
        page.page.evaluate("client.stop()")

    def is_over() -> bool:
        return len(server.events("whep_closed")) > 0

    wait_until(is_over, 20, "the session ends")


@pytest.mark.parametrize(("loss", "jitter_s"), WEATHERS)
def test_the_picture_recovers_from_a_bad_network(server, chromium, rtmp, loss, jitter_s):
    weather = Weather()
    relays: list[Relay] = []

    def relayed(answer: str) -> str:
        """The answer with a relay before the worker, and no other way to it."""
        host, port = host_candidates(answer)[0]
        relays.append(Relay(host, (host, port), weather, seed=7))
        return relayed_answer(answer, host, port, relays[0].port)

    try:
        with chromium.pages(1) as (page,):
            url = f"{server.url}/live/{rtmp.id}/whep"
            assert page.watch_relayed(url, relayed)["status"] == 201
            page.wait(
                lambda stats: stats.get("video", {}).get("framesDecoded", 0) > 60, 30, "a picture"
            )
            began_s = time.monotonic()
            weather.loss, weather.jitter_s = loss, jitter_s
            page.page.wait_for_timeout(4_000)
            during = page.stats()["video"]
            weather.loss = weather.jitter_s = 0.0
            lasted_s = time.monotonic() - began_s

            recovered_s = _recovery_s(page)
            print(
                f"loss {loss:.0%}, jitter {jitter_s} s: {weather.dropped} datagrams lost of "
                f"{weather.passed + weather.dropped}, {weather.reordered} out of order, "
                f"{during['nackCount']} asked for again, "
                f"{during['pliCount']} pictures lost; even again after {recovered_s:.1f} s"
            )
            assert weather.dropped or weather.reordered
            assert recovered_s < lasted_s
            if STRICT:
                assert recovered_s <= 1.0
    finally:
        for relay in relays:
            relay.close()


def _recovery_s(page) -> float:
    """From now until the picture moves as it should, for half a second on end."""
    return page.page.evaluate(
        """async () => {
            const video = document.getElementById("video");
            const began = performance.now();
            let even = began;
            let last = began;
            return new Promise((resolve) => {
                const step = (now) => {
                    if (now - last > 150) even = now;
                    last = now;
                    if (now - even > 500 || now - began > 20000) resolve((even - began) / 1000);
                    else video.requestVideoFrameCallback(step);
                };
                video.requestVideoFrameCallback(step);
            });
        }"""
    )
