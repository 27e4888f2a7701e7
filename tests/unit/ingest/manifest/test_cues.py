"""Cues as the playlists and the MPD tell them, live and in the recording."""

import json
import re
from xml.etree import ElementTree as ET

from ingest.cues import Cue, CueKind, Point
from ingest.delivery.rendered import RenderedPlaylists, Variant
from ingest.journal_entries import StreamFinished
from ingest.manifest.dash_events import SCHEME
from ingest.manifest.dash_mpd import live_mpd, vod_mpd
from ingest.vod.publisher import publish_vod
from ingest.window.live_window import LiveWindow
from tests.support.media_values import WALL_S, JournalScript
from tests.support.mpd_rules import read_mpd

NS = "{urn:mpeg:dash:schema:mpd:2011}"
PRODUCT = "5f0c3f3e-9a3c-4d7e-8a44-0d5f6f8c1a11"


def tag(at_s, name="tag-1"):
    return Cue(name, CueKind.TAG, PRODUCT, WALL_S + at_s, place=Point(0.25, 0.5))


def pin(at_s, until_s=None, name="pin-1"):
    until = None if until_s is None else WALL_S + until_s
    return Cue(name, CueKind.PIN, PRODUCT, WALL_S + at_s, until)


def window_of(script, segments, dvr_window_s=600.0):
    window = LiveWindow(dvr_window_s)
    window.apply(script.start())
    window.apply(script.segments(segments))
    return window


class Playlists:
    """The playlist of a window as players get it."""

    def __init__(self, window):
        self.window, self.rendered = window, RenderedPlaylists()

    def text(self, *, delta=False, name="video"):
        rendition = self.window.rendition(name)
        variant = Variant(name, delta, compressed=False)
        return self.rendered.body(self.window, rendition, variant).decode()

    def ranges(self, **which):
        return [x for x in self.text(**which).splitlines() if x.startswith("#EXT-X-DATERANGE:")]


def test_a_tag_in_a_live_playlist():
    """rfc8216bis §4.4.5.1: quoted strings, decimal numbers, names of ours that begin with X-."""
    window = window_of(JournalScript(), 3)
    window.show((tag(3.25),))
    assert Playlists(window).ranges() == [
        '#EXT-X-DATERANGE:ID="tag-1",CLASS="golive.product.tag",'  # noqa: ISC004  one line
        'START-DATE="2023-11-14T22:13:23.250Z",END-DATE="2023-11-14T22:13:33.250Z",'
        f'X-GOLIVE-PRODUCT-ID="{PRODUCT}",X-GOLIVE-X=0.250000,X-GOLIVE-Y=0.500000'
    ]


def test_a_playlist_without_cues_is_as_it_was():
    window = window_of(JournalScript(), 3)
    before = Playlists(window).text()
    window.show(())
    assert Playlists(window).text() == before


def test_a_cue_is_told_as_soon_as_the_media_have_come_to_it():
    script = JournalScript(parts=4, part_s=0.5)
    window = window_of(script, 1)
    playlists = Playlists(window)
    window.show((tag(2.75),))
    assert playlists.ranges() == []
    window.apply(script.part(0))
    assert playlists.ranges() == [], "the media end at 2.5 s"
    window.apply(script.part(1))
    assert len(playlists.ranges()) == 1


def test_a_cue_of_the_past_is_told_with_the_next_answer():
    window = window_of(JournalScript(), 4)
    playlists = Playlists(window)
    assert playlists.ranges() == []
    window.show((tag(1.0),))
    assert len(playlists.ranges()) == 1, "the playlist that was rendered before is not kept"


def test_a_pin_gets_its_end_and_nothing_else_changes():
    script = JournalScript()
    window = window_of(script, 3)
    playlists = Playlists(window)
    window.show((pin(2.0),))
    (before,) = playlists.ranges()
    assert "END-DATE" not in before
    window.apply(script.segment())
    window.show((pin(2.0, 7.5),))
    (after,) = playlists.ranges()
    assert after.replace('END-DATE="2023-11-14T22:13:27.500Z",', "") == before


