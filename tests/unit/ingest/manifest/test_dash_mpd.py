"""MPDs, parsed and held against ISO/IEC 23009-1 and the DASH-IF live guidelines."""

import re
from copy import deepcopy
from datetime import datetime

import pytest
from lxml import etree

from ingest.journal_entries import SegmentWritten, StreamFinished
from ingest.manifest.dash_mpd import live_mpd, vod_mpd
from ingest.window.live_window import LiveWindow
from tests.support.media_values import WALL_S, JournalScript

NS = "{urn:mpeg:dash:schema:mpd:2011}"
DURATION = re.compile(r"PT(\d+\.\d{3})S")

# The parts of the MPD schema that are in use: allowed attributes, those that are required, and
# the children in their order (ISO/IEC 23009-1 §5.3, DASH-MPD.xsd).
SCHEMA = {
    "MPD": (
        {
            "profiles", "type", "availabilityStartTime", "publishTime", "minimumUpdatePeriod",
            "timeShiftBufferDepth", "suggestedPresentationDelay", "maxSegmentDuration",
            "minBufferTime", "mediaPresentationDuration",
        },
        {"profiles", "minBufferTime"},
        ["Period", "UTCTiming"],
    ),
    "Period": ({"id", "start", "duration"}, set(), ["AdaptationSet"]),
    "AdaptationSet": (
        {"id", "contentType", "mimeType", "segmentAlignment", "startWithSAP"},
        set(),
        ["Representation"],
    ),
    "Representation": (
        {"id", "bandwidth", "codecs", "width", "height", "audioSamplingRate"},
        {"id", "bandwidth"},
        ["AudioChannelConfiguration", "SegmentTemplate"],
    ),
    "AudioChannelConfiguration": ({"schemeIdUri", "value"}, {"schemeIdUri"}, []),
    "SegmentTemplate": (
        {
            "timescale", "presentationTimeOffset", "initialization", "media", "startNumber",
        },
        set(),
        ["SegmentTimeline"],
    ),
    "SegmentTimeline": (set(), set(), ["S"]),
    "S": ({"t", "d", "r"}, {"d"}, []),
    "UTCTiming": ({"schemeIdUri", "value"}, {"schemeIdUri"}, []),
}  # fmt: skip


def parsed(text):
    root = etree.fromstring(text.encode())
    for element in root.iter():
        name = element.tag.removeprefix(NS)
        allowed, required, children = SCHEMA[name]
        assert required <= set(element.attrib) <= allowed, name
        order = [children.index(child.tag.removeprefix(NS)) for child in element]
        assert order == sorted(order), name
    assert root.get("profiles") == "urn:mpeg:dash:profile:isoff-live:2011"
    ids = [r.get("id") for r in root.iter(f"{NS}Period")]
    assert len(ids) == len(set(ids))  # §5.3.2: unique within the presentation
    return root


def live(window, now_s=WALL_S + 60):
    return parsed(live_mpd(window.presentation(), now_wall_s=now_s, time_url="../time"))


def vod(window, base=""):
    return parsed(vod_mpd(window.presentation(), base))


def window_of(script, segments=0, dvr_window_s=600.0):
    window = LiveWindow(dvr_window_s)
    window.apply(script.start())
    window.apply(script.segments(segments))
    return window


def seconds(text):
    return float(DURATION.fullmatch(text)[1])


def period_starts(root):
    return [seconds(p.get("start")) for p in root.iter(f"{NS}Period")]


def timelines(root):
    """For each Representation, over all Periods: {number: (start, duration)} in ticks."""
    found = {}
    for template in root.iter(f"{NS}SegmentTemplate"):
        rows = found.setdefault(template.getparent().get("id"), {})
        number, at = int(template.get("startNumber")), 0
        for s in template.iter(f"{NS}S"):
            at = int(s.get("t", at))
            for _ in range(int(s.get("r", "0")) + 1):
                assert number not in rows
                rows[number] = (at, int(s.get("d")))
                number, at = number + 1, at + int(s.get("d"))
    return found


def announced(window):
    """The same of the window's own segments."""
    found = {}
    for rendition in window.presentation().renditions:
        for segment in rendition.segments:
            if segment.finished and not segment.gap:
                rows = found.setdefault(rendition.name, {})
                rows[segment.msn] = (segment.start_ticks, segment.duration_ticks)
    return found


def wall_times(root):
    """When a player shows each segment (§5.3.9.6): availability start + Period start + what the
    timeline has behind @presentationTimeOffset, for each Representation by number."""
    started_s = datetime.fromisoformat(root.get("availabilityStartTime")).timestamp()
    found = {}
    for period in root.iter(f"{NS}Period"):
        for template in period.iter(f"{NS}SegmentTemplate"):
            one = etree.Element("one")
            one.append(deepcopy(template.getparent()))
            scale, offset = (
                int(template.get(name)) for name in ("timescale", "presentationTimeOffset")
            )
            for name, rows in timelines(one).items():
                times = found.setdefault(name, {})
                for number, (at, _) in rows.items():
                    times[number] = started_s + seconds(period.get("start")) + (at - offset) / scale
    return found


