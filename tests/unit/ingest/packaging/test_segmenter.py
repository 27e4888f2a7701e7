"""Where segments and parts are cut: the promises that the playlists make about them."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.media import VIDEO_TIMESCALE, AudioFormat, Codec, MediaKind, Sample
from ingest.packaging.open_track import SegmentReady
from ingest.packaging.segmenter import Segmenter
from ingest.settings import PackagingSettings
from tests.support.fragments import read_chunks
from tests.support.media_values import (
    AAC_24K,
    MONO_44K,
    STEREO_48K,
    VIDEO,
    Collected,
    audio_samples,
    interleaved,
    video_samples,
)

V, A = MediaKind.VIDEO, MediaKind.AUDIO
SETTINGS = PackagingSettings()
PART_LIMIT_S = SETTINGS.part_limit_s
FIXED_RATES = [24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60]


def cut(video=(), audio=(), audio_format=STEREO_48K, *, finish=True, **options) -> Collected:
    sink = Collected()
    video, audio = list(video), list(audio)
    tracks = [VIDEO] * bool(video) + [audio_format] * bool(audio)
    segmenter = Segmenter(tracks, SETTINGS, sink, **options)
    for kind, sample in interleaved(video, audio, audio_format):
        if kind is V:
            segmenter.video(sample)
        else:
            segmenter.audio(sample)
    if finish:
        segmenter.finish()
    return sink


def seconds(value, timescale=VIDEO_TIMESCALE):
    return value.duration / timescale


def lengths(sink, kind=V, timescale=VIDEO_TIMESCALE):
    return [seconds(s, timescale) for s in sink.segments(kind)]


# --- Media Segments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gop_s", "expected"),
    [
        pytest.param(2.0, [2.0] * 6, id="a GOP of the target: one each"),
        pytest.param(0.5, [2.0] * 6, id="short GOPs are gathered"),
        pytest.param(1.0, [2.0] * 6, id="two GOPs"),
        pytest.param(1.5, [1.5] * 8, id="two would be too long"),
        pytest.param(2.4, [2.4] * 5, id="longer than the target, but it rounds to it"),
    ],
)
def test_segments_end_at_the_keyframe_that_keeps_them_near_the_target(gop_s, expected):
    sink = cut(video_samples(30, 12, gop_s))
    assert lengths(sink) == pytest.approx(expected, abs=0.002)  # stamps are milliseconds
    assert all(sink.parts_of(s)[0].independent for s in sink.segments(V))


@pytest.mark.parametrize("fps", FIXED_RATES)
@pytest.mark.parametrize("gop_s", [0.5, 1.5, 2, 3, 10])
def test_no_segment_outgrows_the_target_duration(fps, gop_s):
    """RFC 8216 §4.3.3.1: "The EXTINF duration of each Media Segment in the Playlist file, when
    rounded to the nearest integer, MUST be less than or equal to the target duration"."""
    sink = cut(video_samples(fps, 22, gop_s))
    assert max(lengths(sink)) < SETTINGS.target_duration_s + 0.5
    assert sum(len(read_chunks(p.data)[0].samples) for p in sink.parts(V)) == round(22 * fps)


def test_a_gop_that_is_too_long_breaks_into_segments_without_a_keyframe():
    sink = cut(video_samples(30, 10, 10))
    first, *others = [sink.parts_of(s)[0].independent for s in sink.segments(V)]
    assert first
    assert others
    assert not any(others)