def test_a_tag_stays_until_the_window_has_left_it_behind():
    script = JournalScript(part_s=0.5, parts=4)
    window = window_of(script, 2, dvr_window_s=12.0)
    window.show((tag(1.0), pin(1.5)))
    playlists = Playlists(window)
    while window.rendition("video").segments[0].wall_s < WALL_S + 11.0:
        assert len(playlists.ranges()) == 2
        window.apply(script.segment())
    (left,) = playlists.ranges()
    assert 'ID="pin-1"' in left, "nobody has taken it away"


def test_a_delta_update_leaves_no_cue_out():
    """rfc8216bis §4.4.3.8: date ranges may be skipped only where CAN-SKIP-DATERANGES says so."""
    script = JournalScript(part_s=0.5, parts=4)
    window = window_of(script, 12)
    window.show((tag(1.0), tag(20.0, "tag-2")))
    playlists = Playlists(window)
    delta = playlists.text(delta=True)
    assert "#EXT-X-SKIP:" in delta
    assert "CAN-SKIP-DATERANGES" not in delta
    assert playlists.ranges(delta=True) == playlists.ranges()
    assert len(playlists.ranges()) == 2


def test_all_renditions_tell_the_same():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 3)
    window.show((tag(3.0), pin(1.0)))
    playlists = Playlists(window)
    assert playlists.ranges(name="audio") == playlists.ranges(name="video")


def test_an_interruption_makes_two_pieces_of_a_pin():
    script = JournalScript()
    window = window_of(script, 3)  # to 6 s
    window.show((pin(5.0), tag(20.0)))
    window.apply(script.start("encoder reconnected", WALL_S + 30.0))
    window.apply(script.segments(2))
    ids = re.findall(r'ID="([^"]+)",CLASS="[^"]+",START-DATE="([^"]+)"', Playlists(window).text())
    assert ids == [
        ("pin-1", "2023-11-14T22:13:25.000Z"),
        ("pin-1.1", "2023-11-14T22:13:50.000Z"),
        ("tag-1", "2023-11-14T22:13:50.000Z"),
    ]


def events_of(text):
    read_mpd(text)
    root = ET.fromstring(text)
    found = []
    for period in root.iter(f"{NS}Period"):
        start_s = float(period.get("start")[2:-1])
        for stream in period.iter(f"{NS}EventStream"):
            assert stream.get("schemeIdUri") == SCHEME
            scale = int(stream.get("timescale"))
            offset = int(stream.get("presentationTimeOffset"))
            for event in stream:
                at_s = start_s + (int(event.get("presentationTime")) - offset) / scale
                found.append((round(at_s, 3), event.get("duration"), json.loads(event.text)))
        assert next(iter(period)).tag in {f"{NS}EventStream", f"{NS}AdaptationSet"}
    ids = [event[2]["id"] for event in found]
    assert len(ids) == len(set(ids))
    return found


def live_events(window):
    presentation = window.presentation()
    text = live_mpd(
        presentation,
        now_wall_s=WALL_S + 60,
        time_url="../time",
        cues=window.cues,
        spans=window.spans.all,
    )
    return events_of(text)


def test_cues_in_a_live_mpd():
    """ISO/IEC 23009-1, 5.10.2: presentationTime - presentationTimeOffset from the Period's start,
    and the Period starts are on the clock whose zero is availabilityStartTime."""
    window = window_of(JournalScript(kinds=("video", "audio")), 3)
    window.show((tag(3.25), pin(4.0)))
    assert live_events(window) == [
        (3.25, "10000", {"id": "tag-1", "kind": "tag", "productId": PRODUCT, "x": 0.25, "y": 0.5}),
        (4.0, None, {"id": "pin-1", "kind": "pin", "productId": PRODUCT}),
    ]