def assert_in_place(root, window):
    """Every segment is shown at the wall time that it has."""
    times = wall_times(root)
    assert {name: set(rows) for name, rows in times.items()} == {
        name: set(rows) for name, rows in announced(window).items()
    }
    for rendition in window.presentation().renditions:
        for segment in rendition.segments:
            if segment.msn in times[rendition.name]:
                expected = pytest.approx(segment.wall_s, abs=0.002)
                assert times[rendition.name][segment.msn] == expected


# --- live -------------------------------------------------------------------------------------


def test_a_live_manifest_is_dynamic_and_says_when_to_ask_again():
    """§5.3.1.2: a dynamic MPD "shall" have availabilityStartTime and publishTime."""
    script = JournalScript(kinds=("video", "audio"))
    root = live(window_of(script, 5))
    assert root.get("type") == "dynamic"
    assert root.get("availabilityStartTime") == "2023-11-14T22:13:20.000Z"
    assert root.get("publishTime") == "2023-11-14T22:14:20.000Z"
    assert seconds(root.get("minimumUpdatePeriod")) <= 2
    assert seconds(root.get("timeShiftBufferDepth")) == 10
    assert seconds(root.get("maxSegmentDuration")) >= 2
    assert root.get("mediaPresentationDuration") is None
    timing = root.find(f"{NS}UTCTiming")
    assert (timing.get("schemeIdUri"), timing.get("value")) == (
        "urn:mpeg:dash:utc:http-iso:2014",
        "../time",
    )


def test_each_track_is_an_adaptation_set_with_what_a_player_needs_to_choose():
    script = JournalScript(kinds=("video", "audio"))
    root = live(window_of(script, 2))
    video, audio = root.iter(f"{NS}AdaptationSet")
    assert [video.get("contentType"), video.get("mimeType")] == ["video", "video/mp4"]
    assert [audio.get("contentType"), audio.get("mimeType")] == ["audio", "audio/mp4"]
    assert [s.get("segmentAlignment") for s in (video, audio)] == ["true", "true"]
    picture, sound = root.iter(f"{NS}Representation")
    assert dict(picture.attrib) == {
        "id": "video", "bandwidth": "16000", "codecs": "avc1.64001f",
        "width": "1280", "height": "720",
    }  # fmt: skip
    assert dict(sound.attrib) == {
        "id": "audio", "bandwidth": "16000", "codecs": "mp4a.40.2", "audioSamplingRate": "48000",
    }  # fmt: skip
    assert sound.find(f"{NS}AudioChannelConfiguration").get("value") == "2"


def test_media_have_the_names_that_hls_gives_them():
    script = JournalScript(kinds=("video", "audio"))
    templates = [
        (t.get("initialization"), t.get("media"))
        for t in live(window_of(script, 1)).iter(f"{NS}SegmentTemplate")
    ]
    assert templates == [
        ("video/init-0.mp4", "video/segment-$Number$.m4s"),
        ("audio/init-1.mp4", "audio/segment-$Number$.m4s"),
    ]


def test_equal_segments_are_one_row_of_the_timeline():
    script = JournalScript()
    (row,) = live(window_of(script, 7)).iter(f"{NS}S")
    assert dict(row.attrib) == {"t": "0", "d": "180000", "r": "6"}


@pytest.mark.parametrize("shape", [[4, 4, 4], [4, 3, 3, 4], [1, 2, 3], [4]])
@pytest.mark.parametrize("trimmed", [False, True])
def test_the_timeline_adds_up_to_what_was_announced(shape, trimmed):
    """§5.3.9.6: an S without @t starts where the one before ended, @r repeats it."""
    script = JournalScript(kinds=("video", "audio"))
    window = LiveWindow(12 if trimmed else 600)
    window.apply(script.start())
    if trimmed:
        window.apply(script.segments(20))
    for parts in shape:
        window.apply(script.segment(parts))
    root = live(window)
    assert timelines(root) == announced(window)
    assert_in_place(root, window)


def test_only_finished_segments_are_listed():
    """DASH-IF: what the timeline lists is available now."""
    script = JournalScript()
    window = window_of(script, 2)
    window.apply(script.part(0))
    assert list(timelines(live(window))["video"]) == [0, 1]


def test_a_gap_at_the_end_of_a_period_is_left_out():
    script = JournalScript()
    window = window_of(script, 2)
    window.apply(script.gap(2.0))
    window.apply(script.start("again", wall_s=WALL_S + 100))
    window.apply(script.segment())
    assert timelines(live(window)) == announced(window)


