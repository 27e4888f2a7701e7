"""Encoders with a key that send what nobody should, one visit after the other, through nginx: the
daemon lives, and a stream beside them has every frame."""

import asyncio
import os
import random
import time

import pytest

from tests.fuzz.__main__ import seeds
from tests.fuzz.hostile import mutate_tags
from tests.support.inputs import Encoders
from tests.support.pushers import FRAME_RATE, OWN_TIMES, Pusher, count_frames, decode_complaints
from tests.support.rtmp_publisher import RtmpPublication
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

HOSTILE_S = float(os.environ.get("GOLIVE_TEST_HOSTILE_S", "8"))
"""1200 for the full length."""

SEED = int(os.environ.get("GOLIVE_TEST_HOSTILE_SEED", "1"))
AT_ONCE = 2
VISITS_PER_STREAM = 25
ABORTED = 0.25
FAULTS = ("background_task_failed", "session_crashed", "daemon_failed", "worker_hangs")


@pytest.fixture
def server(tmp_path):
    with golive_server(tmp_path / "golive") as started:
        yield started


@pytest.fixture
def clips(tmp_path):
    (tmp_path / "clips").mkdir()
    return seeds(Encoders(tmp_path / "clips"))


async def attack(server, clips, name, dice, until_s):
    """Visit after visit until the time is up; answers which stayed to their own end."""
    stayed = []
    while time.monotonic() < until_s:
        stream = await asyncio.to_thread(server.live_stream, f"{name}-{len(stayed)}")
        enough = len(stayed) + VISITS_PER_STREAM
        while len(stayed) < enough and time.monotonic() < until_s:
            stayed.append(await visit(server.rtmp_port, stream.key, clips, dice))
        await asyncio.to_thread(server.end, stream)
    return stayed


async def visit(port, key, clips, dice):
    """Publish a mutant; False when nginx ended the connection over it."""
    publication = RtmpPublication(port, "live", key)
    try:
        await publication.open()
        for tag in mutate_tags(dice.choice(clips), dice):
            await publication.send(tag)
        await (publication.abort() if dice.random() < ABORTED else publication.close())
    except ConnectionError:
        return False
    return True


def test_hostile_encoders_harm_nobody(server, clips, clip):
    dice = random.Random(SEED)
    stream = server.live_stream("neighbour")
    daemon = server.daemon.pid

    async def attacks():
        until_s = time.monotonic() + HOSTILE_S
        return await asyncio.gather(
            *(
                attack(server, clips, f"hostile{i}", random.Random(dice.random()), until_s)
                for i in range(AT_ONCE)
            )
        )

    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(2 * FRAME_RATE)
        counted = asyncio.run(attacks())
        assert pusher.is_sending
        pusher.stop()
        sent = pusher.frames
    stayed = [one for some in counted for one in some]
    print(f"{len(stayed)} visits, {stayed.count(False)} ended by nginx, {sent} frames beside them")
    assert stayed.count(True) > stayed.count(False)
    assert server.daemon.pid == daemon
    assert {fault: server.events(fault) for fault in FAULTS} == {fault: [] for fault in FAULTS}
    server.wait_ingest(stream, "interrupted")
    server.end(stream)
    playlist = server.data_dir / "objects" / "vods" / stream.id / "video.m3u8"
    assert "#EXT-X-DISCONTINUITY\n" not in playlist.read_text()
    vod = server.vod(stream.id)
    assert sent - FRAME_RATE <= count_frames(vod) <= sent + FRAME_RATE
    assert decode_complaints(vod, output=OWN_TIMES) == "", (
        "a looped clip is a little longer each time"
    )
