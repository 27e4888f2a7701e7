"""Encoder stamps become track clocks: rebased, unwrapped, repaired, counted."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.media import MediaKind
from ingest.source.timeline import MAX_JUMP_MS, Timeline, unwrap
from tests.support.media_values import (
    MONO_44K,
    STEREO_48K,
    VIDEO,
    audio_packet,
    video_packet,
)

WRAP = 1 << 32
BOTH = (VIDEO, STEREO_48K)
PICTURE = MediaKind.VIDEO
AUDIO = MediaKind.AUDIO


def run(packets, tracks=BOTH):
    timeline = Timeline(tracks)
    return timeline, [timeline.accept(packet) for packet in packets]


# --- where media time 0 is --------------------------------------------------------------------


def test_media_time_0_is_the_first_keyframe():
    _, (first, second) = run([video_packet(5_000, key=True, cts_ms=67), video_packet(5_033)])
    assert (first.dts, first.cts_offset, first.is_key) == (0, 67 * 90, True)
    assert (second.dts, second.is_key) == (33 * 90, False)


def test_what_comes_before_the_first_keyframe_is_left_out_and_counted():
    timeline, samples = run(
        [audio_packet(0), video_packet(10), audio_packet(21), video_packet(43, key=True)]
    )
    assert [s is None for s in samples] == [True, True, True, False]
    assert timeline.counters.dropped_before_start == 3
    assert timeline.started


def test_audio_older_than_the_first_keyframe_is_left_out_even_when_it_comes_later():
    timeline, samples = run([video_packet(100, key=True), audio_packet(90), audio_packet(111)])
    assert samples[1] is None
    assert samples[2].dts == 11 * 48
    assert timeline.counters.dropped_before_start == 1


@pytest.mark.parametrize(
    ("tracks", "packets"),
    [
        pytest.param((STEREO_48K,), [audio_packet(0), video_packet(5, key=True)], id="video"),
        pytest.param((VIDEO,), [video_packet(0, key=True), audio_packet(5)], id="audio"),
        pytest.param((STEREO_48K,), [video_packet(0, key=True)], id="video first"),
    ],
)
def test_packets_of_a_track_that_is_not_there_are_counted(tracks, packets):
    timeline, samples = run(packets, tracks)
    assert samples[-1] is None
    assert timeline.counters.dropped_before_start == 1


def test_audio_alone_starts_with_its_first_frame():
    _, (first, second) = run([audio_packet(777), audio_packet(800)], (MONO_44K,))
    assert [first.dts, second.dts] == [0, 1024]


def test_a_track_that_was_not_announced_is_left_out():
    timeline, samples = run([video_packet(0, key=True), audio_packet(5)], (VIDEO,))
    assert samples[1] is None
    assert timeline.counters.dropped_before_start == 1


# --- 32-bit stamps ----------------------------------------------------------------------------


def test_stamps_go_on_over_the_wrap_at_two_to_the_32():
    """RTMP's timestamps are 32 bits wide and roll over after 49 days 17 hours."""
    stamps = [WRAP - 66, WRAP - 33, 0, 33]
    timeline = Timeline(BOTH)
    samples = []
    for i, stamp in enumerate(stamps):
        packet = video_packet(stamp, key=i == 0)
        assert not timeline.breaks(packet)
        samples.append(timeline.accept(packet))
    assert [s.dts for s in samples] == [0, 33 * 90, 66 * 90, 99 * 90]


@pytest.mark.parametrize("first", ["sound", "picture"])
def test_tracks_that_begin_on_either_side_of_the_wrap_are_in_step(first):
    behind = [video_packet(5, key=first == "sound"), audio_packet(1), audio_packet(22)]
    before = {
        "sound": [audio_packet(WRAP - 20)],
        "picture": [video_packet(WRAP - 28, key=True)],
    }
    packets = [*before[first], *behind, video_packet(38), audio_packet(43)]
    timeline, samples = run(packets)
    assert not any(map(timeline.breaks, packets))
    taken = [
        s.dts / (48 if p.kind is AUDIO else 90) for p, s in zip(packets, samples, strict=True) if s
    ]
    assert len(taken) >= 4
    assert all(0 <= at_ms < 100 for at_ms in taken), taken


