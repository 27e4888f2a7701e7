"""Version N with live streams is replaced by N+1, which is installed beside it.

`golive dev` stands for systemd here: it keeps the sockets open. The launcher becomes what the link
to the current release leads to. Both releases are wheels, unpacked. The encoders send at their own pace
while that goes on, however long it takes, and then all that is left at once.
"""

import asyncio
import os
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest

from controller.launcher import HAND_OVER
from tests.support.flv import VIDEO, read_tags
from tests.support.processes import wait_until
from tests.support.pushers import FRAME_RATE, count_frames, make_clip
from tests.support.releases import build_wheel, running_from, successor, unpack
from tests.support.rtmp_publisher import RtmpPublication
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

STREAMS = 5
LONGEST_WAIT_S = float(os.environ.get("GOLIVE_TEST_UPGRADE_WAIT_S", "60"))
"""How long a playlist may be waited for; 2 on a machine that has nothing else to do."""

OLD, NEW = "7.0", "7.1"
CLIP_S = 60.0


@pytest.fixture(scope="module")
def tags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    clip = make_clip(folder, duration_s=CLIP_S, size="320x180", video_kbps=300)
    return read_tags(clip.path)


@pytest.fixture
def releases(tmp_path):
    """A folder with both, and a link to the old one."""
    wheel = build_wheel(tmp_path)
    successor(unpack(wheel, tmp_path / OLD, OLD), tmp_path / NEW, NEW)
    (tmp_path / "current").symlink_to(OLD)
    return tmp_path


@pytest.fixture
def server(releases):
    environment = running_from(releases / "current")
    with golive_server(releases / "data", environment, cwd=releases) as started:
        yield started


def version_of(server):
    return server.api("GET", "/openapi.json").data["info"]["version"]


def upgrade(server, releases):
    """What `golive install` does: the link, then the daemon hands over."""
    (releases / "next").symlink_to(NEW)
    (releases / "next").replace(releases / "current")
    launchers = server.find_processes("controller.cli", "serve")
    min(launchers, key=lambda one: one.create_time()).send_signal(HAND_OVER)


def test_an_upgrade_costs_no_encoder_its_connection_and_no_recording_a_frame(
    server, releases, tags
):
    streams = [server.live_stream(f"host-{number}") for number in range(STREAMS)]
    frames = sum(tag.kind == VIDEO and tag.unit is not None for tag in tags)
    assert version_of(server) == OLD
    encoders = Encoders(server.rtmp_port, [stream.key for stream in streams], tags)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(asyncio.run, encoders.send())
        for stream in streams:
            wait_until(lambda at=stream: segments(server, at) >= 2, 60, "media of the old one")
        upgrade(server, releases)
        waited_s = longest_wait_s(server, streams[0])
        assert not sending.done()
        encoders.hurry.set()
        sending.result(120)
    print(f"a playlist was waited for {waited_s:.2f} s at most")
    for stream in streams:
        server.wait_ingest(stream, "interrupted", 120)
        server.end(stream)
        assert count_frames(server.vod(stream.id)) == frames >= CLIP_S * FRAME_RATE - 1
        playlist = server.data_dir / "objects" / "vods" / stream.id / "video.m3u8"
        assert "#EXT-X-DISCONTINUITY\n" not in playlist.read_text()
    assert waited_s <= LONGEST_WAIT_S


class Encoders:
    """All send the same; one whose connection is closed fails."""

    def __init__(self, port, keys, tags):
        self.hurry = threading.Event()
        self._publications = [RtmpPublication(port, "live", key) for key in keys]
        self._tags = tags

    async def send(self):
        for publication in self._publications:
            await publication.open()
        started_s = time.monotonic()
        for tag in self._tags:
            ahead_s = tag.time_ms / 1000 - (time.monotonic() - started_s)
            if ahead_s > 0 and not self.hurry.is_set():
                await asyncio.sleep(ahead_s)
            for publication in self._publications:
                assert not publication.is_closed
                await publication.send(tag)
        for publication in self._publications:
            await publication.close()


def segments(server, stream):
    """How many are listed live."""
    return media_playlist(server, stream).count("#EXTINF:")


def media_playlist(server, stream):
    try:
        with urllib.request.urlopen(f"{server.url}/live/{stream.id}/video.m3u8", timeout=60) as got:
            return got.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            if error.code == HTTPStatus.NOT_FOUND:  # nothing came of it yet
                return ""
            raise


def longest_wait_s(server, stream):
    """What a player meets that asks on and on, until the new release answers."""
    longest_s, deadline_s = 0.0, time.monotonic() + 120
    while True:
        asked_s = time.monotonic()
        assert media_playlist(server, stream), "the stream is still there"
        longest_s = max(longest_s, time.monotonic() - asked_s)
        if version_of(server) == NEW:
            return longest_s
        assert time.monotonic() < deadline_s