@pytest.mark.parametrize("kinds", [("video",), ("video", "audio")])
def test_a_gap_in_the_middle_does_not_shift_the_numbers_behind_it(kinds):
    script = JournalScript(kinds=kinds)
    window = window_of(script, 2)
    window.apply(script.gap(2.0))
    window.apply(script.segments(2))
    assert timelines(live(window)) == announced(window)
    assert_in_place(live(window), window)
    assert timelines(vod(window)) == announced(window)


def test_a_gap_of_one_track_leaves_the_other_whole():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 2)
    for _ in range(2):
        gaps = {e.rendition: e for e in deepcopy(script).gap(2.0)}
        window.apply([e for e in script.segment() if e.rendition == "video"] + [gaps["audio"]])
    window.apply(script.segments(2))
    root = live(window)
    assert sorted(timelines(root)["video"]) == [0, 1, 2, 3, 4, 5]
    assert sorted(timelines(root)["audio"]) == [0, 1, 4, 5]
    assert_in_place(root, window)


def test_a_discontinuity_is_a_period_that_starts_at_its_own_time():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 2)
    window.apply(script.start("again", wall_s=WALL_S + 30.5))
    window.apply(script.segments(2))
    root = live(window)
    assert period_starts(root) == [0.0, 30.5]
    assert timelines(root) == announced(window)
    assert_in_place(root, window)
    assert [t.get("startNumber") for t in root.iter(f"{NS}SegmentTemplate")] == ["0", "0", "2", "2"]


def test_the_availability_start_does_not_change_while_the_stream_lives():
    """§5.4.1: an updated MPD has the same availabilityStartTime, and a Period that it still has
    keeps its start."""
    script = JournalScript()
    window = window_of(script, 2, dvr_window_s=12)
    window.apply(script.start("again", wall_s=WALL_S + 30))
    window.apply(script.segments(1))
    before = live(window)
    window.apply(script.segments(12))
    after = live(window)
    assert after.get("availabilityStartTime") == before.get("availabilityStartTime")
    assert period_starts(after)[-1] == period_starts(before)[-1]


@pytest.mark.parametrize("dvr_window_s", [0.0, 20.0])
def test_what_a_manifest_said_of_a_period_stays_true_in_the_next(dvr_window_s):
    """§5.4.1: over updates a Period keeps its id, its start and the meaning of its times, while
    tracks come, fall silent and go, and old segments leave the window."""
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 1, dvr_window_s=dvr_window_s)
    said = {}
    for turn in range(60):
        if turn % 20 == 19:
            window.apply(script.start("again", wall_s=WALL_S + 3 * turn))
        entries = script.segment()
        if turn % 10 in {3, 4, 5}:  # the sound is away
            gaps = [
                SegmentWritten(
                    rendition=e.rendition, msn=e.msn, init=e.init, start=e.start,
                    duration=e.duration, size=0, parts=0,
                )
                for e in entries
                if isinstance(e, SegmentWritten) and e.rendition == "audio"
            ]  # fmt: skip
            entries = [e for e in entries if e.rendition == "video"] + gaps
        window.apply(entries)
        root = live(window)
        assert_in_place(root, window)
        now = {"start": root.get("availabilityStartTime")}
        for period in root.iter(f"{NS}Period"):
            now[period.get("id")] = (
                period.get("start"),
                [t.get("presentationTimeOffset") for t in period.iter(f"{NS}SegmentTemplate")],
            )
        assert {name: said[name] for name in now if name in said} == {
            name: now[name] for name in now if name in said
        }
        said |= now


def test_a_segment_is_not_listed_before_the_time_at_which_it_is_available():
    """A player computes availability as AST + Period start + segment end, and none is earlier
    than what the wall clock said when the segment was finished."""
    script = JournalScript()
    root = live(window_of(script, 3))
    (rows,) = timelines(root).values()
    end_s = max(start + duration for start, duration in rows.values()) / 90_000
    assert period_starts(root)[0] + end_s == 6.0


def test_switching_points_are_promised_only_where_segments_start_with_a_keyframe():
    script = JournalScript()
    window = window_of(script, 1)
    assert live(window).find(f".//{NS}AdaptationSet").get("startWithSAP") == "1"
    window.apply(script.part(0, independent=False) + script.close(1))
    assert live(window).find(f".//{NS}AdaptationSet").get("startWithSAP") is None


def test_a_stream_without_media_has_no_periods():
    root = parsed(live_mpd(LiveWindow(60).presentation(), now_wall_s=WALL_S, time_url="t"))
    assert list(root.iter(f"{NS}Period")) == []


PICTURES_LATER = 6_030  # two pictures of 1/30 s and some, at 90 kHz
SOUND_LATER = 2_208  # 46 ms at 48 kHz