def test_audio_goes_on_over_the_wrap_in_step_with_the_video():
    _, samples = run(
        [
            video_packet(WRAP - 40, key=True),
            audio_packet(WRAP - 40),
            video_packet(0),
            audio_packet(-19 % WRAP),
        ]
    )
    assert [s.dts for s in samples] == [0, 0, 40 * 90, 1024]


@given(st.integers(-(1 << 40), 1 << 40), st.integers(-MAX_JUMP_MS, MAX_JUMP_MS))
def test_unwrapping_finds_the_stamp_next_to_the_last_one(last, step):
    assert unwrap((last + step) % WRAP, last) == last + step


# --- breaks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (33, False),
        (MAX_JUMP_MS, False),
        (MAX_JUMP_MS + 1, True),
        (-MAX_JUMP_MS, False),
        (-MAX_JUMP_MS - 1, True),
        (1 << 31, True),
    ],
)
def test_a_jump_in_either_direction_breaks_the_period(step, expected):
    timeline = Timeline(BOTH)
    timeline.accept(video_packet(1_000_000, key=True))
    assert timeline.breaks(video_packet((1_000_000 + step) % WRAP)) is expected


def test_the_first_packet_of_a_track_breaks_nothing():
    assert not Timeline(BOTH).breaks(video_packet(123_456_789, key=True))


def test_a_track_that_was_silent_for_long_does_not_break_the_other():
    timeline = Timeline(BOTH)
    timeline.accept(video_packet(0, key=True))
    timeline.accept(audio_packet(0))
    for stamp in range(33, 15_000, 33):
        timeline.accept(video_packet(stamp))
    assert not timeline.breaks(audio_packet(15_000))


def test_one_jump_of_both_tracks_is_one_break():
    packets = [video_packet(t, key=t == 0) for t in range(0, 1000, 40)]
    packets += [audio_packet(t) for t in range(0, 1000, 20)]
    packets.sort(key=lambda p: p.dts_ms)
    jump = 1_000_000
    packets += [video_packet(jump, key=True), audio_packet(1000), audio_packet(1020)]
    packets += [video_packet(jump + 40), audio_packet(jump + 40), video_packet(jump + 80)]
    breaks, timeline = 0, Timeline(BOTH)
    for packet in packets:
        if timeline.breaks(packet):
            breaks += 1
            timeline = Timeline(BOTH)
        timeline.accept(packet)
    assert breaks == 1


# --- decode times that do not rise ------------------------------------------------------------


def test_decode_times_that_do_not_rise_are_moved_a_tick_behind_the_last():
    timeline, samples = run(
        [
            video_packet(0, key=True),
            video_packet(40),
            video_packet(40),
            video_packet(20),
            video_packet(80),
        ]
    )
    assert [s.dts for s in samples] == [0, 3600, 3601, 3602, 7200]
    assert timeline.counters.repaired_dts == 2


@pytest.mark.parametrize("absurd", [MAX_JUMP_MS + 1, 0x7FFFFF, -0x800000])
def test_a_picture_that_would_wait_for_hours_is_shown_when_it_is_decoded(absurd):
    """Nor is there silence up to a last picture hours from now."""
    timeline, samples = run(
        [
            video_packet(0, key=True, cts_ms=80),
            audio_packet(0),
            video_packet(40, cts_ms=absurd),
            video_packet(80, cts_ms=MAX_JUMP_MS),
        ]
    )
    pictures = [samples[0], *samples[2:]]
    assert [picture.cts_offset for picture in pictures] == [7200, 0, MAX_JUMP_MS * 90]
    assert timeline.counters.repaired_dts == 1
    timeline, _ = run([video_packet(0, key=True, cts_ms=absurd), audio_packet(0)])
    timeline.fill_to_end()
    assert len(timeline.take_fill()) < 5


@given(st.lists(st.integers(-500, 500), max_size=60))
def test_video_decode_times_always_rise(steps):
    stamp, packets = 0, [video_packet(0, key=True)]
    for step in steps:
        stamp += step
        packets.append(video_packet(stamp % WRAP))
    _, samples = run(packets)
    times = [s.dts for s in samples]
    assert times == sorted(set(times))


def test_a_step_back_leaves_sound_and_picture_together():
    timeline = Timeline(BOTH)
    stamps = [*range(0, 10_000, 20), *range(5_000, 25_000, 20)]
    video = audio = None
    for i, stamp in enumerate(stamps):
        for packet in (video_packet(stamp, key=i == 0), audio_packet(stamp)):
            if timeline.breaks(packet):
                timeline = Timeline(BOTH)
        video = timeline.accept(video_packet(stamp, key=True)) or video
        audio = timeline.accept(audio_packet(stamp)) or audio
    assert abs(video.dts / 90_000 - audio.dts / 48_000) < 0.1