def test_a_gop_that_grows_does_not_stretch_the_segment():
    short = list(video_samples(30, 1.5, 0.5))
    long = [s._replace(dts=s.dts + 135_000) for s in video_samples(30, 6, 6)]
    assert max(lengths(cut([*short, *long]))) < 2.5


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=12),
    st.sampled_from([15, 25, 30, 60]),
    st.booleans(),
)
def test_whatever_the_gops_the_frames_are_all_there_in_order(gops, fps, reorder):
    frames = []
    for gop in gops:
        for i in range(gop):
            dts = round(len(frames) * 1000 / fps) * 90
            offset = 6000 if reorder and (i == 0 or i % 2) else 0
            frames.append(Sample(dts, offset, i == 0, len(frames).to_bytes(4, "big")))
    sink = cut(frames)
    chunks = [read_chunks(part.data)[0] for part in sink.parts(V)]
    assert [s.data for chunk in chunks for s in chunk.samples] == [f.data for f in frames]
    assert [s.is_sync for c in chunks for s in c.samples] == [f.is_key for f in frames]
    # each chunk starts where the one before ended: no hole and no overlap in decode time
    assert all(a.decode_time + a.duration == b.decode_time for a, b in pairwise(chunks))
    assert [p.number for p in sink.parts(V)] == list(range(len(chunks)))
    assert [s.msn for s in sink.segments(V)] == list(range(len(sink.segments(V))))
    for segment in sink.segments(V):
        parts = sink.parts_of(segment)
        assert [p.index for p in parts] == list(range(segment.parts))
        assert sum(p.duration for p in parts) == segment.duration
        assert segment.duration < 2.5 * VIDEO_TIMESCALE


def test_a_segment_is_told_after_its_parts():
    sink = cut(video_samples(30, 4, 2))
    told = [(e.msn, "segment" if isinstance(e, SegmentReady) else "part") for e in sink.everything]
    assert told == sorted(told)


# --- B-frames ---------------------------------------------------------------------------------


def test_with_b_frames_times_are_those_of_presentation():
    """A keyframe that is shown 67 ms after it is decoded starts its segment at 67 ms."""
    sink = cut(video_samples(30, 4, 2, reorder_ms=67))
    assert [s.start for s in sink.segments(V)] == [67 * 90, (2000 + 67) * 90]
    assert sink.parts(V)[0].start == 67 * 90
    chunk = read_chunks(sink.parts(V)[0].data)[0]
    assert chunk.decode_time == 0
    assert [s.cts_offset for s in chunk.samples] == [6030, 6030, 0, 6030, 0, 6030]


# --- Partial Segments -------------------------------------------------------------------------


@pytest.mark.parametrize("fps", FIXED_RATES)
def test_parts_keep_to_the_part_target(fps):
    """rfc8216bis §4.4.4.9: "Partial Segments MUST have durations less than or equal to Part
    Target Duration" and "MUST have durations greater than or equal to 85% of it, with the
    exception of Partial Segments with the INDEPENDENT=YES attribute and the final Partial Segment
    of any Parent Segment"."""
    sink = cut(video_samples(fps, 20, 2))
    for segment in sink.segments(V):
        parts = sink.parts_of(segment)
        assert max(seconds(part) for part in parts) <= PART_LIMIT_S
        assert min(seconds(part) for part in parts[:-1]) >= 0.85 * PART_LIMIT_S


@pytest.mark.parametrize("track", [STEREO_48K, MONO_44K, AAC_24K], ids=lambda t: t.sample_rate)
def test_audio_parts_keep_to_the_part_target(track):
    sink = cut(audio=audio_samples(track, 20), audio_format=track)
    spans = [seconds(part, track.sample_rate) for part in sink.parts(A)]
    assert max(spans) <= PART_LIMIT_S
    assert all(part.independent for part in sink.parts(A))  # so no lower bound


def test_a_part_with_a_keyframe_anywhere_is_independent():
    """rfc8216bis §4.4.4.9: INDEPENDENT=YES when it "contains an independent frame"."""
    sink = cut(video_samples(30, 2, 0.5))
    first_segment = sink.parts_of(sink.segments(V)[0])
    keys = [any(s.is_sync for s in read_chunks(p.data)[0].samples) for p in first_segment]
    assert [p.independent for p in first_segment] == keys
    assert sum(keys) == 4