def test_an_event_is_told_ahead_of_the_segment_that_still_grows():
    script = JournalScript(parts=4, part_s=0.5)
    window = window_of(script, 2)
    window.show((tag(4.75),))
    assert live_events(window) == []
    for index in range(2):
        window.apply(script.part(index))
    assert [event[0] for event in live_events(window)] == [4.75]


def test_events_keep_their_time_while_the_window_moves_on():
    script = JournalScript()
    window = window_of(script, 4, dvr_window_s=12.0)
    window.show((tag(1.0), pin(6.5)))
    before = live_events(window)
    window.apply(script.segments(12))
    assert window.rendition("video").segments[0].msn > 0
    (after,) = live_events(window)
    assert after == next(event for event in before if event[2]["kind"] == "pin")


def test_events_where_the_sound_begins_before_the_picture():
    """The MPD begins with the picture: what was shown before begins there under its own name."""
    script = JournalScript(kinds=("video", "audio"))
    window = LiveWindow(600)
    window.apply(script.start())
    script.position = {"video": 6_030, "audio": 2_208}
    window.apply(script.segments(3))
    window.show((pin(-5.0), tag(0.05), tag(3.25, "tag-2")))
    assert [(at, message["id"]) for at, _, message in live_events(window)] == [
        (0.0, "pin-1"),
        (0.0, "tag-1"),
        (3.183, "tag-2"),
    ]


def test_events_of_two_periods():
    script = JournalScript()
    window = window_of(script, 3)
    window.show((pin(5.0), tag(20.0)))
    window.apply(script.start("encoder reconnected", WALL_S + 30.0))
    window.apply(script.segments(2))
    assert [(at, shown, message["id"]) for at, shown, message in live_events(window)] == [
        (5.0, "1000", "pin-1"),
        (30.0, None, "pin-1.p1"),
        (30.0, "10000", "tag-1"),
    ]


def test_a_recording_tells_its_cues_on_its_own_time():
    script = JournalScript()
    window = window_of(script, 3)
    window.apply(script.start("encoder reconnected", WALL_S + 30.0))
    window.apply(script.segments(2))
    window.apply([StreamFinished(reason="ended")])
    cues = (tag(4.5), tag(31.0, "tag-2"), tag(99.0, "tag-3"))
    events = events_of(vod_mpd(window.presentation(), "x/", cues))
    # six seconds of media, then those from 30 s on
    assert [(at, message["id"]) for at, _, message in events] == [
        (4.5, "tag-1"),
        (7.0, "tag-2"),
        (9.9, "tag-3"),
    ]


class Kept:
    """A store that keeps what it is given."""

    def __init__(self):
        self.objects = {}

    async def put_bytes(self, key, data, _kind):
        self.objects[key] = data.decode()


async def test_a_recordings_playlists_tell_its_cues():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 3)
    window.apply([StreamFinished(reason="ended")])
    store = Kept()
    assert await publish_vod("s", window.presentation(), store, cues=(tag(4.5), pin(1.0, 3.0)))
    for name in ("video", "audio"):
        lines = store.objects[f"vods/s/{name}.m3u8"].splitlines()
        ranges = [line for line in lines if line.startswith("#EXT-X-DATERANGE")]
        assert len(ranges) == 2
        assert 'START-DATE="2023-11-14T22:13:24.500Z"' in ranges[0]
        assert lines[-1] == "#EXT-X-ENDLIST"
    assert len(events_of(store.objects["vods/s.mpd"])) == 2


def test_a_cue_of_now_is_put_where_the_media_are():
    """An encoder's clock that has left ours by minutes still meets the newest frame."""
    window = window_of(JournalScript(), 3)  # to 6 s
    assert window.moment_s(WALL_S + 6.3) == WALL_S + 6.3
    assert window.moment_s(WALL_S + 200.0) == WALL_S + 7.0
    assert window.moment_s(WALL_S - 200.0) == WALL_S + 6.0
    assert LiveWindow(60).moment_s(WALL_S) == WALL_S
