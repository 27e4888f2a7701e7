"""PART-TARGET: what the frames of a rendition allow, and what happens to those that break it."""

import pytest

from ingest.journal_entries import InitWritten, PartWritten, PeriodStarted, SegmentWritten
from ingest.manifest.hls_playlist import media_playlist
from ingest.media import VIDEO_TIMESCALE, MediaKind
from ingest.packaging.part_target import part_target_s
from ingest.packaging.segmenter import Segmenter
from ingest.settings import PackagingSettings
from ingest.window.live_window import LiveWindow
from tests.support.llhls_rules import check_playlist, read_playlist
from tests.support.media_values import (
    AAC_24K,
    VIDEO,
    WALL_S,
    Collected,
    audio_samples,
    video_samples,
)

V, A = MediaKind.VIDEO, MediaKind.AUDIO
NOMINAL_S = 0.2


@pytest.mark.parametrize(
    ("frame_s", "expected"),
    [
        pytest.param(None, 0.21, id="not known"),
        pytest.param(1 / 30, 0.21, id="six of them"),
        pytest.param(1 / 24, 0.21, id="five of them, and just so"),
        pytest.param(1 / 12, 0.175, id="two: three are too long, two of 0.21 too short"),
        pytest.param(1024 / 24_000, 0.179, id="four frames of HE-AAC"),
        pytest.param(0.25, 0.263, id="one is longer than a part"),
        pytest.param(1.0, 1.05, id="a slide show"),
        pytest.param(30.0, 2.0, id="no part is longer than a segment"),
    ],
)
def test_the_part_target_is_what_whole_frames_come_to(frame_s, expected):
    assert part_target_s(NOMINAL_S, frame_s, 2.0) == pytest.approx(expected, abs=0.0006)


@pytest.mark.parametrize("fps", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 24, 25, 29.97, 30, 60])
def test_regular_frames_keep_both_bounds(fps):
    """rfc8216bis §4.4.4.9: at most PART-TARGET, and 85 % of it but for the last of a segment and
    those with a keyframe."""
    target_s = part_target_s(NOMINAL_S, 1 / fps, 2.0)
    parts = packaged(video_samples(fps, 20, 2), {V: target_s}).parts(V)
    last = {part.msn: part.index for part in parts}
    for part in parts:
        lasts_s = part.duration / VIDEO_TIMESCALE
        assert lasts_s <= target_s + 0.001
        if part.index != last[part.msn] and not part.independent:
            assert lasts_s >= 0.85 * target_s - 0.001


def test_frames_of_sound_that_do_not_divide_a_part_keep_both_bounds():
    target_s = part_target_s(NOMINAL_S, 1024 / 24_000, 2.0)
    sink = Collected()
    segmenter = Segmenter([AAC_24K], PackagingSettings(), sink, part_targets={A: target_s})
    for sample in audio_samples(AAC_24K, 10):
        segmenter.audio(sample)
    lengths = [part.duration / 24_000 for part in sink.parts(A)]
    assert max(lengths) <= target_s
    assert min(lengths[:5]) >= 0.85 * target_s


def packaged(frames, part_targets):
    sink = Collected()
    segmenter = Segmenter([VIDEO], PackagingSettings(), sink, part_targets=part_targets)
    for sample in frames:
        segmenter.video(sample)
    segmenter.finish()
    return sink


def slowing(*spans):
    """Frames at rates of their own one after another: (frames a second, seconds)."""
    at_s, frames = 0.0, []
    for fps, seconds in spans:
        for sample in video_samples(fps, seconds, 100):
            key = sample.is_key and not frames
            frames.append(sample._replace(dts=sample.dts + round(at_s * 90_000), is_key=key))
        at_s += seconds
    return frames


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param([(30, 4), (3, 0.34), (30, 4)], id="one frame of a third of a second"),
        pytest.param([(30, 1.5), (4, 3), (30, 3)], id="a camera in the dark"),
        pytest.param([(30, 0.4), (1, 3), (30, 3)], id="a frame a second"),
        pytest.param([(30, 4), (1, 8)], id="slow for good"),
    ],
)
def test_a_frame_that_is_longer_than_a_part_is_in_no_part_that_is_listed(spans):
    """Nobody ever reads of a part that breaks PART-TARGET, nor waits longer for it than half a
    segment."""
    sink = packaged(slowing(*spans), {V: 0.21})
    window = opened(60.0)
    heard, waiting_s = set(), []
    for ready in sink.everything:
        window.apply([entry(ready)])
        rendition = window.rendition("video")
        if not rendition.segments:
            continue
        playlist = read_playlist(media_playlist(rendition))
        check_playlist(playlist)
        heard |= {part.uri for segment in playlist.segments for part in segment.parts}
        newest = rendition.segments[-1]
        end = (ready.start + ready.duration) / 90_000
        waiting_s.append(end - newest.start_s - newest.duration_s)
    assert heard
    slowest_s = max(1 / fps for fps, _ in spans)
    assert max(waiting_s) <= 1.0 + slowest_s + 0.01


def test_parts_that_were_never_listed_are_removed_too():
    sink = packaged(slowing((30, 2), (2, 4), (30, 30)), {V: 0.21})
    window = opened(12.0)
    window.apply([entry(ready) for ready in sink.everything])
    removed = {int(f.split("-")[1].split(".")[0]) for f in window.take_expired() if "part-" in f}
    assert removed == set(range(len(removed)))
    assert len(removed) > 50


def opened(dvr_window_s):
    window = LiveWindow(dvr_window_s)
    init = InitWritten(
        rendition="video", kind="video", init=0, codecs="avc1.640028",
        timescale=90_000, part_target_s=0.21, target_duration_s=2,
    )  # fmt: skip
    window.apply([PeriodStarted(period=0, wall_s=WALL_S, reason="publish"), init])
    return window


def entry(ready):
    if hasattr(ready, "data"):
        return PartWritten(
            rendition="video", msn=ready.msn, index=ready.index, number=ready.number,
            start=ready.start, duration=ready.duration, size=len(ready.data),
            independent=ready.independent, sync_start=ready.sync_start,
        )  # fmt: skip
    return SegmentWritten(
        rendition="video", msn=ready.msn, init=0, start=ready.start, duration=ready.duration,
        size=1, parts=ready.parts,
    )  # fmt: skip
