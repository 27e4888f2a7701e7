"""Windows of hours: they tell the same as if all were in memory, and need no more of it."""

import math
import tracemalloc

import pytest

from ingest.manifest.dash_mpd import live_mpd
from ingest.manifest.hls_history import PlaylistHistory
from ingest.manifest.hls_playlist import (
    media_playlist,
    multivariant_playlist,
    vod_playlist,
    write_ahead,
)
from ingest.window import rendition_state
from ingest.window.live_window import LiveWindow
from ingest.window.segment_log import SegmentsView
from tests.support.media_values import WALL_S, JournalScript

WHOLE = math.inf
SEGMENTS_PER_HOUR = 1800


def eventful(window, segments):
    """Periods, a gap, and segments that do not begin with a keyframe; two renditions."""
    script = JournalScript(kinds=("video", "audio"))
    window.apply(script.start())
    for number in range(segments):
        if number == segments // 3:
            window.apply(script.start("reconnect", WALL_S + 10_000))
        if number == segments // 2:
            window.apply(script.gap(2.0))
        window.apply(script.segments(1))
    window.apply(script.part(0))
    return script


def in_memory(monkeypatch, dvr_window_s, segments):
    """The same window without a log."""
    with monkeypatch.context() as patched:
        patched.setattr(rendition_state, "RECENT_SEGMENTS", 10**9)
        window = LiveWindow(dvr_window_s)
        eventful(window, segments)
    return window


@pytest.mark.parametrize("dvr_window_s", [WHOLE, 1000.0])
@pytest.mark.parametrize("segments", [63, 65, 700])
def test_what_is_in_the_log_is_told_as_before(monkeypatch, dvr_window_s, segments):
    plain = in_memory(monkeypatch, dvr_window_s, segments).presentation()
    window = LiveWindow(dvr_window_s)
    eventful(window, segments)
    logged = window.presentation()
    assert isinstance(logged.renditions[0].segments, SegmentsView) == (segments > 64)
    assert multivariant_playlist(logged) == multivariant_playlist(plain)
    for ours, theirs in zip(logged.renditions, plain.renditions, strict=True):
        assert [*ours.segments] == [*theirs.segments]
        assert ours.duration_s == pytest.approx(theirs.duration_s)
        assert ours.independent is theirs.independent
        assert ours.average_bandwidth == theirs.average_bandwidth
        for skip in (False, True):
            text = media_playlist(theirs, skip=skip)
            assert media_playlist(ours, skip=skip) == text
            assert media_playlist(ours, skip=skip, history=PlaylistHistory()) == text
        history = PlaylistHistory()
        write_ahead(ours, history)
        assert vod_playlist(ours, history=history) == vod_playlist(theirs)
    now_s = WALL_S + 20_000
    assert live_mpd(logged, now_wall_s=now_s, time_url="t") == live_mpd(
        plain, now_wall_s=now_s, time_url="t"
    )


def test_a_history_goes_along_with_a_window_that_moves():
    """Blocks are taken from earlier renderings, their front leaves, and the text is the same."""
    history, window = PlaylistHistory(), LiveWindow(1000.0)
    script = JournalScript()
    window.apply(script.start())
    for _ in range(40):
        window.apply(script.segments(33) + script.part(0))
        rendition = window.rendition("video")
        assert media_playlist(rendition, history=history) == media_playlist(rendition)
        window.apply(script.close(1))
    assert 1 <= len(history._blocks) <= 500 // 128


def test_a_playlist_is_written_ahead_while_its_recording_grows():
    """What is left at the end are the first block, and what came last."""
    history, window = PlaylistHistory(), LiveWindow(WHOLE)
    script = JournalScript()
    window.apply(script.start())
    for _ in range(40):
        window.apply(script.segments(33))
        write_ahead(window.rendition("video"), history)
    known = dict(history._blocks)
    assert vod_playlist(window.rendition("video"), history=history) == vod_playlist(
        window.rendition("video")
    )
    assert history._blocks == known
    assert len(known) == 40 * 33 // 128 - 1


@pytest.mark.parametrize(
    "cut", [slice(None), slice(3, 90), slice(80, None), slice(-5, None), slice(10, 90, 7)]
)
def test_a_view_is_cut_like_a_tuple(cut):
    window = LiveWindow(WHOLE)
    eventful(window, 100)
    view = window.rendition("video").segments
    everything = tuple(view)
    assert tuple(view[cut]) == everything[cut]
    assert [view[i] for i in (0, 50, -1, -60)] == [everything[i] for i in (0, 50, -1, -60)]
    assert len(view) == len(everything)
    for outside in (len(view), -len(view) - 1):
        with pytest.raises(IndexError):
            view[outside]


def test_a_snapshot_stays_as_it_was():
    window = LiveWindow(1000.0)
    script = eventful(window, 480)
    before = window.rendition("video").segments
    listed = [segment.msn for segment in before]
    window.apply(script.segments(100))
    assert [segment.msn for segment in before] == listed


def test_an_mpd_of_a_long_window_begins_all_renditions_with_the_same_segment():
    window = LiveWindow(WHOLE)
    eventful(window, 300)
    newest = window.presentation().newest(100)
    assert {rendition.segments[0].msn for rendition in newest.renditions} == {202}
    assert {len(rendition.segments) for rendition in newest.renditions} == {100}
    assert window.presentation().newest(1000).renditions[0].segments[0].msn == 0


def test_memory_does_not_grow_with_the_window():
    """Ten hours, measured from the first on: less than the segments of two minutes would need."""
    window = LiveWindow(WHOLE)
    script = JournalScript(kinds=("video", "audio"))
    window.apply(script.start())

    def stream(segments):
        for _ in range(segments):
            window.apply(script.segments(1))
            window.take_expired()
        window.presentation()

    stream(200)
    tracemalloc.start()
    try:
        stream(100)
        before, _ = tracemalloc.get_traced_memory()
        stream(9 * SEGMENTS_PER_HOUR)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(window.rendition("video").segments) == 300 + 9 * SEGMENTS_PER_HOUR
    assert after - before < 60 * 2 * 500
