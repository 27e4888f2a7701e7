"""What people see of products and advice: the watch page, live and recorded, and the host's page;
of an encoder whose keyframes are far apart, which a player that joins must still be able to show."""

import json
import os
import re
import urllib.request
from pathlib import Path

import pytest

from tests.support.counted import make_counted_clip
from tests.support.processes import wait_until
from tests.support.pushers import FRAME_RATE, Pusher
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

PICTURES = os.environ.get("GOLIVE_TEST_PICTURES_DIR", "")
"""Where pictures of the pages go, for whoever wants to look at them."""


@pytest.fixture(scope="module")
def seldom_keyed(tmp_path_factory):
    """A picture with a key frame every five seconds."""
    return make_counted_clip(tmp_path_factory.mktemp("counted"), 60, gop_s=5.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


def take_picture(page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def product_path(server, stream) -> str:
    shown = server.expect(200, "GET", f"/streams/{stream.id}", token=stream.token)
    return f"/streams/{stream.id}/products/{shown['products'][0]['id']}"


def say(page, server, stream, text: str) -> None:
    """Into the room, from a page of this site."""
    url = f"{server.url.replace('http', 'ws')}/api/v1/ws?token={stream.token}"
    said = page.evaluate(
        """async ([url, id, text]) => {
          const socket = new WebSocket(url);
          const answers = [];
          socket.onmessage = (event) => answers.push(JSON.parse(event.data));
          const acked = async (id) => {
            for (let n = 0; n < 100 && !answers.some((one) => one.ack === id); n += 1)
              await new Promise((resolve) => setTimeout(resolve, 50));
          };
          await new Promise((resolve) => (socket.onopen = resolve));
          socket.send(JSON.stringify({ event: "stream_join", data: { stream_id: id }, id: 1 }));
          await acked(1);
          socket.send(JSON.stringify({ event: "stream_chat", data: { stream_id: id, message: text }, id: 2 }));
          await acked(2);
          socket.close();
          return answers.some((one) => one.ack === 2);
        }""",
        [url, stream.id, text],
    )
    assert said


def check_card(page) -> None:
    page.wait_for_selector("#pin:not([hidden])", timeout=30_000)
    assert page.inner_text("#pin strong") == "Mug"
    assert "9.5" in page.inner_text("#pin span")
    page.wait_for_selector("#tags .tag", state="attached", timeout=30_000)
    box = page.evaluate(
        """() => {
          const video = document.getElementById("video").getBoundingClientRect();
          const tag = document.querySelector("#tags .tag").getBoundingClientRect();
          return [(tag.x + tag.width / 2 - video.x) / video.width,
                  (tag.y + tag.height / 2 - video.y) / video.height];
        }"""
    )
    assert box == pytest.approx([0.25, 0.5], abs=0.01)


def test_pages_show_products_chat_and_advice_also_behind_a_crash(server, browser, seldom_keyed):
    """Live, from a daemon that is killed meanwhile, and beside the recording."""
    stream = server.live_stream("shop")
    with Pusher(seldom_keyed, server.push_url(stream.key)) as pusher:
        pusher.wait_frames(4 * FRAME_RATE, 60)
        path = product_path(server, stream)
        with browser.watch_page(server.watch(stream.id)) as watching:
            watching.wait_playing(60)
            say(watching.page, server, stream, "what a lovely mug")
            server.expect(200, "POST", f"{path}/pin", {}, token=stream.token)
            server.expect(200, "POST", f"{path}/tag", {"x": 0.25, "y": 0.5}, token=stream.token)
            check_card(watching.page)
            take_picture(watching.page, "watch-live")
            check_crash(server, stream)
            server.expect(200, "DELETE", f"{path}/pin", token=stream.token)
            watching.page.wait_for_selector("#pin", state="hidden", timeout=30_000)
            assert watching.sample().errors == []
        check_host_page(server, browser, stream)
        server.end(stream)
    check_recording(server, browser, stream)


def check_crash(server, stream) -> None:
    """What was told stays told, from the next daemon's first playlist on."""
    before = ranges_of(server, stream)
    assert len(before) == 2
    daemon = server.daemon
    daemon.kill()
    daemon.wait(20)
    wait_until(lambda: server.api("GET", "/streams").status == 200, 30, "the daemon is back")
    assert ranges_of(server, stream) == before


def check_recording(server, browser, stream) -> None:
    with browser.watch_page(server.watch(stream.id)) as watching:
        watching.page.wait_for_selector("body[data-state=recording]", timeout=40_000)
        check_card(watching.page)
        watching.page.wait_for_selector("#replay li", timeout=30_000)
        assert watching.page.inner_text("#replay li") == "shop what a lovely mug"
        take_picture(watching.page, "watch-recording")
        assert watching.sample().errors == []
    told = ranges_in(server.vod(stream.id).removesuffix(".m3u8") + "/video.m3u8")
    assert len(told) == 2
    assert all("END-DATE" in line for line in told)
    events = re.findall("<Event [^>]+>(.+?)</Event>", text_of(server.vod(stream.id, "mpd")))
    assert {json.loads(one)["kind"] for one in events} == {"pin", "tag"}


def check_host_page(server, browser, stream) -> None:
    def advice() -> list[str]:
        health = server.expect(200, "GET", f"/streams/{stream.id}/health", token=stream.token)
        return [one["code"] for one in health["advice"]]

    wait_until(lambda: "long_gop" in advice(), 40, "advice on the key frames")
    with browser.page(f"{server.url}/host/{stream.id}#token={stream.token}") as page:
        page.wait_for_selector("#advice li[data-code=long_gop]", timeout=20_000)
        assert "Keyframe Interval: 2 s" in page.inner_text("#advice")
        assert page.inner_text("#frames").startswith("30")
        assert stream.token not in page.url
        take_picture(page, "host")
    with browser.page(f"{server.url}/host/{stream.id}") as page:
        page.wait_for_selector("#sign-in:not([hidden])", timeout=20_000)


def ranges_of(server, stream) -> list[str]:
    return ranges_in(f"{server.url}/live/{stream.id}/video.m3u8")


def ranges_in(url: str) -> list[str]:
    return re.findall("#EXT-X-DATERANGE:.+", text_of(url))


def text_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()
