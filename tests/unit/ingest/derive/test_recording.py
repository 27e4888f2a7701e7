"""A recording's timeline: Periods one behind the other, also where only the window is left."""

import pytest

from ingest.derive.live_picture import newest_keyframe
from ingest.derive.recording import recording_from_playlists, recording_of
from ingest.errors import MalformedMedia
from ingest.media import MediaKind
from ingest.window.live_window import LiveWindow
from tests.support.media_values import WALL_S, JournalScript

V, A = MediaKind.VIDEO, MediaKind.AUDIO


def window_of(entries, dvr_window_s=1000.0):
    window = LiveWindow(dvr_window_s)
    window.apply(entries)
    return window


def starts(recording, kind=V):
    return [piece.start_s for piece in recording.of_kind(kind).pieces]


def test_the_time_without_an_encoder_is_not_on_the_timeline():
    script = JournalScript(kinds=("video", "audio"))
    entries = script.start(wall_s=WALL_S) + script.segments(2)
    entries += script.start(wall_s=WALL_S + 100) + script.segments(2)
    recording = recording_of(window_of(entries).presentation())
    assert starts(recording) == pytest.approx([0, 2, 4, 6])
    assert starts(recording, A) == pytest.approx([0, 2, 4, 6])
    assert (recording.start_s, recording.end_s) == pytest.approx((0, 8))
    assert [piece.period for piece in recording.of_kind(V).pieces] == [0, 0, 1, 1]


def test_what_has_left_the_window_still_counts():
    script = JournalScript()
    window = window_of(script.start() + script.segments(20), dvr_window_s=12.0)
    assert window.forgotten_s == pytest.approx(40 - window.presentation().renditions[0].duration_s)
    recording = recording_of(window.presentation(), forgotten_s=window.forgotten_s)
    assert recording.start_s == pytest.approx(window.forgotten_s)
    assert recording.end_s == pytest.approx(40)


def test_the_segment_that_grows_is_there_by_its_parts_and_a_gap_is_not():
    script = JournalScript()
    entries = script.start() + script.segments(1) + script.gap(2.0) + script.part(0)
    recording = recording_of(window_of(entries).presentation())
    names = [piece.name for piece in recording.of_kind(V).pieces]
    assert names[0] == "video/segment-0.m4s"
    assert names[1].startswith("video/part-")
    assert starts(recording) == pytest.approx([0, 4])


def test_between_two_positions_are_the_pieces_that_have_something_there():
    script = JournalScript(kinds=("video", "audio"))
    recording = recording_of(window_of(script.start() + script.segments(5)).presentation())
    cut = recording.between(3.0, 6.0)
    assert starts(cut) == pytest.approx([2, 4])
    assert [*cut.files()] == [
        "video/init-0.mp4",
        "video/segment-1.m4s",
        "video/segment-2.m4s",
        "audio/init-1.mp4",
        "audio/segment-1.m4s",
        "audio/segment-2.m4s",
    ]
    assert recording.between(100, 200).tracks == ()
    assert recording.between(100, 200).end_s == 0


@pytest.mark.parametrize("text", ["#EXTINF:soon,\nsegment-0.m4s\n", "#EXT-X-MAP:URI=\nx.m4s\n"])
def test_a_playlist_that_cannot_be_read_is_said(text):
    with pytest.raises(MalformedMedia):
        recording_from_playlists({V: text})


def test_the_newest_keyframe_is_a_part_of_the_segment_that_grows_or_a_whole_segment():
    script = JournalScript()
    window = window_of(script.start())
    assert newest_keyframe(window.presentation()) is None
    window.apply(script.segments(2))
    assert newest_keyframe(window.presentation()).init == "video/init-0.mp4"
    before = newest_keyframe(window.presentation()).media
    window.apply(script.part(0))
    newest = newest_keyframe(window.presentation()).media
    assert newest != before
    assert newest.startswith("video/part-")
