"""What dies in the middle of a stream: packager, daemon, worker, nginx, the encoder's network."""

import signal

import pytest

from tests.support.players import HLS_JS
from tests.support.processes import wait_until
from tests.support.pushers import (
    FRAME_RATE,
    Pusher,
    count_frames,
    decode_complaints,
)
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

WORKER = "ingest.session.worker"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


@pytest.fixture(scope="module")
def pulling_server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive"), {"GOLIVE_SPOOL": "false"}) as started:
        yield started


def vod_playlist(server, stream) -> str:
    return (server.data_dir / "objects" / "vods" / stream.id / "video.m3u8").read_text()


@pytest.mark.alone
def test_playback_goes_on_over_a_killed_packager(server, clip, browser):
    stream = server.live_stream("watched")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(3 * FRAME_RATE)
        with browser.play(HLS_JS, server.hls(stream.id)) as page:
            page.wait_playing()
            (before,) = server.packagers
            before.kill()
            wait_until(
                lambda: [p for p in server.packagers if p.pid != before.pid],
                10,
                "another packager",
            )
            at = page.sample().current_s
            page.wait(lambda one: one.current_s > at + 6, 20, "six seconds further")
        assert len(server.events("worker_restarts")) >= 1
        server.end(stream)


@pytest.mark.alone
def test_a_killed_pull_worker_costs_its_stream_a_discontinuity(pulling_server, clip, browser):
    """Without the spool: only its stream is interrupted, it is restarted by itself."""
    server = pulling_server
    victim, other = server.live_stream("victim"), server.live_stream("other")
    with (
        Pusher(clip, server.push_url(victim.key), loop=True) as pusher,
        Pusher(clip, server.push_url(other.key), loop=True),
    ):
        server.wait_ingest(victim, "connected")
        server.wait_ingest(other, "connected")
        pusher.wait_frames(4 * FRAME_RATE)
        with browser.play(HLS_JS, server.hls(victim.id)) as page:
            page.wait_playing()
            worker_of(server, victim).kill()
            wait_until(
                lambda: any(e["stream_id"] == victim.id for e in server.events("worker_restarts")),
                15,
                "the worker's restart",
            )
            at = page.sample().current_s
            page.wait(lambda one: one.current_s > at + 6, 30, "playing on")
        server.end(victim)
        server.end(other)
    assert vod_playlist(server, victim).count("#EXT-X-DISCONTINUITY\n") == 1
    assert "#EXT-X-DISCONTINUITY\n" not in vod_playlist(server, other)


def worker_of(server, stream):
    """The process that writes the stream's journal."""
    journal = str(server.data_dir / "live" / stream.id / "journal.jsonl")
    for process in server.find_processes(WORKER):
        if any(file.path == journal for file in process.open_files()):
            return process
    raise AssertionError("no worker writes that journal")


def test_an_encoder_whose_network_breaks_resumes_with_a_discontinuity(server, clip):
    stream = server.live_stream("breaks")
    visits = 3
    for _ in range(visits):
        with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
            pusher.wait_frames(3 * FRAME_RATE)
            server.wait_ingest(stream, "connected")
            pusher.kill()
        server.wait_ingest(stream, "interrupted")
    server.end(stream)
    assert vod_playlist(server, stream).count("#EXT-X-DISCONTINUITY\n") == visits - 1
    assert decode_complaints(server.vod(stream.id)) == ""


def test_nginx_rtmp_that_dies_interrupts_and_the_encoder_comes_back(server, clip):
    stream = server.live_stream("nginx-dies")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(3 * FRAME_RATE)
        master = server.find_process("nginx", "rtmp.conf")
        for child in master.children():
            child.kill()
        assert pusher.wait(20) != 0
    server.wait_ingest(stream, "interrupted")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        server.wait_ingest(stream, "connected")
        pusher.wait_frames(2 * FRAME_RATE)
        server.end(stream)
    assert vod_playlist(server, stream).count("#EXT-X-DISCONTINUITY\n") == 1


def test_a_stream_ends_when_its_encoder_stays_away(tmp_path, clip):
    with golive_server(tmp_path / "data", {"GOLIVE_RECONNECT_GRACE_S": "2"}) as server:
        stream = server.live_stream("away")
        with Pusher(clip, server.push_url(stream.key), duration_s=4) as pusher:
            assert pusher.wait() == 0
            sent = pusher.frames
        wait_until(lambda: server.stream(stream)["status"] == "ended", 20, "ended by itself")
        wait_until(lambda: server.stream(stream)["vod_url"], 10, "its recording")
        assert count_frames(server.vod(stream.id)) == sent


def test_a_server_that_is_stopped_and_started_again_plays_its_recordings(tmp_path, clip):
    with golive_server(tmp_path / "data") as server:
        stream = server.live_stream("stays")
        with Pusher(clip, server.push_url(stream.key), duration_s=4) as pusher:
            assert pusher.wait() == 0
            recorded = pusher.frames
        server.wait_ingest(stream, "interrupted")
        server.end(stream)
        unfinished = server.live_stream("cut-off")
        with Pusher(clip, server.push_url(unfinished.key), loop=True) as pusher:
            pusher.wait_frames(4 * FRAME_RATE)
            server.stop(signal.SIGINT)
            sent = pusher.frames
        server.start()
        assert count_frames(server.vod(stream.id)) == recorded
        wait_until(
            lambda: server.stream(unfinished)["ingest_state"] == "interrupted", 20, "taken up"
        )
        server.end(unfinished)
        assert count_frames(server.vod(unfinished.id)) >= sent - FRAME_RATE
        assert decode_complaints(server.vod(unfinished.id)) == ""
