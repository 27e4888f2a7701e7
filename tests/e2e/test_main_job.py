"""The main job: push RTMP, watch HLS and DASH, end, watch the VOD; and who is turned away."""

import http.client
import json
import shutil
import socket
import time
import urllib.request
import xml.etree.ElementTree as ET
from urllib.parse import urljoin

import pytest

from tests.support.players import DASH_JS, HLS_JS, SHAKA
from tests.support.processes import wait_until
from tests.support.pushers import (
    FRAME_RATE,
    Pusher,
    count_frames,
    decode_complaints,
    duration_s,
    push_refused,
)
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

WATCH_S = 10.0
# A segment and a half.
FIRST_SECONDS = 3
# Shaka's buffering goal is 10 s.
FETCHED_AT_ONCE_S = 14.0
# How much later a recording may play for being new.
VOD_READY_S = 2.0
REFUSED = "publish_refused"


@pytest.fixture(scope="module")
def on_air(server, clip):
    """A stream with an encoder, for tests that only look at it."""
    stream = server.live_stream("on-air")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        server.wait_ingest(stream, "connected")
        pusher.wait_frames(6 * FRAME_RATE)
        yield stream


@pytest.mark.alone
def test_the_watch_page_plays_a_live_stream_close_to_its_edge(server, on_air, browser):
    with browser.watch_page(server.watch(on_air.id)) as page:
        page.wait_playing()
        watched = page.watch(WATCH_S + 1)
    assert watched.advanced_s >= WATCH_S, watched
    assert watched.stalls == 0, watched
    assert watched.errors == [], watched
    assert watched.latency_s <= 2.0, watched


@pytest.mark.alone
def test_the_watch_page_falls_back_when_it_has_come_too_near_to_live(server, on_air, browser):
    with browser.watch_page(server.watch(on_air.id)) as page:
        page.wait_playing()
        page.page.evaluate(
            """() => {
                window.rates = [];
                video.addEventListener("ratechange", () => rates.push(video.playbackRate));
                window.nearest = () => golive.hls.latestLevelDetails.partHoldBack;
                video.currentTime += golive.latency - nearest() + 0.4;
            }"""
        )
        wait_until(lambda: page.page.evaluate("rates[0] < 1"), 30, "it plays more slowly")
        wait_until(lambda: page.page.evaluate("rates.at(-1) === 1"), 60, "it has fallen back")
        assert page.page.evaluate("golive.latency - nearest()") > -0.1


@pytest.mark.alone
@pytest.mark.parametrize(
    ("player", "protocol"), [(HLS_JS, "hls"), (DASH_JS, "dash"), (SHAKA, "dash")]
)
def test_players_play_a_live_stream(server, on_air, browser, player, protocol):
    url = server.hls(on_air.id) if protocol == "hls" else server.dash(on_air.id)
    with browser.play(player, url) as page:
        page.wait_playing()
        watched = page.watch(WATCH_S + 1)
    assert watched.advanced_s >= WATCH_S, watched
    assert watched.stalls == 0, watched
    assert watched.errors == [], watched


@pytest.mark.alone
def test_shaka_plays_on_that_has_joined_in_the_first_seconds(server, clip, browser):
    stream = server.live_stream("just-begun")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(FIRST_SECONDS * FRAME_RATE)
        with browser.play(SHAKA, server.dash(stream.id)) as page:
            first = page.wait_playing()
            # it begins nearer to live than it would later on, and may wait for a moment
            last = page.wait(
                lambda one: one.reached_s > FETCHED_AT_ONCE_S,
                2 * FETCHED_AT_ONCE_S,
                "further than what it fetches ahead",
            )
    assert first.buffered[0][0] < 1 / FRAME_RATE, f"it had to seek to the first picture: {first}"
    assert last.errors == [], last


@pytest.mark.alone
@pytest.mark.parametrize("protocol", ["hls", "dash"])
def test_ffmpeg_plays_a_live_stream_without_a_complaint(server, on_air, protocol):
    url = server.hls(on_air.id) if protocol == "hls" else server.dash(on_air.id)
    assert decode_complaints(url, "-t", str(WATCH_S)) == ""


@pytest.mark.alone
def test_a_stream_that_ends_is_a_vod_at_once(server, clip, browser, live_s, tmp_path):
    stream = server.live_stream("ends")
    sent, sent_before = tmp_path / "sent.flv", tmp_path / "sent-before.flv"
    with Pusher(clip, server.push_url(stream.key), loop=True, record=sent) as pusher:
        pusher.wait_frames(int(live_s * FRAME_RATE), live_s + 30)
        shutil.copyfile(sent, sent_before)
        asked_at = time.monotonic()
        ended = server.end(stream)
        first_s = seconds_to_play(browser, ended["vodUrl"], since=asked_at)
        assert pusher.wait(10) != 0, "the encoder is disconnected"
    assert ended["vodUrl"] == server.vod(stream.id)
    again_s = seconds_to_play(browser, ended["vodUrl"], since=time.monotonic())
    assert first_s - again_s <= VOD_READY_S, f"{first_s:.2f} s, later {again_s:.2f} s"
    assert_whole(server, stream, sent_before, sent)


def seconds_to_play(browser, url, *, since):
    """Until a player that is opened now shows the moving picture."""
    with browser.play(HLS_JS, url, live=False) as page:
        page.wait_playing()
        return time.monotonic() - since


def test_every_frame_of_an_encoder_that_stops_is_in_the_vod(server, clip):
    stream = server.live_stream("stops")
    with Pusher(clip, server.push_url(stream.key)) as pusher:
        assert pusher.wait() == 0
    server.wait_ingest(stream, "interrupted")
    server.end(stream)
    for suffix in ("m3u8", "mpd"):
        assert count_frames(server.vod(stream.id, suffix)) == clip.frames
    assert duration_s(server.vod(stream.id)) == pytest.approx(clip.duration_s, abs=0.1)
    assert decode_complaints(server.vod(stream.id)) == ""


