"""The low-latency MPD over a stream's life, part by part, against the rules of the standard."""

import pytest

from ingest.journal_entries import PartWritten, SegmentWritten
from ingest.manifest.dash_mpd import live_mpd
from ingest.manifest.low_latency_mpd import low_latency_mpd
from ingest.window.live_window import LiveWindow
from tests.media.test_live_mpd import BY_NAME, LONG_AFTER_S, package
from tests.support.inputs import Encoders
from tests.support.low_latency_rules import (
    check_low_latency_mpd,
    check_low_latency_update,
    read_low_latency_mpd,
)
from tests.support.mpd_rules import read_mpd


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    return Encoders(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize(
    "name", ["two B-frames", "audio only", "audio comes back", "sound shaken by 30 ms"]
)
def test_every_low_latency_mpd_of_a_stream_keeps_the_rules(tmp_path, encoders, name):
    window, seen = LiveWindow(60.0), []
    for entry in package(tmp_path, BY_NAME[name].make(encoders)):
        window.apply([entry])
        renditions = window.presentation().renditions
        whole = renditions and all(any(s.finished for s in r.segments) for r in renditions)
        if isinstance(entry, PartWritten | SegmentWritten) and whole:
            seen.append(read_low_latency_mpd(mpd_of(window)))
            check_low_latency_mpd(seen[-1], LONG_AFTER_S)
            if len(seen) > 1:
                check_low_latency_update(seen[-2], seen[-1])
    assert len(seen) >= 10
    assert seen[0].periods[0].start_s == 0, "players begin at 0"
    usual = read_mpd(live_mpd(window.presentation(), now_wall_s=LONG_AFTER_S, time_url="../time"))
    assert seen[-1].started_s == usual.instant_s("availabilityStartTime")
    check_against_files(tmp_path / "show", window, seen[-1])


def mpd_of(window):
    return low_latency_mpd(
        window.presentation(),
        window.numbered_runs,
        least_late_s=0.0,
        most_late_s=0.0,
        now_wall_s=LONG_AFTER_S,
        time_url="../time",
    )


def check_against_files(folder, window, mpd):
    """DASH §5.3.9.5.3: what has a number is there, and starts within half a segment of it."""
    found = 0
    for index, period in enumerate(mpd.periods):
        for track in period.tracks:
            rendition = window.rendition(track.id)
            stop = track.last + 1 if track.last is not None else rendition.last_msn + 1
            for segment in rendition.segments:
                if not track.first <= segment.msn < stop or segment.gap:
                    continue
                lasts_s = track.duration / track.timescale
                starts_s = segment.start_s - track.offset / track.timescale
                assert abs(starts_s - track.starts_s(segment.msn)) <= lasts_s / 2
                path = folder / track.address(segment.msn).partition("?")[0]
                assert path.stat().st_size == segment.size
                assert (folder / track.initialization).exists()
                found += 1
        assert index == len(mpd.periods) - 1 or period.video.last is not None
    assert found >= 4