def test_frames_of_uneven_length_do_not_stretch_a_part():
    stamps = [t for t in range(0, 4000, 33) if t // 33 % 9 not in {5, 6}]
    frames = [Sample(t * 90, 0, i == 0, b"x") for i, t in enumerate(stamps)]
    assert max(seconds(part) for part in cut(frames).parts(V)) <= PART_LIMIT_S


def test_a_pause_near_the_limit_does_not_stretch_the_segment():
    stamps = [*range(0, 2380, 33), *range(2800, 6000, 33)]
    frames = [Sample(t * 90, 0, i == 0, b"x") for i, t in enumerate(stamps)]
    assert max(lengths(cut(frames))) < 2.5


# --- audio follows ----------------------------------------------------------------------------


@pytest.mark.parametrize("track", [STEREO_48K, MONO_44K], ids=lambda t: t.sample_rate)
@pytest.mark.parametrize(("gop_s", "reorder_ms"), [(2, 67), (0.5, 0), (1.5, 33), (10, 0)])
def test_audio_follows_the_cuts_and_counts_the_same_numbers(track, gop_s, reorder_ms):
    sink = cut(video_samples(30, 12, gop_s, reorder_ms=reorder_ms), audio_samples(track, 12), track)
    video, audio = sink.segments(V), sink.segments(A)
    assert [s.msn for s in audio] == [s.msn for s in video]
    frame_s = track.frame_samples / track.sample_rate
    for v, a in list(zip(video, audio, strict=True))[1:]:
        # the first frame at or behind the cut, which is in presentation time
        assert 0 <= a.start / track.sample_rate - v.start / VIDEO_TIMESCALE < frame_s
    assert sum(s.duration for s in audio) == audio[-1].start + audio[-1].duration


@pytest.mark.parametrize("fps", [25, 50])
@pytest.mark.parametrize("track", [STEREO_48K, MONO_44K, AAC_24K], ids=lambda t: t.sample_rate)
def test_audio_behind_forced_cuts_keeps_to_the_target_duration(fps, track):
    """RFC 8216 §4.3.3.1 again: the audio frame across the cut comes on top of the video's span."""
    sink = cut(video_samples(fps, 40, 60), audio_samples(track, 40), track)
    assert max(lengths(sink, A, track.sample_rate)) < 2.5


@pytest.mark.parametrize(("fps", "gop_s"), [(50, 60), (25, 2.4), (30, 2.4)])
def test_audio_does_not_run_away_from_segments_near_the_limit(fps, gop_s):
    """What it is ahead by would add up: after an hour it would be another segment."""
    sink = cut(video_samples(fps, 300, gop_s, reorder_ms=67), audio_samples(AAC_24K, 300), AAC_24K)
    keeps_step(sink, 24_000)


def test_audio_that_arrives_late_is_packaged_whole():
    """Behind the video by less than two segments: everything finds its place."""
    sink = Collected()
    segmenter = Segmenter([VIDEO, STEREO_48K], SETTINGS, sink)
    audio = list(audio_samples(STEREO_48K, 9.9))
    for sample in video_samples(30, 10, 2):
        segmenter.video(sample)
        while audio and audio[0].dts / 48_000 < sample.dts / 90_000 - 3:
            segmenter.audio(audio.pop(0))
    for sample in audio:
        segmenter.audio(sample)
    segmenter.finish()
    assert [s.parts > 0 for s in sink.segments(A)] == [True] * 5
    assert [s.msn for s in sink.segments(A)] == [s.msn for s in sink.segments(V)]


def test_audio_that_starts_late_leaves_gaps_as_long_as_what_is_missing():
    """rfc8216bis §6.2.1: absent media "SHOULD be signaled by adding one or more Media Segments
    whose Segment durations add up to the duration of absent media"."""
    sink = cut(video_samples(30, 10, 2), audio_samples(STEREO_48K, 4.9, start_s=5.0))
    audio = sink.segments(A)
    assert [s.msn for s in audio] == [s.msn for s in sink.segments(V)]
    assert [s.parts == 0 for s in audio] == [True, True, False, False, False]
    assert [(s.start / 48_000, s.duration / 48_000) for s in audio[:2]] == [(0.0, 2.0), (2.0, 2.0)]


def test_audio_that_stops_closes_its_segments_without_it():
    sink = cut(video_samples(30, 20, 2), audio_samples(STEREO_48K, 5), finish=False)
    audio = sink.segments(A)
    # at most two segments behind the video
    assert len(sink.segments(V)) - len(audio) <= 2
    assert [s.parts > 0 for s in audio[:3]] == [True, True, True]
    assert not any(s.parts for s in audio[3:])
    assert all(s.duration / 48_000 == pytest.approx(2, abs=0.03) for s in audio[3:])


def test_audio_that_comes_back_goes_on_in_step():
    track = STEREO_48K
    audio = [*audio_samples(track, 3), *audio_samples(track, 5.9, start_s=14.0)]
    sink = cut(video_samples(30, 20, 2), audio)
    video, sound = sink.segments(V), sink.segments(A)
    assert [s.msn for s in sound] == [s.msn for s in video]
    assert [s.parts > 0 for s in sound] == [
        True, True, False, False, False, False, False, True, True, True,
    ]  # fmt: skip
    back = sink.parts_of(sound[7])[0]
    assert back.start == read_chunks(back.data)[0].decode_time == 14 * 48_000


def test_a_hole_in_the_audio_starts_a_chunk():
    """Durations are constant within a chunk, so a hole cannot be inside of one."""
    audio = [*audio_samples(STEREO_48K, 0.1), *audio_samples(STEREO_48K, 1, start_s=0.5)]
    sink = cut(audio=audio)
    for part in sink.parts(A):
        (chunk,) = read_chunks(part.data)
        assert part.duration == chunk.duration
    assert 24_000 in [read_chunks(p.data)[0].decode_time for p in sink.parts(A)]


@pytest.mark.parametrize("move", [-480, 480, -441, 1, 959])
@pytest.mark.parametrize("after", [3, 9, 93, 94, 100])
def test_a_frame_takes_up_what_the_clock_of_the_sound_was_moved_by(move, after):
    """Decode times go on from frame to frame, and segments are as long as their media."""
    audio = [s._replace(dts=s.dts + move * (i >= after)) for i, s in enumerate(_sound(8))]
    sink = cut(video_samples(30, 8, 2), audio)
    chunks = [read_chunks(part.data)[0] for part in sink.parts(A)]
    assert all(a.decode_time + a.duration == b.decode_time for a, b in pairwise(chunks))
    durations = [sample.duration for chunk in chunks for sample in chunk.samples]
    assert durations[after] == 1024 + move
    assert durations.count(1024) == len(audio) - 1
    for segment in sink.segments(A):
        parts = sink.parts_of(segment)
        assert segment.duration == sum(part.duration for part in parts)
        assert segment.start == read_chunks(parts[0].data)[0].decode_time
        assert max(part.duration for part in parts) <= PART_LIMIT_S * 48_000


def _sound(seconds):
    return audio_samples(STEREO_48K, seconds)


# --- holes --------------------------------------------------------------------------------------


def without(samples, timescale, hole):
    """Nothing between the two times of `hole`, in seconds."""
    return [s for s in samples if not hole or not hole[0] <= s.dts / timescale < hole[1]]


def starts(sink, kind, timescale):
    return [segment.start / timescale for segment in sink.segments(kind)]


@pytest.mark.parametrize("reorder_ms", [0, 67])
@pytest.mark.parametrize("hole", [(3.0, 6.5), (2.0, 7.9), (3.97, 9.0), (2.05, 2.3)])
def test_a_picture_that_pauses_leaves_gaps_and_goes_on_in_step(hole, reorder_ms):
    """rfc8216bis §6.2.1: absent media are Media Segments whose durations add up to it."""
    frames = without(video_samples(30, 14, 2, reorder_ms=reorder_ms), 90_000, hole)
    sink = cut(frames, audio_samples(STEREO_48K, 14))
    keeps_step(sink, settled_s=hole[1] + 0.2)
    after = next(f for f in frames if f.dts / 90_000 >= hole[1])
    long = hole[1] - hole[0] > 2.5
    assert any(not s.parts for s in sink.segments(V)) == (long and not after.is_key)
    if long:
        assert after.dts in [read_chunks(p.data)[0].decode_time for p in sink.parts(V)]


@pytest.mark.parametrize("hole", [(3.0, 7.0), (3.9, 9.5), (2.5, 12.0)])
@pytest.mark.parametrize("first", [0.0, 0.1], ids=["picture first", "sound first"])
def test_a_hole_on_all_tracks_leaves_gaps_on_all(hole, first):
    frames = without(video_samples(30, 16, 2), 90_000, (hole[0], hole[1] + first))
    sink = cut(frames, without(audio_samples(STEREO_48K, 16), 48_000, hole))
    keeps_step(sink, settled_s=hole[1] + 0.2)
    assert any(not s.parts for s in sink.segments(A))
    goes_on = hole[1] + first == 12
    assert any(not s.parts for s in sink.segments(V)) != goes_on, "a keyframe follows the last one"


def test_sound_alone_that_pauses_leaves_gaps():
    sink = cut(audio=without(audio_samples(STEREO_48K, 16), 48_000, (3.0, 12.0)))
    assert max(lengths(sink, A, 48_000)) < 2.5
    assert sum(lengths(sink, A, 48_000)) == pytest.approx(16, abs=0.03)


def test_a_picture_that_ends_first_stands_still_as_long_as_the_sound():
    frames = list(video_samples(30, 3, 2))
    sink = cut(frames, audio_samples(STEREO_48K, 9))
    keeps_step(sink, settled_s=9)
    shown = samples_of(sink, V)
    assert shown[: len(frames)] == [frame.data for frame in frames]
    assert set(shown[len(frames) :]) == {frames[60].data}
    assert all(s.parts for s in sink.segments(V))
    assert sum(lengths(sink)) == pytest.approx(9, abs=0.05)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.1, 7), min_size=4, max_size=4),
    st.sampled_from([0.5, 2, 2.4, 3, 10]),
    st.sampled_from([0, 67]),
    st.sampled_from([STEREO_48K, AAC_24K]),
)
def test_whatever_is_missing_both_tracks_stay_in_step(spans, gop_s, reorder_ms, track):
    a, b, c, d = spans
    video = without(video_samples(30, 22, gop_s, reorder_ms=reorder_ms), 90_000, (a, a + b))
    audio = without(audio_samples(track, 22), track.sample_rate, (c, c + d))
    if not video or video[0].dts or not audio or audio[0].dts:
        return
    sink = cut(video, audio, track)
    keeps_step(sink, track.sample_rate, max(a + b, c + d) + 3)
    stills = iter(samples_of(sink, V))
    assert all(frame.data in stills for frame in video), "in order, stills between them"
    assert set(samples_of(sink, V)) == {frame.data for frame in video}
    assert sum(len(read_chunks(p.data)[0].samples) for p in sink.parts(A)) == len(audio)