# --- audio is counted -------------------------------------------------------------------------


@pytest.mark.parametrize("track", [STEREO_48K, MONO_44K], ids=lambda t: t.sample_rate)
def test_audio_is_counted_in_samples_whatever_the_milliseconds_round_to(track):
    stamps = [int(i * 1024 * 1000 / track.sample_rate) for i in range(2000)]
    timeline, samples = run([audio_packet(t) for t in stamps], (track,))
    assert [s.dts for s in samples] == [i * 1024 for i in range(2000)]
    assert timeline.counters.audio_reanchored == 0


def test_jitter_that_evens_out_moves_nothing():
    stamps = [max(0, round(i * 1024 / 48) + (i * 37) % 61 - 30) for i in range(200)]
    timeline, samples = run([audio_packet(t) for t in stamps], (STEREO_48K,))
    assert [s.dts for s in samples] == [i * 1024 for i in range(200)]
    assert timeline.counters.audio_reanchored == 0


def test_a_hole_in_the_audio_moves_it_to_the_encoders_stamp():
    unknown = replace(STEREO_48K, config=b"")  # no silence is known for it
    timeline, samples = run([audio_packet(t) for t in (0, 21, 43, 1_000, 1_021)], (unknown,))
    assert [s.dts for s in samples] == [0, 1024, 2048, 48_000, 49_024]
    assert timeline.counters.audio_reanchored == 1
    assert timeline.take_fill() == []


# --- sound that pauses ------------------------------------------------------------------------


def everything(packets, tracks=BOTH):
    """The audio track as it is packaged: what was sent, and the silence before it."""
    timeline = Timeline(tracks)
    sent, silent = [], []
    for packet in packets:
        sample = timeline.accept(packet)
        silent += [one.sample.dts for one in timeline.take_fill()]
        if sample is not None and packet.kind is AUDIO:
            sent.append(sample.dts)
    return timeline, sent, silent


def frames(seconds, sound):
    """A picture every 40 ms, sound every 21 1/3 ms where `sound` says so, by stamp."""
    stamps = (i * 1024 / 48 for i in range(int(seconds * 1000 * 48 / 1024)))
    packets = [video_packet(t, key=t == 0) for t in range(0, int(seconds * 1000), 40)]
    packets += [audio_packet(int(t)) for t in stamps if sound(t)]
    return sorted(packets, key=lambda p: p.dts_ms)


def test_sound_that_pauses_is_silence_until_it_comes_back():
    timeline, sent, silent = everything(frames(9, lambda t: not 2_000 < t < 6_000))
    assert timeline.counters.dropped_behind_silence == 0
    assert timeline.counters.silence_frames == len(silent) > 180
    track = sorted(sent + silent)
    steps = {b - a for a, b in pairwise(track)}
    assert max(steps) < 2 * 1024
    assert len([step for step in steps if step != 1024]) <= 1  # where the sound comes back


def test_sound_that_stops_is_silence_to_the_end():
    timeline, sent, silent = everything(frames(9, lambda t: t < 2_000))
    timeline.fill_to_end()
    silent += [one.sample.dts for one in timeline.take_fill()]
    assert silent[0] == sent[-1] + 1024
    assert 8.9 < silent[-1] / 48_000 < 9


def test_sound_that_never_starts_is_silence_from_the_start():
    _, sent, silent = everything(frames(5, lambda _: False))
    assert sent == []
    assert silent[:3] == [0, 1024, 2048]


def test_sound_that_arrives_a_second_late_has_not_paused():
    packets = sorted(frames(9, lambda _: True), key=lambda p: p.dts_ms + 1_000 * (p.kind is AUDIO))
    _, sent, silent = everything(packets)
    assert silent == []
    assert sent == [i * 1024 for i in range(len(sent))]


def test_sound_behind_its_silence_is_left_out_and_counted():
    late = [p for p in frames(9, lambda _: True) if p.kind is AUDIO]
    packets = sorted(
        [*frames(9, lambda _: False), *late], key=lambda p: p.dts_ms + 3_000 * (p.kind is AUDIO)
    )
    timeline, sent, silent = everything(packets)
    assert timeline.counters.dropped_behind_silence > 100
    track = sorted(sent + silent)
    assert all(b - a >= 1024 for a, b in pairwise(track))


