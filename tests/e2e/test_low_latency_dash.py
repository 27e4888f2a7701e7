"""Low-latency DASH with real parts: what is promised and when it comes, and real players, while an
encoder keeps its GOP and after it has broken it."""

import os
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.support.http_get import get
from tests.support.low_latency_client import PromiseKeeper
from tests.support.low_latency_rules import read_low_latency_mpd
from tests.support.players import DASH_JS, SHAKA, Watched
from tests.support.pushers import FRAME_RATE, Clip, Pusher, count_frames
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

STRICT = bool(os.environ.get("GOLIVE_TEST_LATENCY"))
"""Whether the bars in seconds hold, too: on a machine that has nothing else to do."""

STRICT_LATENCY_S = 1.8
REGULAR_UNTIL_S = 14.0
KEYFRAMES_S = (
    *(0, 2, 4, 6, 8, 10, 12, 14),
    *(15.2, 17.2),  # a scene cut, and the rhythm from there on
    *(23.2, 24.7, 26.2, 27.7, 29.2, 30.7, 32.2),  # none for 6 s; then a GOP of 1.5 s
)
JOINED_AT_S = 21.5
WATCHED_UNTIL_S = 28.0
PARTS_A_SEGMENT = 10


@pytest.fixture(scope="module")
def breaking(tmp_path_factory):
    """A clip whose encoder keeps a GOP of 2 s for 14 s, and then does not."""
    path = tmp_path_factory.mktemp("breaking") / "clip.flv"
    length_s = str(KEYFRAMES_S[-1] + 20)
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=640x360:rate={FRAME_RATE}"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000"]
    forced = ",".join(map(str, KEYFRAMES_S))
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-bf", "2"]
    coded += ["-pix_fmt", "yuv420p", "-b:v", "800k", "-g", "6000", "-sc_threshold", "0"]
    coded += ["-force_key_frames", forced, "-c:a", "aac", "-b:a", "96k", "-ac", "2"]
    argv = ["ffmpeg", "-v", "error", "-y", *picture, *sound, "-t", length_s, *coded, str(path)]
    subprocess.run(argv, check=True, timeout=120)
    return Clip(path, float(length_s), count_frames(str(path)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


def test_promises_are_kept_and_players_play_through_a_broken_gop(server, breaking, browser):
    stream = server.live_stream("low")
    url = server.low_latency_dash(stream.id)
    with Pusher(breaking, server.push_url(stream.key)) as pusher, ExitStack() as opened:
        pusher.wait_frames(2 * FRAME_RATE)
        clients = [opened.enter_context(PromiseKeeper(url, index)) for index in (0, 1)]
        low = opened.enter_context(browser.play(DASH_JS, url))
        refused = []
        low.page.on("response", lambda one: one.status >= 400 and refused.append(one.url))
        low.wait_playing()
        shaka = opened.enter_context(browser.play(SHAKA, url))
        usual = opened.enter_context(browser.play(DASH_JS, server.dash(stream.id)))
        usual.wait_playing()
        shaka_began = shaka.wait_playing()
        regular = low.watch(REGULAR_UNTIL_S - pusher.frames / FRAME_RATE)
        ordinary = usual.watch(1)
        before = low.watch(JOINED_AT_S - pusher.frames / FRAME_RATE)
        joining = opened.enter_context(browser.play(DASH_JS, url))
        joining.wait_playing()
        behind = low.watch(WATCHED_UNTIL_S - pusher.frames / FRAME_RATE)
        broken = Watched([*before.samples, *behind.samples])
        joined = joining.sample()
        shaka_then = shaka.sample()
        check_answers_of_the_daemon(url)
        assert pusher.is_sending
    print(f"dash.js: {regular}\n  broken GOP: {broken}\n  ordinary MPD: {ordinary}")
    print(f"joined between keyframes: {joined.latency_s} behind, stalls {joined.stalls}")
    print(f"Shaka: latency {shaka_then.latency_s}, stalls {shaka_then.stalls}")
    check_dash_js(regular, broken, ordinary)
    assert (joined.stalls, joined.errors) == (0, [])
    assert joined.latency_s > broken.latency_s + 1, "it began with the last keyframe"
    assert refused == [], "never a 404 for what was promised"
    played_s = shaka_then.current_s - shaka_began.current_s
    assert played_s > 0.9 * (shaka_then.at_s - shaka_began.at_s)
    assert (shaka_then.stalls, shaka_then.errors) == (0, [])
    for client in clients:
        check_promises(client)
    assert len(clients[0].periods) >= 3, "the GOP was broken, and learnt"
    server.end(stream)


def check_dash_js(regular, broken, ordinary):
    for watched in (regular, broken):
        assert watched.stalls == 0
        assert watched.errors == []
        assert watched.advanced_s == pytest.approx(watched.took_s, rel=0.15), "it may catch up"
    last_s = [one.latency_s for one in broken.samples[-4:]]
    assert max(last_s) < 0.6 * ordinary.latency_s, "the ordinary MPD's viewers are further behind"
    assert broken.latency_s < 1.15 * regular.latency_s, "a broken GOP costs no latency"
    if STRICT:
        assert regular.samples[-1].latency_s <= STRICT_LATENCY_S
        assert broken.latency_s <= STRICT_LATENCY_S


def check_promises(client):
    """DVB §10.20.2: a segment that is promised comes, chunk by chunk, and is the file."""
    assert len(client.segments) >= 8
    assert [one.status for one in client.segments] == [200] * len(client.segments)
    numbers = [
        int(one.address.partition("segment-")[2].partition(".")[0]) for one in client.segments
    ]
    assert all(after == before + 1 for before, after in pairwise(numbers))
    while_growing = 0
    for one in client.segments[:-1]:
        status, whole, headers = get(one.address.partition("?")[0])
        assert (status, whole) == (200, one.body)
        assert "immutable" in headers["Cache-Control"]
        while_growing += len(one.pieces) > PARTS_A_SEGMENT / 2 and one.waited_s < one.took_s
    assert while_growing >= 0.6 * len(client.segments[:-1]), "parts come as they are made"


def check_answers_of_the_daemon(url):
    """A segment that is far ahead is not held; the one that grows passes nginx like its file."""
    status, text, headers = get(url)
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == "*"
    period = read_low_latency_mpd(text.decode()).periods[-1]
    base = url.rpartition("/")[0]
    assert get(f"{base}/{period.video.address(999_999)}")[0] == 404
    newest = period.video.address(period.video.first)
    with urllib.request.urlopen(f"{base}/{newest}", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "video/iso.segment"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "immutable" in answer.headers["Cache-Control"]
