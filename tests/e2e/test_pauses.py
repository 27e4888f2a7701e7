"""An encoder whose sound pauses, then its picture, while people watch close to live."""

import asyncio
import threading

import pytest

from tests.support.flv import AUDIO, VIDEO
from tests.support.inputs import Encoders
from tests.support.players import DASH_JS
from tests.support.rtmp_publisher import RtmpPublication

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

SECONDS = 27
PAUSE_S = 4.2
PAUSES = {AUDIO: 8_500, VIDEO: 15_500}
"""When a track goes away, in milliseconds; the picture comes back in the middle of a GOP of 2 s."""

BEHIND_IT_S = 22.5
JOINED_S = 6.0
NOTICED = 0.3
"""How much of the pauses a viewer may notice who is as close to live as the page allows; one who is
a few seconds behind notices nothing."""


def with_pauses(tags):
    def comes(tag):
        start_ms = PAUSES.get(tag.kind, SECONDS * 1000)
        return tag.is_header or not start_ms < tag.time_ms < start_ms + PAUSE_S * 1000

    return [tag for tag in tags if comes(tag)]


async def push(port, key, tags):
    """As fast as they were made."""
    publication = RtmpPublication(port, "live", key)
    await publication.open()
    clock = asyncio.get_running_loop().time
    start_s = clock()
    for tag in tags:
        await asyncio.sleep(max(0.0, start_s + tag.time_ms / 1000 - clock()))
        await publication.send(tag)
    await publication.close()


def test_who_watches_does_not_notice_that_a_track_is_away(server, browser, tmp_path):
    tags = with_pauses(Encoders(tmp_path).flv(seconds=SECONDS))
    stream = server.live_stream("pauses")
    encoder = threading.Thread(target=lambda: asyncio.run(push(server.rtmp_port, stream.key, tags)))
    encoder.start()
    try:
        server.wait_ingest(stream, "connected")
        with browser.watch_page(server.watch(stream.id)) as near:
            near.wait_playing()
            # a player that joins later than its distance to live
            near.wait(lambda one: one.current_s > JOINED_S, 20, "watched for a while")
            with browser.play(DASH_JS, server.dash(stream.id)) as far:
                for page in (near, far):
                    end = page.wait(
                        lambda one: one.current_s > BEHIND_IT_S, 60, "behind both pauses"
                    )
                    skips = [skip for skip in end.skips if skip[0] > JOINED_S]
                    assert (skips, end.errors, len(end.buffered)) == ([], [], 1), end
                    assert end.stalled_s <= (NOTICED * 2 * PAUSE_S if page is near else 0), end
    finally:
        encoder.join()
    server.end(stream)
