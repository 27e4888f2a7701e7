"""The live window: what players are told, how long files stay, who is woken."""

import asyncio
from itertools import pairwise

import pytest

from ingest.journal_entries import StreamFinished, part_name, segment_name
from ingest.window.live_window import LiveWindow
from tests.support.media_values import WALL_S, JournalScript

TARGET_S = 2


def window_of(script, segments=0, open_parts=0, dvr_window_s=12.0):
    window = LiveWindow(dvr_window_s)
    window.apply(script.start())
    window.apply(script.segments(segments))
    for index in range(open_parts):
        window.apply(script.part(index))
    return window


def listed_parts(rendition):
    return [
        part.number
        for segment in rendition.segments
        if segment.msn >= rendition.parts_from_msn
        for part in segment.parts
    ]


# --- what it tells ----------------------------------------------------------------------------


def test_a_segment_that_grows_is_listed_with_its_parts():
    script = JournalScript()
    window = window_of(script, 1, 2)
    video = window.rendition("video")
    done, growing = video.segments
    assert (done.msn, done.finished, done.duration_s, done.size) == (0, True, 2.0, 4000)
    assert (growing.msn, growing.finished, growing.duration_s) == (1, False, 1.0)
    assert [p.number for p in growing.parts] == [4, 5]
    assert (video.next_part, video.last_msn) == (6, 1)


def test_segments_are_stamped_from_their_periods_anchor():
    script = JournalScript()
    window = LiveWindow(60)
    window.apply(script.start(wall_s=WALL_S) + script.segments(2))
    window.apply(script.start(wall_s=WALL_S + 100) + script.segments(1))
    assert [s.wall_s - WALL_S for s in window.rendition("video").segments] == [0, 2, 100]
    assert [s.period for s in window.rendition("video").segments] == [0, 0, 1]
    assert [s.init for s in window.rendition("video").segments] == [0, 0, 1]


def test_the_recordings_clock_stands_still_while_no_media_come():
    script = JournalScript()
    window = LiveWindow(4)
    assert window.media_time_s(WALL_S) is None
    window.apply(script.start(wall_s=WALL_S))
    assert window.media_time_s(WALL_S) is None
    window.apply(script.segments(10))
    window.apply(script.part(0))
    assert window.media_time_s(WALL_S + 20.5) == 20.5
    assert window.media_time_s(WALL_S + 19) == 19
    assert window.media_time_s(WALL_S + 21) == 21
    long_after = window.media_time_s(WALL_S + 300)
    assert long_after == window.media_time_s(WALL_S + 400) < 30
    script = JournalScript()
    window = LiveWindow(60)
    window.apply(script.start(wall_s=WALL_S) + script.segments(5))
    window.apply(script.start(wall_s=WALL_S + 100) + script.segments(1))
    assert window.media_time_s(WALL_S + 102) == 12


def test_a_gap_has_neither_parts_nor_size():
    script = JournalScript()
    window = window_of(script, 1)
    window.apply(script.gap(2.0))
    gap = window.rendition("video").segments[1]
    assert (gap.gap, gap.finished, gap.parts, gap.size, gap.duration_s) == (True, True, (), 0, 2.0)


def test_a_snapshot_is_made_once_for_each_change():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 1)
    video, audio = window.rendition("video"), window.rendition("audio")
    assert window.rendition("video") is video
    window.apply([e for e in script.part(0) if e.rendition == "video"])
    assert window.rendition("video") is not video
    assert window.rendition("audio") is audio


def test_every_change_has_its_version():
    script = JournalScript()
    window = window_of(script)
    versions = [window.version]
    for index in range(3):
        window.apply(script.part(index))
        versions.append(window.presentation().version)
    assert all(a < b for a, b in pairwise(versions))


def test_a_rendition_without_media_is_not_presented():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script)
    window.apply([e for e in script.part(0) if e.rendition == "video"])
    assert [r.name for r in window.presentation().renditions] == ["video"]
    assert window.rendition("subtitles") is None


def test_the_bit_rate_is_that_of_finished_segments():
    script = JournalScript()
    window = window_of(script, 1, 1)
    video = window.rendition("video")
    assert video.peak_bandwidth == 4000 * 8 // 2
    assert video.average_bandwidth == 5000 * 8 / 2.5


