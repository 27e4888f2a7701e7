"""The live MPD over a stream's life, segment by segment, against the rules of the standard."""

import pytest

from ingest.journal_entries import SegmentWritten
from ingest.manifest.dash_mpd import live_mpd
from ingest.session.spool_session import SpoolSession
from ingest.settings import PackagingSettings
from ingest.vod.journal import JournalReader
from ingest.window.live_window import LiveWindow
from tests.support.flv import FILE_HEADER, flv_tag
from tests.support.inputs import MATRIX, Encoders
from tests.support.media_values import WALL_S, HeldClock
from tests.support.mpd_rules import MediaRules, check_mpd, check_update, read_mpd

BY_NAME = {one.name: one for one in MATRIX}
LONG_AFTER_S = WALL_S + 60
BEGINS_S = 0.0005


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    return Encoders(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize(
    "name",
    [
        "two B-frames",
        "audio only",
        "audio comes back",
        "video comes back",
        "video stops",
        "everything pauses",
        "audio clock 500 ppm slow",
        "audio clock 200 ppm fast",
        "sound shaken by 30 ms",
        "AAC stereo 44.1 kHz",
    ],
)
def test_every_mpd_of_a_stream_keeps_the_rules(tmp_path, encoders, name):
    window, seen, media = LiveWindow(60.0), [], MediaRules()
    for entry in package(tmp_path, BY_NAME[name].make(encoders)):
        window.apply([entry])
        renditions = window.presentation().renditions
        whole = renditions and all(any(s.finished for s in r.segments) for r in renditions)
        if isinstance(entry, SegmentWritten) and whole:
            text = live_mpd(window.presentation(), now_wall_s=LONG_AFTER_S, time_url="../time")
            seen.append(read_mpd(text))
            check_mpd(seen[-1], LONG_AFTER_S)
            if len(seen) > 1:
                check_update(seen[-2], seen[-1])
    assert len(seen) >= 3
    begins = seen[0].periods[0]
    assert begins.start_s == 0
    assert min(abs(track.first_s) for track in begins.tracks) < BEGINS_S, "players begin at 0"
    for period in seen[-1].periods:
        for track in period.tracks:
            for segment in track.segments:
                path = tmp_path / "show" / track.address(segment.number)
                media.check(period, track, segment, path.read_bytes())


def package(folder, tags):
    """The journal entries of the stream."""
    spool = folder / "s_1.flv"
    spool.write_bytes(FILE_HEADER + b"".join(map(flv_tag, tags)))
    session = SpoolSession(
        spool, folder / "show", PackagingSettings(), HeldClock(), lambda: None, reason="publish"
    )
    while session.poll():
        pass
    session.finish()
    session.close()
    with JournalReader(folder / "show") as reader:
        return reader.read_new()
