"""The host's page in a rehearsal: it begins one, plays it, tells its delay, and ends it."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.pushers import Clip, Pusher, make_clip
from tests.support.servers import GoliveServer

pytestmark = pytest.mark.e2e

PICTURES = os.environ.get("GOLIVE_TEST_PICTURES_DIR", "")
"""Where pictures of the page go, for whoever wants to look at them."""

WAIT_MS = 30_000


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[int, Clip]:
    """By the number of B-frames."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        count: make_clip(folder, b_frames=count, size="640x360", video_kbps=800, name=f"b{count}")
        for count in (0, 2)
    }


def delay_s(page: Page, how: str) -> float:
    """What the page says."""
    found = page.locator("#delay")
    expect(found).to_contain_text(how, timeout=WAIT_MS)
    return float(re.fullmatch(rf"([0-9.]+) s over {how}", found.inner_text())[1])


def wait_moving(page: Page) -> None:
    """Until the picture has moved on for a second."""
    began_s = page.evaluate("picture.currentTime")
    for _ in range(WAIT_MS // 100):
        if page.evaluate("picture.currentTime") > began_s + 1:
            return
        page.wait_for_timeout(100)
    raise AssertionError("the picture stands still")


def take_picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def test_a_host_rehearses_on_its_page(server: GoliveServer, browser, clips):
    stream_id, token = server.scheduled_stream("host")
    with browser.page(f"{server.url}/host/{stream_id}#token={token}") as page:
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.click("#rehearse", timeout=WAIT_MS)
        expect(page.locator("#rehearsal-note")).to_contain_text("Start your encoder")
        key = page.input_value("#key")
        server.secrets.add(key)
        assert page.get_attribute("#key", "type") == "password"
        assert page.inner_text("#server") == server.rtmp_url

        with Pusher(clips[0], server.push_url(key), loop=True):
            over_webrtc_s = delay_s(page, "WebRTC")
            wait_moving(page)
            assert page.evaluate("picture.videoWidth") == 640
            expect(page.locator("#video")).to_contain_text(
                re.compile(r"640 . 360, h264"), timeout=WAIT_MS
            )
            take_picture(page, "rehearsal-webrtc")
        expect(page.locator("#rehearsal-note")).to_contain_text("Start your", timeout=WAIT_MS)

        page.reload()
        with Pusher(clips[2], server.push_url(key), loop=True) as pusher:
            over_hls_s = delay_s(page, "HLS")
            wait_moving(page)
            expect(page.locator("#rehearsal-note")).to_contain_text("B-frames")
            assert 0 <= over_webrtc_s < over_hls_s
            take_picture(page, "rehearsal-hls")
            page.click("#end-rehearsal")
            assert pusher.wait(20) != 0, "the encoder is disconnected"
        expect(page.locator("#rehearse")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("#rehearsing")).to_be_hidden()
        assert faults == []
    assert server.api("GET", f"/streams/{stream_id}/rehearsal", token=token).status == 404


def test_a_live_stream_is_not_rehearsed(server: GoliveServer, browser):
    live = server.live_stream("on-air")
    with browser.page(f"{server.url}/host/{live.id}#token={live.token}") as page:
        expect(page.locator("#state")).to_contain_text("No encoder", timeout=WAIT_MS)
        expect(page.locator("#rehearse")).to_be_hidden()
    server.end(live)
