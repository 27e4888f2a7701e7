"""Recordings with holes: what is left counts alike in all renditions and plays."""

from xml.etree import ElementTree as ET

from ingest.manifest.dash_mpd import vod_mpd
from ingest.manifest.hls_playlist import vod_playlist
from ingest.vod.gaps import without
from ingest.window.live_window import LiveWindow
from tests.support.media_values import JournalScript


def presented(segments=6):
    window = LiveWindow(1e9)
    script = JournalScript(kinds=("video", "audio"))
    window.apply([*script.start(), *script.segments(segments)])
    return window.presentation()


def numbers(presentation):
    return [[s.msn for s in r.segments] for r in presentation.renditions]


def test_nothing_missing_changes_nothing():
    whole = presented()
    assert without(whole, frozenset()) is whole
    assert without(whole, {"video/segment-77.m4s"}) is whole


def test_what_one_rendition_lacks_is_taken_from_all():
    left = without(presented(), {"audio/segment-2.m4s", "video/segment-3.m4s"})
    assert numbers(left) == [[0, 1, 4, 5]] * 2
    assert [s.period for s in left.renditions[0].segments] == [0, 0, 1, 1]


def test_a_hole_is_a_discontinuity_and_a_period():
    left = without(presented(), {"video/segment-2.m4s", "video/segment-4.m4s"})
    for rendition in left.renditions:
        text = vod_playlist(rendition)
        assert text.count("#EXT-X-DISCONTINUITY\n") == 2
        assert text.count("#EXT-X-MAP") == 3
        assert "segment-2.m4s" not in text
        assert "EXT-X-GAP" not in text
    mpd = ET.fromstring(vod_mpd(left))
    space = {"d": "urn:mpeg:dash:schema:mpd:2011"}
    periods = mpd.findall("d:Period", space)
    starts = [t.get("startNumber") for t in periods[2].findall(".//d:SegmentTemplate", space)]
    assert len(periods) == 3
    assert starts == ["5", "5"]
    assert len({period.get("id") for period in periods}) == 3


def test_a_recording_that_begins_late_begins_without_a_discontinuity():
    left = without(presented(), {"video/segment-0.m4s"})
    assert "#EXT-X-DISCONTINUITY" not in vod_playlist(left.renditions[0])


def test_without_an_initialization_section_nothing_of_it_is_left():
    assert without(presented(), {"video/init-0.mp4"}).renditions == ()