@pytest.mark.parametrize("independent", [True, False])
def test_a_segment_is_independent_when_its_first_part_is(independent):
    script = JournalScript()
    window = window_of(script)
    window.apply(script.part(0, independent=independent) + script.part(1))
    assert window.rendition("video").segments[0].independent is independent


# --- trimming ---------------------------------------------------------------------------------


def test_old_segments_leave_the_window_in_order():
    """RFC 8216 §6.2.2: "The server MUST remove Media Segment URIs from the Playlist in the order
    that they appear" and EXT-X-MEDIA-SEQUENCE "MUST be incremented by 1 for every Media Segment
    that is removed"."""
    script = JournalScript()
    window = window_of(script)
    seen = []
    for _ in range(30):
        window.apply(script.segment())
        segments = window.rendition("video").segments
        assert [s.msn for s in segments] == list(range(segments[0].msn, segments[-1].msn + 1))
        seen.append(segments[0].msn)
    assert seen == sorted(seen)
    assert seen[-1] > 10


@pytest.mark.parametrize("dvr_window_s", [0.0, 1.0, 12.0, 60.0])
def test_the_window_is_as_long_as_asked_and_never_below_three_target_durations(dvr_window_s):
    """RFC 8216 §6.2.2: "The server MUST NOT remove a Media Segment from a Playlist file without an
    EXT-X-ENDLIST tag if that would produce a Playlist whose duration is less than three times the
    target duration"."""
    script = JournalScript()
    window = window_of(script, 50, dvr_window_s=dvr_window_s)
    duration_s = window.rendition("video").duration_s
    assert duration_s >= max(dvr_window_s, 3 * TARGET_S)
    assert duration_s <= max(dvr_window_s, 6 * TARGET_S) + TARGET_S


def test_a_period_that_left_the_window_is_counted_not_listed():
    """RFC 8216 §6.2.2: when a EXT-X-DISCONTINUITY tag is removed, the server "MUST increment the
    value of the EXT-X-DISCONTINUITY-SEQUENCE tag"; the number is that of the first Period listed."""
    script = JournalScript()
    window = window_of(script, 3)
    window.apply(script.start("encoder came back") + script.segments(20))
    segments = window.rendition("video").segments
    assert {s.period for s in segments} == {1}


def test_all_renditions_begin_with_the_same_segment_at_every_moment():
    """DASH: a Period keeps its Representations, so no track is alone at the window's start."""
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script)
    trimmed = False
    for entry in script.segments(30):
        window.apply([entry])
        listed = [r.segments[0].msn for r in window.presentation().renditions if r.segments]
        assert len(set(listed)) <= 1
        trimmed = trimmed or any(listed)
    assert trimmed


# --- parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [4, 3])
def test_parts_are_listed_for_the_last_three_target_durations(parts):
    """rfc8216bis §6.2.2: EXT-X-PART tags "SHOULD be removed from the Playlist after they are
    greater than three Target Durations from the end of the Playlist"."""
    script = JournalScript(parts=parts)
    window = window_of(script)
    for _ in range(12):
        window.apply(script.segment())
    window.apply(script.part(0))
    video = window.rendition("video")
    listed_s = sum(s.duration_s for s in video.segments if s.msn >= video.parts_from_msn)
    first = next(s for s in video.segments if s.msn == video.parts_from_msn)
    assert listed_s >= 3 * TARGET_S
    assert listed_s - first.duration_s <= 3 * TARGET_S + script.part_s


def expiries(script, window, count):
    """For each file: the media time at which it was listed last, and at which it expired."""
    listed, expired, now_s = {}, {}, 0.0
    for _ in range(count):
        for index in range(script.parts):
            now_s += script.part_s
            # what was listed until now can have been read just before this part came
            video = window.rendition("video")
            listed |= {f"video/{part_name(n)}": now_s for n in listed_parts(video)}
            listed |= {f"video/{segment_name(s.msn)}": now_s for s in video.segments}
            window.apply(script.part(index))
            if index == script.parts - 1:
                window.apply(script.close())
            expired |= dict.fromkeys(window.take_expired(), now_s)
    return listed, expired