def samples_of(sink, kind):
    return [s.data for p in sink.parts(kind) for s in read_chunks(p.data)[0].samples]


def keeps_step(sink, rate=48_000, settled_s=0.1):
    """Same numbers, same times; nothing too long, nothing missing and nothing twice."""
    video, audio = sink.segments(V), sink.segments(A)
    assert [s.msn for s in audio] == [s.msn for s in video]
    for kind, timescale in ((V, VIDEO_TIMESCALE), (A, rate)):
        assert max(lengths(sink, kind, timescale)) < 2.5
        assert all(s.duration > 0 or s.parts for s in sink.segments(kind))
        for one, other in pairwise(sink.segments(kind)):
            assert one.start + one.duration == other.start
    pairs = list(zip(starts(sink, V, VIDEO_TIMESCALE), starts(sink, A, rate), strict=True))
    assert all(abs(one - other) < 2.5 for one, other in pairs)
    assert all(abs(one - other) < 0.15 for one, other in pairs if one > settled_s), pairs


# --- one track alone --------------------------------------------------------------------------


def test_audio_alone_is_cut_by_its_own_clock():
    sink = cut(audio=audio_samples(MONO_44K, 10), audio_format=MONO_44K)
    spans = lengths(sink, A, 44_100)
    assert all(2 <= span < 2.03 for span in spans[:-1])
    assert sum(s.duration for s in sink.segments(A)) == int(10 * 44_100 / 1024) * 1024


