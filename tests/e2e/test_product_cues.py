"""Product cues in real players: the frame with which each comes, live and in the recording."""

import os
import re
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import pytest

from tests.support.counted import make_counted_clip
from tests.support.players import DASH_JS, HLS_JS
from tests.support.processes import wait_until
from tests.support.pushers import FRAME_RATE, Pusher
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

BEHIND_S = float(os.environ.get("GOLIVE_TEST_CUES_BEHIND_S", "6.5"))
"""How far behind live the farther players are; 20 for the full length."""

LATE_FRAMES = float(os.environ.get("GOLIVE_TEST_CUES_LATE_FRAMES", "4"))
"""How late cues may be told, in the middle; 1 on a machine that has nothing else to do."""

CUES = 3
RECORDED = {HLS_JS: "m3u8", DASH_JS: "mpd"}
FRAME_S = 1 / FRAME_RATE
ROUNDING_S = 0.002
"""PROGRAM-DATE-TIME, START-DATE and FLV's stamps are in milliseconds."""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    # Far longer than it takes: dash.js seeks without end where a live stream ends under it.
    return make_counted_clip(tmp_path_factory.mktemp("counted"), int(BEHIND_S) + 240)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


@dataclass(frozen=True)
class Came:
    """A cue as a player noticed it: the frame that it belongs to by the player's own clock, and
    the one at which it was told, both counted as the picture counts."""

    belongs_to: float
    told_at: float


def read_cues(page, what="enter") -> dict[str, Came]:
    """By id; the picture's own count tells where the player's clock stands."""
    log = page.evaluate("cueLog()")
    found = {}
    for cue in log["cues"].values():
        seen = cue["seen"] or log["seen"]
        if cue["what"] != what:
            continue

        def frame(at_s, seen=seen):
            return seen["number"] + (at_s - seen["mediaTime"]) * FRAME_RATE

        found[cue["id"]] = Came(frame(cue["starts_s"]), frame(cue["now_s"]))
    return found


def moment_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def text_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def first_frame_s(server, stream) -> float:
    """When the picture that counts 0 was, on the timeline of PROGRAM-DATE-TIME."""
    text = text_of(f"{server.url}/live/{stream.id}/video.m3u8")
    assert "#EXT-X-MEDIA-SEQUENCE:0\n" in text
    return moment_s(re.search("PROGRAM-DATE-TIME:(.+)", text)[1])


def open_players(stack, browser, server, stream):
    """Two of each kind, at different distances from live."""
    urls = {HLS_JS: server.hls(stream.id), DASH_JS: server.dash(stream.id)}
    places = [(player, behind) for player in urls for behind in (0.0, BEHIND_S)]
    pages = {}
    for player, behind in places:
        page = stack.enter_context(browser.play_cues(player, urls[player], behind_s=behind))
        pages[player, behind] = page
    for page in pages.values():
        page.wait_playing(60)
    return pages


def show_products(server, stream):
    """Pin and tag a few times, each until the playlist tells it; each cue's start by its id, and
    those of the pins as the API has answered them."""
    path = f"/streams/{stream.id}/products/{product_of(server, stream)}"
    playlist = f"{server.url}/live/{stream.id}/video.m3u8"
    told, pinned = {}, []

    def all_told() -> bool:
        told.update(told_ranges(text_of(playlist)))
        return len(told) == 2 * len(pinned)

    for _ in range(CUES):
        answer = server.expect(200, "POST", f"{path}/pin", {}, token=stream.token)
        server.expect(200, "POST", f"{path}/tag", {"x": 0.25, "y": 0.5}, token=stream.token)
        pinned.append(moment_s(answer["at"]))
        wait_until(all_told, 30, "the playlist tells both")
        server.expect(200, "DELETE", f"{path}/pin", token=stream.token)
    return told, pinned


def product_of(server, stream):
    return server.expect(200, "GET", f"/streams/{stream.id}", token=stream.token)["products"][0][
        "id"
    ]


def told_ranges(text):
    """ID → START-DATE of a Media Playlist's cues, in seconds."""
    found = re.findall(r'#EXT-X-DATERANGE:ID="([^"]+)",.*?START-DATE="([^"]+)"', text)
    return {name: moment_s(date) for name, date in found}


def check(who, came, expected):
    """Each cue belongs to its frame, and is told with it: not before, and no later than the
    browser gets to it."""
    assert set(expected) <= set(came), who
    off = [came[name].belongs_to - frame for name, frame in expected.items()]
    late = [came[name].told_at - frame for name, frame in expected.items()]
    print(f"{who}: off {min(off):+.3f} … {max(off):+.3f} frames, told {min(late):+.2f} … "
          f"{max(late):+.2f} frames behind, median {median(late):+.2f}")  # fmt: skip
    assert max(map(abs, off)) <= ROUNDING_S / FRAME_S, (who, off)
    assert min(late) > -1, (who, late)
    assert median(late) <= LATE_FRAMES, (who, late)


def test_every_player_meets_a_cue_on_its_frame(server, browser, counted):
    stream = server.live_stream("cues")
    with ExitStack() as stack:
        pusher = stack.enter_context(Pusher(counted, server.push_url(stream.key)))
        pusher.wait_frames(int((BEHIND_S + 2) * FRAME_RATE), BEHIND_S + 60)
        pages = open_players(stack, browser, server, stream)
        latency = {who: page.sample().latency_s for who, page in pages.items()}
        print({f"{who[0]} {who[1]:g}": round(latency[who], 2) for who in latency})
        for player in (HLS_JS, DASH_JS):
            assert latency[player, BEHIND_S] > latency[player, 0.0] + 1
        zero_s = first_frame_s(server, stream)
        told, pinned = show_products(server, stream)
        starts = sorted(at for name, at in told.items() if name.startswith("pin-"))
        assert starts == pytest.approx(sorted(pinned), abs=ROUNDING_S)
        expected = {name: (at - zero_s) * FRAME_RATE for name, at in told.items()}
        for who, page in pages.items():
            page.wait(lambda _, page=page: has_all(page, expected), BEHIND_S + 30, "told all")
            check(f"{who[0]}, {latency[who]:.1f} s behind", read_cues(page.page), expected)
            assert page.sample().errors == []
        server.end(stream)
    check_recording(server, browser, stream, expected)


def has_all(page, expected) -> bool:
    return set(expected) <= set(read_cues(page.page))


def check_recording(server, browser, stream, expected):
    """The same frames again, played from a little before the first."""
    before_s = min(expected.values()) / FRAME_RATE - 1
    urls = {player: server.vod(stream.id, suffix) for player, suffix in RECORDED.items()}
    with ExitStack() as stack:
        pages = {
            player: stack.enter_context(browser.play_cues(player, url, live=False))
            for player, url in urls.items()
        }
        for page in pages.values():
            page.wait_playing()
            page.page.evaluate(f"document.getElementById('video').currentTime = {before_s}")
        for player, page in pages.items():
            page.wait(lambda _, page=page: has_all(page, expected), 30, "told all")
            check(f"{player}, recording", read_cues(page.page), expected)
            assert page.sample().errors == []