# --- pictures that pause ------------------------------------------------------------------------


def filmed(seconds, picture, gop_ms=1_000, every_ms=40):
    """Sound all the time; pictures, by stamp, where `picture` says so."""
    packets = [
        video_packet(t, key=t % gop_ms == 0)
        for t in range(0, int(seconds * 1000), every_ms)
        if picture(t)
    ]
    packets += [audio_packet(int(i * 1024 / 48)) for i in range(int(seconds * 1000 * 48 / 1024))]
    return sorted(packets, key=lambda p: p.dts_ms)


def shown(packets):
    """The video track as it is packaged: what was sent, and the pictures that stand still; how far
    behind the sound it was at most, in seconds, from the third second on."""
    timeline = Timeline(BOTH)
    sent, still, behind_s = [], [], 0.0
    for packet in packets:
        sample = timeline.accept(packet)
        still += [one.sample for one in timeline.take_fill() if one.kind is PICTURE]
        if sample is not None and packet.kind is PICTURE:
            sent.append(sample)
        if packet.dts_ms > 3_000:
            last = max(one.dts for one in [*sent[-1:], *still[-1:]])
            behind_s = max(behind_s, packet.dts_ms / 1000 - last / 90_000)
    return timeline, sent, still, behind_s


def test_a_picture_that_pauses_stands_still_until_the_next_keyframe():
    timeline, sent, still, behind_s = shown(filmed(12, lambda t: not 4_500 < t < 8_300))
    track = sorted(one.dts for one in [*sent, *still])
    assert max(b - a for a, b in pairwise(track)) <= 0.2 * 90_000
    assert all(one.is_key for one in still)
    assert {one.data for one in still} == {next(s for s in sent if s.dts == 4 * 90_000).data}
    assert min(s.dts for s in sent if s.dts > 5 * 90_000) == 9 * 90_000
    assert timeline.counters.still_frames == len(still)
    assert timeline.counters.dropped_behind_still == len(range(8_320, 9_000, 40))
    assert behind_s < 1


def test_a_picture_that_stops_stands_still_to_the_end():
    _, sent, still, _ = shown(filmed(12, lambda t: t < 4_500))
    assert sent[-1].dts < still[0].dts
    assert 11 < still[-1].dts / 90_000 < 12


def test_pictures_without_another_keyframe_go_on_after_all():
    def packets():
        for packet in filmed(40, lambda t: not 4_500 < t < 8_000):
            late = packet.kind is PICTURE and packet.dts_ms >= 8_000
            yield packet._replace(is_key=False) if late else packet

    timeline, sent, still, _ = shown([*packets()])
    assert 0 < timeline.counters.dropped_behind_still <= 10_040 / 40
    assert sent[-1].dts == 39_960 * 90
    assert still[-1].dts < 18.1 * 90_000


def test_sound_whose_stamps_run_away_does_not_fill_the_disk_with_pictures():
    packets = filmed(4, lambda _: True)
    packets += [audio_packet(4_000 + 9_000 * i) for i in range(1, 30)]
    _, _, still, _ = shown(packets)
    assert 5 < len(still) * 0.2 <= 10.8


def test_a_keyframe_of_megabytes_is_not_repeated():
    packets = [
        packet._replace(data=bytes(3 << 20)) if packet.is_key and packet.kind is PICTURE else packet
        for packet in filmed(9, lambda t: not 4_500 < t < 7_500)
    ]
    timeline, _, still, _ = shown(packets)
    assert (still, timeline.counters.dropped_behind_still) == ([], 0)


def test_where_no_keyframe_is_to_be_expected_nothing_is_left_out():
    packets = filmed(12, lambda t: not 4_500 < t < 8_000, gop_ms=60_000)
    timeline, _, still, _ = shown(packets)
    assert still == []
    assert timeline.counters.dropped_behind_still == 0


def test_a_camera_that_changes_has_not_paused():
    _, sent, still, _ = shown(filmed(12, lambda t: not 4_500 < t < 5_100))
    assert still == []
    assert sent[-1].dts == 11_960 * 90


