"""Clocks that run apart: sound and picture stay together over a long stream.

GOLIVE_TEST_DRIFT_MINUTES=30 is the full length.
"""

import os
import random

import pytest

from ingest.media import MediaKind
from ingest.session.spool_session import SpoolSession
from ingest.settings import PackagingSettings
from ingest.vod.journal import JournalReader
from tests.support.flv import AUDIO, VIDEO, FlvTag, flv_tag
from tests.support.flv import FILE_HEADER as FLV_HEADER
from tests.support.fragments import read_chunks
from tests.support.inputs import Encoders
from tests.support.media_values import HeldClock

MINUTES = float(os.environ.get("GOLIVE_TEST_DRIFT_MINUTES", "5"))
SYNC_MS = 20.0
JITTER_MS = 6
_VIDEO_RATE = 10


def long_stream(clip, ppm, minutes):
    """Frames of a clip over and over: the sound's stamps stretched by `ppm`, all of them shaken.

    Answers the tags with the true time of each.
    """
    dice = random.Random(7)
    key = next(t for t in clip if t.is_key and t.unit)
    sound = next(t for t in clip if t.kind == AUDIO and t.unit)
    rows = [
        (i * 1000 / _VIDEO_RATE, VIDEO, key.data) for i in range(int(minutes * 60 * _VIDEO_RATE))
    ]
    frame_ms = 1024 / 48 * (1 + ppm / 1e6)
    rows += [(i * frame_ms, AUDIO, sound.data) for i in range(int(minutes * 60_000 / frame_ms))]
    rows.sort(key=lambda row: row[0])
    tags = [t for t in clip if t.is_header]
    for at_ms, kind, data in rows:
        stamp = max(0, round(at_ms) + dice.randint(-JITTER_MS, JITTER_MS) * (at_ms > 0))
        tags.append(FlvTag(kind, stamp, data, at_ms))
    return tags


@pytest.mark.parametrize("ppm", [200, -200])
def test_drift_does_not_add_up(tmp_path, ppm):
    clip = Encoders(tmp_path).flv(seconds=1, size="32x32", rate="10", gop=10, b_frames=0)
    tags = long_stream(clip, ppm, MINUTES)
    spool = tmp_path / "s_1.flv"
    spool.write_bytes(FLV_HEADER + b"".join(map(flv_tag, tags)))
    folder = tmp_path / "show"
    session = SpoolSession(
        spool, folder, PackagingSettings(), HeldClock(), lambda: None, reason="publish"
    )
    while session.poll():
        pass
    session.finish()
    report = session.report()
    session.close()
    sent = [t.at_ms for t in tags if t.kind == AUDIO and t.unit]
    taken = sent[len(sent) - report.audio_frames :]
    times = audio_times_ms(folder)
    assert len(times) == len(taken)
    offsets = [time - at for time, at in zip(times, taken, strict=True)]
    assert max(map(abs, offsets)) <= SYNC_MS
    assert sum(offsets[-500:]) / 500 == pytest.approx(0, abs=SYNC_MS / 2 + JITTER_MS)
    assert report.audio_reanchored == 0


def audio_times_ms(folder):
    with JournalReader(folder) as reader:
        segments = [e for e in reader.read_new() if type(e).__name__ == "SegmentWritten"]
    times = []
    for segment in segments:
        if segment.rendition != MediaKind.AUDIO.value or not segment.parts:
            continue
        for chunk in read_chunks((folder / "audio" / f"segment-{segment.msn}.m4s").read_bytes()):
            times += [(chunk.decode_time + i * 1024) / 48 for i in range(len(chunk.samples))]
    return times
