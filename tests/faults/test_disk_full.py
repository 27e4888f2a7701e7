"""The disk fills while streams are live: what is given up goes step by step, live goes on, and
everything comes back by itself."""

import itertools
import json
import os
import subprocess
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.journal_entries import PeriodStarted, SegmentWritten
from ingest.media import VIDEO_TIMESCALE
from ingest.vod.journal import JournalReader
from tests.support.players import HLS_JS
from tests.support.processes import wait_until
from tests.support.pushers import (
    FRAME_RATE,
    Pusher,
    count_frames,
    decode_complaints,
    push_refused,
)
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

FULL_S = float(os.environ.get("GOLIVE_TEST_DISK_FULL_S", "4"))
"""How long not a byte is left; the spool's reserve lasts for 12 s of these streams."""

VOLUME_MB = 500
STEPS_PCT = (60.0, 50.0, 40.0, 30.0)
MB = 1_000_000
LOOK_S = 20.0


class Disk:
    """A small volume, and a file on it that takes space away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    @property
    def free(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def leave(self, free_mb: int) -> None:
        """Take so much that `free_mb` are left."""
        taken = self._filler.stat().st_size if self._filler.exists() else 0
        wanted = taken + self.free - free_mb * MB
        with self._filler.open("ab") as file:
            if wanted > taken:
                os.posix_fallocate(file.fileno(), taken, wanted - taken)
            else:
                file.truncate(max(0, wanted))

    def fill(self) -> None:
        """Take everything, to the last page."""
        piece = 8 * MB
        with self._filler.open("ab") as file:
            while piece >= 4096:
                try:
                    at = os.fstat(file.fileno()).st_size
                    os.posix_fallocate(file.fileno(), at, piece)
                except OSError:
                    piece //= 2

    def release(self) -> None:
        self._filler.unlink()


@contextmanager
def small_disk(path: Path):
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MB * MB}", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=10)


def steps(server):
    """The steps on and back, in order."""
    return [(e["before"], e["after"]) for e in server.events("space_step")]


def wait_step(server, word):
    wait_until(lambda: steps(server) and steps(server)[-1][1] == word, LOOK_S, word)


def recording(server, stream):
    path = f"/streams/{stream.id}/recording"
    return server.expect(200, "GET", path, token=stream.token)


def journal_of(server, stream):
    with JournalReader(server.data_dir / "live" / stream.id) as reader:
        return reader.read_new()


def packaged_frames(server, stream):
    ticks = sum(
        entry.duration
        for entry in journal_of(server, stream)
        if isinstance(entry, SegmentWritten) and entry.rendition == "video"
    )
    return round(ticks * FRAME_RATE / VIDEO_TIMESCALE)


def playlist_of(server, stream):
    return (server.data_dir / "objects" / "vods" / stream.id / "video.m3u8").read_text()


def assert_intact(server, stream):
    """The VOD has what its playlist says, nothing broken, and says where something is missing."""
    text = playlist_of(server, stream)
    told_s = sum(
        float(line[8:].rstrip(",")) for line in text.splitlines() if line.startswith("#EXTINF:")
    )
    assert abs(count_frames(server.vod(stream.id)) - told_s * FRAME_RATE) <= 2
    assert decode_complaints(server.vod(stream.id)) == ""
    assert "#EXT-X-DISCONTINUITY\n" in text


@pytest.mark.alone
def test_a_disk_that_fills_costs_no_live_stream(tmp_path, clip, browser):
    settings = {"GOLIVE_SPACE_STEPS_PCT": json.dumps(STEPS_PCT)}
    with small_disk(tmp_path / "data") as disk, golive_server(disk.path, settings) as server:
        streams = [server.live_stream(f"host{n}") for n in range(3)]
        pushers = [Pusher(clip, server.push_url(s.key), loop=True) for s in streams]
        try:
            fill_step_by_step(server, disk, clip, browser, streams, pushers)
            wait_until(lambda: steps(server)[-1][1] == "none", LOOK_S, "all is taken back")
            at = [p.frames for p in pushers]
            for pusher, frames in zip(pushers, at, strict=True):
                pusher.wait_frames(frames + 4 * FRAME_RATE)
        finally:
            for pusher in pushers:
                pusher.stop()
        for stream in streams:
            server.wait_ingest(stream, "interrupted")
        sent = [pusher.frames for pusher in pushers]
        packaged = [packaged_frames(server, stream) for stream in streams]
        for stream in streams:
            server.end(stream)
            wait_until(lambda s=stream: recording(server, s)["state"] == "ready", 30, "the VOD")
        for stream in streams:
            assert_intact(server, stream)
        assert_in_order(server)
        for stream, all_sent, all_packaged in zip(streams, sent, packaged, strict=True):
            assert abs(all_sent - all_packaged) <= 2, "not one frame was lost to live"
            periods = [e for e in journal_of(server, stream) if isinstance(e, PeriodStarted)]
            assert len(periods) == 1


def fill_step_by_step(server, disk, clip, browser, streams, pushers):
    for stream, pusher in zip(streams, pushers, strict=True):
        server.wait_ingest(stream, "connected")
        pusher.wait_frames(4 * FRAME_RATE)
    with browser.play(HLS_JS, server.hls(streams[0].id)) as page:
        page.wait_playing()
        disk.leave(270)
        wait_step(server, "prune")
        disk.leave(225)
        wait_step(server, "no_recordings")
        late = server.live_stream("late")
        with Pusher(clip, server.push_url(late.key), loop=True):
            server.wait_ingest(late, "connected")
            assert recording(server, late)["state"] == "no_space"
        disk.leave(175)
        wait_step(server, "no_publishers")
        assert push_refused(clip, server.push_url(server.live_stream("new").key))
        disk.leave(120)
        wait_step(server, "live_only")
        with urllib.request.urlopen(f"{server.url}/readyz", timeout=5) as answer:
            space = json.loads(answer.read())["checks"]["space"]
        assert space == {"ok": True, "volumes": {"data": "live_only"}}
        watched = page.watch(6)
        assert (watched.stalls, watched.errors) == (0, [])
        disk.fill()
        assert disk.free < MB
        reached = [pusher.frames for pusher in pushers]
        for pusher, frames in zip(pushers, reached, strict=True):
            pusher.wait_frames(frames + int(FULL_S * FRAME_RATE))
        disk.release()
        at = page.sample().current_s
        page.wait(lambda one: one.current_s > at + 6, 30, "playing on")
    assert all(pusher.is_sending for pusher in pushers), server.log[-8000:]


def assert_in_order(server):
    on = ["none", "prune", "no_recordings", "no_publishers", "live_only"]
    taken = steps(server)
    assert taken[:4] == list(itertools.pairwise(on))
    assert taken[-4:] == list(zip(on[::-1], on[::-1][1:], strict=False))


def test_a_spool_that_is_full_costs_nothing(tmp_path, clip):
    """nginx's recorder would go on writing to whatever has its descriptor after an error. It has
    space set aside, and what is read is given back: the stream goes on in that."""
    with small_disk(tmp_path / "spool") as disk:
        settings = {"GOLIVE_SPOOL_DIR": str(disk.path)}
        with golive_server(tmp_path / "data", settings) as server:
            stream = server.live_stream("crowded")
            nginx = {one.pid for one in server.find_processes("nginx")}
            with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
                server.wait_ingest(stream, "connected")
                pusher.wait_frames(3 * FRAME_RATE)
                disk.fill()
                wait_step(server, "live_only")
                assert push_refused(clip, server.push_url(server.live_stream("new").key))
                # More than was set aside when the disk became full.
                pusher.wait_frames(pusher.frames + 20 * FRAME_RATE)
                pusher.stop()
                sent = pusher.frames
            server.wait_ingest(stream, "interrupted")
            assert "No space left" not in server.log
            assert {one.pid for one in server.find_processes("nginx")} == nginx
            assert [path.name for path in disk.path.iterdir()] == ["filler"], "no spool is left"
            server.end(stream)
            wait_until(lambda: recording(server, stream)["state"] == "ready", 30, "the VOD")
            assert abs(count_frames(server.vod(stream.id)) - sent) <= 2
            assert decode_complaints(server.vod(stream.id)) == ""
            assert "#EXT-X-DISCONTINUITY" not in playlist_of(server, stream)