def assert_whole(server, stream, sent_before, sent):
    """All that was sent before the end was asked for, and nothing that was not sent at all.

    What the encoder still put into a connection that was being cut may be there or not.
    """
    url = server.vod(stream.id)
    frames = count_frames(url)
    assert count_frames(str(sent_before)) <= frames <= count_frames(str(sent))
    assert duration_s(url) == pytest.approx(frames / FRAME_RATE, abs=0.1)
    assert decode_complaints(url) == ""


def test_a_wrong_key_is_refused_with_a_reason(server, clip):
    assert push_refused(clip, server.push_url("sk_" + "x" * 43))
    assert server.events(REFUSED)[-1]["code"] == "unknown_key"


def test_a_revoked_key_is_refused_and_the_new_one_accepted(server, clip):
    stream = server.live_stream("rotates")
    path = f"/streams/{stream.id}/rotate-key"
    new = server.expect(200, "POST", path, token=stream.token)["streamKey"]
    server.secrets.add(new)
    assert push_refused(clip, server.push_url(stream.key))
    assert server.events(REFUSED)[-1]["code"] == "revoked_key"
    with Pusher(clip, server.push_url(new)):
        server.wait_ingest(stream, "connected")


def test_a_stream_that_is_not_live_takes_no_encoder(server, clip):
    stream_id, token = server.scheduled_stream("early")
    owner = server.expect(200, "GET", f"/streams/{stream_id}", token=token)
    server.secrets.add(owner["stream_key"])
    assert push_refused(clip, server.push_url(owner["stream_key"]))
    assert server.events(REFUSED)[-1]["code"] == "stream_scheduled"


def test_an_ended_stream_takes_no_encoder(server, clip):
    stream = server.live_stream("late")
    server.end(stream)
    assert push_refused(clip, server.push_url(stream.key))
    assert server.events(REFUSED)[-1]["code"] == "stream_ended"


def test_a_second_encoder_is_refused_and_the_first_goes_on(server, clip):
    stream = server.live_stream("twice")
    with Pusher(clip, server.push_url(stream.key), loop=True) as first:
        server.wait_ingest(stream, "connected")
        assert push_refused(clip, server.push_url(stream.key))
        assert server.events(REFUSED)[-1]["code"] == "already_publishing"
        first.wait_frames(first.frames + 2 * FRAME_RATE)
    server.end(stream)


def test_rotating_the_key_disconnects_the_encoder_on_the_old_one(server, clip):
    stream = server.live_stream("rotates-live")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        server.wait_ingest(stream, "connected")
        path = f"/streams/{stream.id}/rotate-key"
        new = server.expect(200, "POST", path, token=stream.token)["streamKey"]
        server.secrets.add(new)
        assert pusher.wait(10) != 0


def test_the_mpd_names_the_clock_and_it_answers(server, on_air):

    url = server.dash(on_air.id)
    with urllib.request.urlopen(url, timeout=10) as answer:
        root = ET.fromstring(answer.read())
    timing = root.find("{urn:mpeg:dash:schema:mpd:2011}UTCTiming")
    with urllib.request.urlopen(urljoin(url, timing.get("value")), timeout=10) as answer:
        assert answer.read().decode().endswith("Z")


def test_an_encoder_that_comes_back_goes_on_with_a_discontinuity(server, clip):
    stream = server.live_stream("comes-back")
    for _ in range(2):
        with Pusher(clip, server.push_url(stream.key), duration_s=5) as pusher:
            assert pusher.wait() == 0
        server.wait_ingest(stream, "interrupted")
    server.end(stream)
    url = server.vod(stream.id)
    assert count_frames(url) == pytest.approx(2 * 5 * FRAME_RATE, abs=4)
    playlist = server.data_dir / "objects" / "vods" / stream.id / "video.m3u8"
    assert playlist.read_text().count("#EXT-X-DISCONTINUITY\n") == 1
    assert "non-monoton" not in decode_complaints(url).lower()


def test_live_playlists_tell_the_end(server, clip):

    stream = server.live_stream("tells-the-end")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(4 * FRAME_RATE)
        server.end(stream)

    def playlist() -> str:
        with urllib.request.urlopen(f"{server.url}/live/{stream.id}/video.m3u8") as answer:
            return answer.read().decode()

    wait_until(lambda: "#EXT-X-ENDLIST" in playlist(), 10, "ENDLIST")


def test_a_guesser_is_slowed_down_and_a_good_key_still_passes(tmp_path, clip):
    with golive_server(tmp_path / "data") as server:
        for _ in range(25):
            hook(server, "sk_" + "y" * 43)
        codes = {event["code"] for event in server.events(REFUSED)}
        assert codes == {"unknown_key"}
        assert len(server.events(REFUSED)) < 25, "the rest fills no log"
        stream = server.live_stream("neighbor")
        with Pusher(clip, server.push_url(stream.key)):
            server.wait_ingest(stream, "connected")


def hook(server, key: str) -> int:
    """nginx-rtmp's on_publish, as it sends it."""
    connection = http.client.HTTPConnection("hooks", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(server.data_dir / "run" / "hooks.sock"))
    body = f"app=live&flashver=test&addr=10.0.0.9&clientid=1&call=publish&name={key}&type=live"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/hooks/publish", body, headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_document_names_the_hook_and_the_room(server):
    with urllib.request.urlopen(f"{server.url}/api/v1/openapi.json", timeout=10) as answer:
        document = json.load(answer)
    assert {"/streams", "/streams/validate-key", "/streams/{stream_id}/room"} <= set(
        document["paths"]
    )
