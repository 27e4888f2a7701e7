"""Version N with live streams is replaced by N+1, which is installed beside it and then started.

`golive dev` stands for systemd here: it keeps the sockets open, and starts what the link to the
current release leads to. Both releases are wheels, unpacked.
"""

import os
import signal
import time
from contextlib import ExitStack

import pytest

from tests.support.players import HLS_JS
from tests.support.processes import wait_until
from tests.support.pushers import Pusher, count_frames, make_clip
from tests.support.releases import build_wheel, running_from, unpack
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

STREAMS = 5
LONGEST_STOP_S = float(os.environ.get("GOLIVE_TEST_UPGRADE_STOP_S", "10"))
"""How long a player may stand still; 2 on a machine that has nothing else to do."""

OLD, NEW = "7.0", "7.1"


@pytest.fixture(scope="module")
def small_clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return make_clip(folder, size="640x360", video_kbps=800)


@pytest.fixture
def releases(tmp_path):
    """A folder with both, and a link to the old one."""
    wheel = build_wheel(tmp_path)
    for version in (OLD, NEW):
        unpack(wheel, tmp_path / version, version)
    (tmp_path / "current").symlink_to(OLD)
    return tmp_path


@pytest.fixture
def server(releases):
    with golive_server(
        releases / "data", running_from(releases / "current"), cwd=releases
    ) as started:
        yield started


def version_of(server):
    return server.api("GET", "/openapi.json").data["info"]["version"]


def upgrade(server, releases):
    """What `golive install` does: the link, then a restart of the daemon."""
    (releases / "next").symlink_to(NEW)
    (releases / "next").replace(releases / "current")
    launcher = server.find_process("controller.cli", "serve")
    launcher.send_signal(signal.SIGTERM)


def test_an_upgrade_costs_no_encoder_its_connection_and_no_recording_a_frame(
    server, releases, small_clip, browser
):
    streams = [server.live_stream(f"host-{number}") for number in range(STREAMS)]
    assert version_of(server) == OLD
    with ExitStack() as stack:
        pushers = [
            stack.enter_context(Pusher(small_clip, server.push_url(stream.key)))
            for stream in streams
        ]
        for pusher in pushers:
            pusher.wait_frames(90)
        page = stack.enter_context(browser.play(HLS_JS, server.hls(streams[0].id)))
        page.wait_playing()
        upgrade(server, releases)
        stop_s = longest_stop_s(page, until=lambda: pushers[0].frames >= small_clip.frames - 45)
        assert [pusher.wait() for pusher in pushers] == [0] * STREAMS
    print(f"the player's longest stop: {stop_s:.2f} s")
    wait_until(lambda: version_of(server) == NEW, 30, "the new release")
    for stream in streams:
        server.wait_ingest(stream, "interrupted")
        server.end(stream)
        assert count_frames(server.vod(stream.id)) == small_clip.frames
        playlist = server.data_dir / "objects" / "vods" / stream.id / "video.m3u8"
        assert "#EXT-X-DISCONTINUITY\n" not in playlist.read_text()
    assert stop_s <= LONGEST_STOP_S


def longest_stop_s(page, *, until):
    """How long the picture stood still at most, until then."""
    position_s, moved_at, worst_s = 0.0, time.monotonic(), 0.0
    deadline_s = moved_at + 90
    while not until():
        now_s, current_s = time.monotonic(), page.sample().current_s
        assert now_s < deadline_s, page.sample()
        if current_s > position_s:
            position_s, moved_at = current_s, now_s
        worst_s = max(worst_s, now_s - moved_at)
        page.page.wait_for_timeout(50)
    return worst_s