def test_a_slow_camera_has_not_paused():
    _, sent, still, _ = shown(filmed(20, lambda t: True, gop_ms=4_000, every_ms=800))
    assert still == []
    assert len(sent) == 25


def test_pictures_that_arrive_a_second_late_have_not_paused():
    packets = filmed(12, lambda t: True)
    packets.sort(key=lambda p: p.dts_ms + 1_000 * (p.kind is PICTURE))
    timeline, _, still, _ = shown(packets)
    assert (still, timeline.counters.dropped_behind_still) == ([], 0)


def test_pictures_that_always_come_two_seconds_late_are_shown():
    packets = filmed(30, lambda t: True)
    packets.sort(key=lambda p: p.dts_ms + 2_000 * (p.kind is PICTURE))
    _, sent, _, _ = shown(packets)
    assert sent[-1].dts == 29_960 * 90
    assert len(sent) > 25 * 25


def test_sound_that_always_comes_two_seconds_late_is_heard():
    packets = frames(30, lambda _: True)
    packets.sort(key=lambda p: p.dts_ms + 2_000 * (p.kind is AUDIO))
    _, sent, silent = everything(packets)
    assert len(sent) > 25 * 48_000 / 1024
    assert len(silent) < 3 * 48_000 / 1024


# --- holes in everything ----------------------------------------------------------------------


def breaks_at(packets, tracks=BOTH):
    """Stamps at which a new Period starts."""
    timeline = Timeline(tracks, hole_limit_ms=2_400)
    found = []
    for packet in packets:
        if timeline.breaks(packet):
            found.append(packet.dts_ms)
            timeline = Timeline(tracks, hole_limit_ms=2_400)
        timeline.accept(packet)
    return found


@pytest.mark.parametrize(("hole_ms", "expected"), [(2_300, 0), (2_700, 1), (9_000, 1)])
def test_a_hole_in_all_tracks_is_a_break_when_no_segment_can_hold_it(hole_ms, expected):
    packets = [p for p in frames(20, lambda _: True) if not 4_000 < p.dts_ms < 4_000 + hole_ms]
    first = next(p for p in packets if p.dts_ms > 4_000)
    packets = [p._replace(is_key=True) if p is first else p for p in packets]
    assert len(breaks_at(packets)) == expected


def test_a_hole_in_one_track_is_none():
    assert breaks_at(frames(20, lambda t: not 4_000 < t < 9_000)) == []


def test_pictures_alone_may_be_slow():
    slides = [video_packet(t, key=True) for t in range(0, 60_000, 5_000)]
    assert breaks_at(slides, (VIDEO,)) == []


@pytest.mark.parametrize("kind", [0, 1], ids=["picture", "sound"])
def test_a_picture_that_needs_another_is_no_place_for_a_break(kind):
    packets = [p for p in frames(20, lambda _: True) if not 4_000 < p.dts_ms < 8_000]
    behind = [p for p in packets if p.dts_ms >= 8_000]
    moved = sorted(behind, key=lambda p: p.dts_ms + 100 * ((p.kind is AUDIO) != bool(kind)))
    found = breaks_at([p for p in packets if p.dts_ms < 8_000] + moved)
    assert len(found) == kind  # sound can be the first of a Period, a picture in a GOP cannot


# --- clocks that run apart --------------------------------------------------------------------


@pytest.mark.parametrize("speed", [1.01, 1.001, 0.999, 0.99])
def test_a_microphone_whose_clock_is_off_is_followed(speed):
    """The mean of stamp minus count stays within 1/100 s, and decode times go on rising."""
    stamps = [round(i * 1024 / 48 * speed) for i in range(6000)]
    timeline, samples = run([audio_packet(t) for t in stamps], (STEREO_48K,))
    times = [s.dts for s in samples]
    assert times == sorted(set(times))
    assert abs(times[-1] / 48_000 - stamps[-1] / 1000) <= 0.03
    assert timeline.counters.drift_corrected > 1
    assert timeline.counters.audio_reanchored == 0


def test_offsets_between_the_tracks_are_kept():
    """A/V sync is what the encoder stamped: audio 46 ms after the first decoded frame."""
    _, (video, audio) = run([video_packet(1_000, key=True, cts_ms=67), audio_packet(1_046)])
    assert audio.dts / 48_000 == pytest.approx(0.046, abs=0.0005)
    assert (video.dts + video.cts_offset) / 90_000 == pytest.approx(0.067)