@pytest.mark.parametrize(
    ("parts", "part_s"),
    [
        pytest.param(4, 0.5, id="2 s"),
        pytest.param(3, 0.5, id="1.5 s"),
        pytest.param(1, 0.5, id="0.5 s"),
    ],
)
def test_a_part_can_be_fetched_for_three_target_durations_after_it_was_listed(parts, part_s):
    """rfc8216bis §6.2.2: "Clients MUST be able to download the Partial Segment for at least three
    Target Durations after the EXT-X-PART tag is removed from the Playlist"."""
    script = JournalScript(parts=parts, part_s=part_s)
    listed, expired = expiries(script, window_of(script), 60)
    gone = {name: at for name, at in expired.items() if "part" in name}
    assert len(gone) > 20
    assert min(at - listed[name] for name, at in gone.items()) >= 3 * TARGET_S


@pytest.mark.parametrize("dvr_window_s", [0.0, 30.0])
@pytest.mark.parametrize(
    "parts", [pytest.param(4, id="2 s"), pytest.param(3, id="1.5 s"), pytest.param(1, id="0.5 s")]
)
def test_a_segment_stays_for_its_availability_duration(parts, dvr_window_s):
    """RFC 8216 §6.2.2: a removed Media Segment "MUST remain available to clients for a period of
    time equal to the duration of the segment plus the duration of the longest Playlist file
    distributed by the server containing that segment"."""
    script = JournalScript(parts=parts)
    window = window_of(script, dvr_window_s=dvr_window_s)
    listed, expired = expiries(script, window, 250)
    gone = {name: at for name, at in expired.items() if "segment" in name}
    assert len(gone) > 20
    availability_s = parts * script.part_s + window.rendition("video").duration_s
    assert min(at - listed[name] for name, at in gone.items()) >= availability_s


def test_each_file_expires_once_and_only_what_was_listed_before():
    script = JournalScript()
    window = window_of(script)
    expired = []
    for _ in range(60):
        window.apply(script.segment())
        expired += window.take_expired()
    assert len(expired) == len(set(expired))
    still = {f"video/{segment_name(s.msn)}" for s in window.rendition("video").segments}
    assert still.isdisjoint(expired)
    assert window.take_expired() == []


# --- waiting ----------------------------------------------------------------------------------


async def settle():
    """Let every task run up to where it waits."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_change_wakes_everybody_who_waits():
    script = JournalScript()
    window = window_of(script, 1)
    waits = [asyncio.create_task(window.wait_change("video", 60)) for _ in range(500)]
    await settle()
    assert not any(task.done() for task in waits)
    window.apply(script.part(0))
    assert await asyncio.gather(*waits) == [True] * 500


async def test_a_change_of_one_rendition_does_not_wake_those_of_the_other():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 1)
    video = asyncio.create_task(window.wait_change("video", 60))
    audio = asyncio.create_task(window.wait_change("audio", 60))
    await settle()
    window.apply([e for e in script.part(0) if e.rendition == "audio"])
    assert await audio
    await settle()
    assert not video.done()
    window.apply([StreamFinished(reason="host")])
    assert await video


async def test_a_wait_is_for_the_next_change_not_for_the_last():
    script = JournalScript()
    window = window_of(script, 1)
    assert not await window.wait_change("video", 0)


async def test_nobody_waits_for_what_cannot_come():
    script = JournalScript()
    window = window_of(script, 1)
    assert not await window.wait_change("subtitles", 60)
    window.apply([StreamFinished(reason="host")])
    assert window.ended
    assert not await window.wait_change("video", 60)


async def test_a_stream_has_started_when_every_track_has_a_part():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script)
    waiting = asyncio.create_task(window.wait_started(60))
    video, audio = script.part(0)
    window.apply([video])
    await settle()
    assert not waiting.done()
    window.apply([audio])
    assert await waiting
    assert await window.wait_started(0)


async def test_a_stream_that_does_not_start_is_not_waited_for_longer_than_asked():
    assert not await LiveWindow(60).wait_started(0)


async def test_a_stream_that_ended_before_it_began_keeps_nobody_waiting():
    window = LiveWindow(60)
    waiting = asyncio.create_task(window.wait_started(60))
    await settle()
    window.apply([StreamFinished(reason="encoder never came")])
    assert await waiting