def test_video_alone_needs_no_audio():
    sink = cut(video_samples(30, 4, 2))
    assert [len(sink.segments(V)), len(sink.segments(A))] == [2, 0]


@pytest.mark.parametrize("kind", [V, A])
def test_a_track_that_was_not_announced_is_refused(kind):
    track = STEREO_48K if kind is V else VIDEO
    segmenter = Segmenter([track], SETTINGS, Collected())
    take = segmenter.video if kind is V else segmenter.audio
    with pytest.raises(ValueError, match="has no"):
        take(Sample(0, 0, True, b""))


def test_audio_goes_on_when_the_video_stops():
    sink = cut(video_samples(30, 4, 2), audio_samples(STEREO_48K, 20), finish=False)
    assert len(sink.segments(A)) >= 7


# --- the end, and what comes after it ---------------------------------------------------------


def test_finish_flushes_the_last_frame_with_the_duration_of_the_one_before():
    sink = cut(list(video_samples(25, 1, 2)))
    (segment,) = sink.segments(V)
    assert segment.duration == VIDEO_TIMESCALE
    last = read_chunks(sink.parts(V)[-1].data)[0].samples[-1]
    assert last.duration == VIDEO_TIMESCALE // 25


def test_one_single_frame_makes_a_segment():
    sink = cut([Sample(0, 0, True, b"only")])
    (segment,) = sink.segments(V)
    assert (segment.parts, segment.duration) == (1, 3000)


