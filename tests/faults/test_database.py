"""PostgreSQL hangs and crashes while a stream is live: who watches does not notice, what is
recorded is whole, and the API says what is the matter."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.databases import PostgresServer, binaries
from tests.support.players import HLS_JS
from tests.support.processes import wait_until
from tests.support.pushers import FRAME_RATE, Pusher, count_frames, decode_complaints
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

AWAY_S = float(os.environ.get("GOLIVE_TEST_DATABASE_AWAY_S", "12"))
"""Longer than anything is remembered without asking again."""


@pytest.fixture
def postgres():
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer.start(binaries())
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path, postgres):
    # in a thread, as the browser's event loop runs in this one
    with ThreadPoolExecutor(1) as pool:
        url = pool.submit(asyncio.run, postgres.create()).result()
    with golive_server(tmp_path, {"GOLIVE_DATABASE_URL": url}) as started:
        yield started


@pytest.mark.alone
def test_viewers_do_not_notice_a_database_that_hangs_and_crashes(server, postgres, clip, browser):
    stream = server.live_stream("watched")

    def status() -> int:
        return server.api("GET", f"/streams/{stream.id}").status

    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        server.wait_ingest(stream, "connected")
        pusher.wait_frames(3 * FRAME_RATE)
        with browser.play(HLS_JS, server.hls(stream.id)) as page:
            page.wait_playing()
            with postgres.hanging():
                hung = page.watch(AWAY_S)
                assert status() == 503
            wait_until(lambda: status() == 200, 20, "the API")
            postgres.crash()
            gone = page.watch(AWAY_S)
            assert status() == 503
            postgres.start_again()
            wait_until(lambda: status() == 200, 20, "the API")
            after = page.watch(2)
        for watched in (hung, gone, after):
            assert (watched.stalls, watched.errors) == (0, []), watched
        server.end(stream)
        pusher.wait(10)
        sent = pusher.frames
    wait_until(lambda: server.stream(stream)["vod_url"], 20, "the VOD")
    vod = server.vod(stream.id)
    assert sent - FRAME_RATE <= count_frames(vod) <= sent + FRAME_RATE
    assert decode_complaints(vod) == ""