def script_from(picture, sound):
    """A script, its first Period's entries, and where its tracks begin behind media time 0."""
    script = JournalScript(kinds=("video", "audio"))
    entries = script.start()
    script.position["video"] += picture
    script.position["audio"] += sound
    return script, entries


def begins(root):
    """What the first Period begins with: its start, and the media time there by track."""
    period = next(root.iter(f"{NS}Period"))
    templates = period.iter(f"{NS}SegmentTemplate")
    offsets = [int(t.get("presentationTimeOffset")) / int(t.get("timescale")) for t in templates]
    return period.get("start"), offsets


@pytest.mark.parametrize(
    ("picture", "sound", "expected_s"),
    [
        pytest.param(PICTURES_LATER, SOUND_LATER, 0.067, id="reordered: the first picture"),
        pytest.param(90_000, SOUND_LATER, 0.046, id="a second late: the first sound"),
        pytest.param(900, SOUND_LATER, 0.01, id="sound later: still the first picture"),
    ],
)
def test_a_live_stream_begins_at_zero(picture, sound, expected_s):
    """§5.3.9.6: players that begin at 0 need not seek; every segment keeps its wall time."""
    script, entries = script_from(picture, sound)
    window = LiveWindow(600)
    window.apply(entries + script.segments(2))
    root = live(window)
    assert begins(root) == ("PT0.000S", pytest.approx([expected_s, expected_s]))
    started_s = datetime.fromisoformat(root.get("availabilityStartTime")).timestamp()
    assert started_s == pytest.approx(WALL_S + expected_s, abs=0.0005)
    assert_in_place(root, window)


def test_where_a_stream_begins_stays_while_its_window_moves_on_and_is_read_again():
    """§5.4.1: also behind a Discontinuity, and when the daemon reads the journal anew."""
    script, entries = script_from(PICTURES_LATER, SOUND_LATER)
    first, later = entries + script.segments(2), script.segments(12)
    again = script.start("again", wall_s=WALL_S + 60) + script.segments(2)
    window, read_again = LiveWindow(12), LiveWindow(12)
    window.apply(first)
    before = live(window)
    window.apply(later)
    moved = live(window)
    assert window.rendition("video").segments[0].msn > 0
    assert begins(moved) == begins(before)
    window.apply(again)
    read_again.apply(first + later + again)
    for root in (moved, live(window), live(read_again)):
        assert root.get("availabilityStartTime") == "2023-11-14T22:13:20.067Z"
    assert period_starts(live(window)) == [0.0, 59.933]
    assert_in_place(live(window), window)


# --- recordings -------------------------------------------------------------------------------


def test_a_recording_is_static_with_its_duration():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 3)
    window.apply([StreamFinished(reason="host")])
    root = vod(window, "show/")
    assert root.get("type") == "static"
    assert seconds(root.get("mediaPresentationDuration")) == 6.0
    assert root.get("availabilityStartTime") is None
    assert root.find(f"{NS}UTCTiming") is None
    (period,) = root.iter(f"{NS}Period")
    assert (period.get("start"), period.get("duration")) == ("PT0.000S", "PT6.000S")
    assert {t.get("media") for t in root.iter(f"{NS}SegmentTemplate")} == {
        "show/video/segment-$Number$.m4s",
        "show/audio/segment-$Number$.m4s",
    }


def test_the_periods_of_a_recording_follow_each_other_without_a_pause():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 2)
    window.apply(script.start("again", wall_s=WALL_S + 500))
    window.apply(script.segments(3))
    root = vod(window)
    assert period_starts(root) == [0.0, 4.0]
    assert [seconds(p.get("duration")) for p in root.iter(f"{NS}Period")] == [4.0, 6.0]
    assert seconds(root.get("mediaPresentationDuration")) == 10.0
    assert timelines(root) == announced(window)


@pytest.mark.parametrize(
    ("picture", "expected_s"),
    [
        pytest.param(
            6_030, 0.067, id="reordered: from the first picture on, all tracks have media"
        ),
        pytest.param(90_000, 0.046, id="a second late: from the first sound on"),
    ],
)
def test_a_recordings_period_starts_where_its_media_do(picture, expected_s):
    """§5.3.9.6: @presentationTimeOffset is what of the media timeline falls on the Period start;
    the offset between the tracks stays."""
    script = JournalScript(kinds=("video", "audio"))
    window = LiveWindow(600)
    window.apply(script.start())
    script.position["video"] += picture  # shown so much behind media time 0
    script.position["audio"] += 2_208  # heard 46 ms behind it
    window.apply(script.segments(2))
    offsets = [
        int(t.get("presentationTimeOffset")) / int(t.get("timescale"))
        for t in vod(window).iter(f"{NS}SegmentTemplate")
    ]
    assert offsets == pytest.approx([expected_s, expected_s])