def test_nothing_at_all_makes_nothing():
    sink = Collected()
    Segmenter([VIDEO, STEREO_48K], SETTINGS, sink).finish()
    assert sink.everything == []


def test_the_last_segment_of_audio_is_closed_with_the_videos():
    sink = cut(video_samples(30, 5, 2), audio_samples(STEREO_48K, 5))
    assert [s.msn for s in sink.segments(A)] == [s.msn for s in sink.segments(V)] == [0, 1, 2]


def test_numbers_carry_over_into_the_next_period():
    first = Segmenter([VIDEO, STEREO_48K], SETTINGS, Collected())
    for kind, sample in interleaved(
        list(video_samples(30, 5, 2)), list(audio_samples(STEREO_48K, 5)), STEREO_48K
    ):
        (first.video if kind is V else first.audio)(sample)
    first.finish()
    assert first.next_msn == 3
    sink = cut(
        video_samples(30, 3, 2),
        audio_samples(STEREO_48K, 3),
        next_msn=first.next_msn,
        next_numbers=first.next_numbers,
    )
    assert [s.msn for s in sink.segments(V)] == [s.msn for s in sink.segments(A)] == [3, 4]
    assert sink.parts(V)[0].number == first.next_numbers[V]
    assert sink.parts(A)[0].number == first.next_numbers[A]
    # mfhd's sequence_number goes on counting with the part's number
    assert read_chunks(sink.parts(V)[0].data)[0].sequence == first.next_numbers[V]


def test_a_period_without_audio_keeps_the_numbers_of_both_tracks_in_step():
    """A track that was announced and has nothing gets a gap, however short the Period was."""
    sink = Collected()
    segmenter = Segmenter([VIDEO, STEREO_48K], SETTINGS, sink, next_msn=4)
    for sample in video_samples(30, 1, 2):
        segmenter.video(sample)
    segmenter.finish()
    assert [s.msn for s in sink.segments(V)] == [4]
    assert [(s.msn, s.parts) for s in sink.segments(A)] == [(4, 0)]


def test_he_aac_is_cut_on_its_core_clock():
    track = AudioFormat(Codec.AAC, bytes.fromhex("2b0a08"), 22_050, 2, 1024)
    sink = cut(video_samples(30, 8, 2), audio_samples(track, 8), track)
    assert [s.msn for s in sink.segments(A)] == [0, 1, 2, 3]
    assert max(lengths(sink, A, 22_050)) < 2.5
