"""Whole playlists, compared as text: what RFC 8216 and rfc8216bis demand of each line."""

import re

import pytest

from ingest.journal_entries import SegmentWritten, StreamFinished
from ingest.manifest.hls_playlist import media_playlist, multivariant_playlist, vod_playlist
from ingest.manifest.hls_tags import date_time
from ingest.window.live_window import LiveWindow
from tests.support.media_values import WALL_S, JournalScript


def window_of(script, segments=0, open_parts=0, dvr_window_s=60.0):
    window = LiveWindow(dvr_window_s)
    window.apply(script.start())
    window.apply(script.segments(segments))
    for index in range(open_parts):
        window.apply(script.part(index))
    return window


def video_of(window):
    return window.rendition("video")


LIVE = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,HOLD-BACK=6.000,PART-HOLD-BACK=1.575
#EXT-X-PART-INF:PART-TARGET=0.525
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="video/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXT-X-PART:DURATION=0.50000,URI="video/part-0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="video/part-1.m4s"
#EXTINF:1.00000,
video/segment-0.m4s
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:21.000Z
#EXT-X-PART:DURATION=0.50000,URI="video/part-2.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="video/part-3.m4s"
"""


def test_a_live_playlist():
    """rfc8216bis §4.4.3.8: HOLD-BACK "MUST be at least three times the Target Duration",
    PART-HOLD-BACK "MUST be at least twice the Part Target Duration" and three times is
    recommended, CAN-SKIP-UNTIL "MUST be at least six times the Target Duration"; §6.2.6: what is hinted "MUST be available for request". The second segment does
    not start with a keyframe, so there is no EXT-X-INDEPENDENT-SEGMENTS."""
    script = JournalScript(parts=2)
    window = window_of(script, 1)
    window.apply(script.part(0, independent=False))
    assert media_playlist(video_of(window)) == LIVE


TWO_PERIODS_AND_A_GAP = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,HOLD-BACK=6.000,PART-HOLD-BACK=6.300
#EXT-X-PART-INF:PART-TARGET=2.100
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="video/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXT-X-PART:DURATION=2.00000,URI="video/part-0.m4s",INDEPENDENT=YES
#EXTINF:2.00000,
video/segment-0.m4s
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.000Z
#EXT-X-GAP
#EXTINF:1.50000,
video/segment-1.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="video/init-1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:00.250Z
#EXT-X-PART:DURATION=2.00000,URI="video/part-1.m4s",INDEPENDENT=YES
#EXTINF:2.00000,
video/segment-2.m4s
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="video/part-2.m4s"
"""


def test_a_playlist_with_a_gap_and_a_discontinuity():
    """RFC 8216 §6.2.1: changes of encoding parameters or timing "MUST be signaled by the use of
    EXT-X-DISCONTINUITY"; absent media "MUST have EXT-X-GAP tags applied". §4.3.2.5: EXT-X-MAP
    applies until the next one, and the new Period has its own."""
    script = JournalScript(parts=1, part_s=2.0, part_target_s=2.1)
    window = window_of(script, 1)
    window.apply(script.gap(1.5))
    window.apply(script.start("encoder came back", wall_s=WALL_S + 40.25))
    window.apply(script.segment())
    assert media_playlist(video_of(window)) == TWO_PERIODS_AND_A_GAP


ENDED = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,HOLD-BACK=6.000,PART-HOLD-BACK=1.575
#EXT-X-PART-INF:PART-TARGET=0.525
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="/cdn/video/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXTINF:2.00000,
/cdn/video/segment-0.m4s
#EXT-X-ENDLIST
"""


def test_the_playlist_of_a_stream_that_has_ended():
    """RFC 8216 §6.2.1: with the final segment "the Playlist file MUST contain the EXT-X-ENDLIST
    tag"; nothing is hinted any more."""
    script = JournalScript()
    window = window_of(script, 1)
    window.apply([StreamFinished(reason="host")])
    assert media_playlist(video_of(window), base="/cdn/") == ENDED


VOD = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-MAP:URI="video/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXTINF:2.00000,
video/segment-0.m4s
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.000Z
#EXTINF:2.00000,
video/segment-1.m4s
#EXT-X-ENDLIST
"""


def test_the_playlist_of_a_recording():
    """RFC 8216 §4.3.3.5: VOD "indicates that the Playlist file MUST NOT change"."""
    script = JournalScript()
    assert vod_playlist(video_of(window_of(script, 2))) == VOD


MULTIVARIANT = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="show/audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=32000,AVERAGE-BANDWIDTH=32000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,AUDIO="audio"
show/video.m3u8
"""


def test_the_multivariant_playlist():
    """RFC 8216 §4.3.4.2: "Every EXT-X-STREAM-INF tag MUST include the BANDWIDTH attribute", the
    CODECS "MUST include every media format", the AUDIO value "MUST match the value of the GROUP-ID
    attribute of an EXT-X-MEDIA tag"."""
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 3)
    assert multivariant_playlist(window.presentation(), "show/") == MULTIVARIANT


def test_audio_alone_is_a_variant_of_its_own():
    script = JournalScript(kinds=("audio",))
    assert multivariant_playlist(window_of(script, 1).presentation()) == (
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=16000,AVERAGE-BANDWIDTH=16000,CODECS="mp4a.40.2"\n'
        "audio.m3u8\n"
    )


def long_gops(segments):
    """Segments of 1 s of which one in three begins with a keyframe."""
    window = LiveWindow(60.0)
    script = JournalScript(kinds=("video", "audio"), parts=2)
    window.apply(script.start())
    for number in range(segments):
        for index in range(2):
            window.apply(script.part(index, independent=number % 3 == 0 and index == 0))
        window.apply(script.close(2))
    return window


def start_offsets(window):
    video, audio = window.rendition("video"), window.rendition("audio")
    texts = (media_playlist(video, [audio]), media_playlist(audio, [video]))
    return [re.findall("#EXT-X-START:TIME-OFFSET=(.+)", text) for text in texts]


@pytest.mark.parametrize(("segments", "offset"), [(6, "-3.000"), (8, "-2.000"), (7, "-4.000")])
def test_players_are_shown_the_last_keyframe_when_few_segments_begin_with_one(segments, offset):
    """rfc8216bis §4.4.2.2: "A negative number indicates a negative time offset from the end of the
    last Media Segment in the Playlist or the end of the last Partial Segment"; it "SHOULD NOT be
    within" PART-HOLD-BACK of it."""
    window = long_gops(segments)
    assert start_offsets(window) == [[offset], [offset]]


def test_where_all_segments_begin_with_a_keyframe_and_after_the_end_players_choose():
    assert start_offsets(window_of(JournalScript(kinds=("video", "audio")), 7)) == [[], []]
    window = long_gops(7)
    window.apply([StreamFinished(reason="ended")])
    assert start_offsets(window) == [[], []]


def test_independent_segments_are_promised_only_when_all_are():
    script = JournalScript()
    window = window_of(script, 1)
    window.apply(script.part(0, independent=False))
    assert "INDEPENDENT-SEGMENTS" not in multivariant_playlist(window.presentation())
    assert "INDEPENDENT-SEGMENTS" not in media_playlist(video_of(window))


@pytest.mark.parametrize("open_parts", [0, 3])
def test_parts_of_old_segments_are_not_listed(open_parts):
    script = JournalScript()
    text = media_playlist(video_of(window_of(script, 12, open_parts)))
    before, _, after = text.partition("part-")
    assert before.count("#EXTINF") == 9  # three Target Durations of finished segments behind it
    assert after.count("#EXT-X-PART:") == 3 * 4 + open_parts - 1
    assert text.count("#EXT-X-PRELOAD-HINT") == 1


def test_sequence_numbers_follow_what_was_removed():
    """RFC 8216 §6.2.2: "If the server wishes to remove segments from a Media Playlist containing
    an EXT-X-DISCONTINUITY tag, the Media Playlist MUST contain an EXT-X-DISCONTINUITY-SEQUENCE
    tag"; it MUST NOT decrease, nor may the Media Sequence Number."""
    script = JournalScript()
    window = window_of(script, 2, dvr_window_s=12)
    told = []
    for period in range(4):
        if period:
            window.apply(script.start("again"))
        for _ in range(5):
            window.apply(script.segment())
            text = media_playlist(video_of(window))
            numbers = [
                int(re.search(rf"{tag}:(\d+)", text)[1])
                for tag in ("#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE")
            ]
            breaks = text.count("#EXT-X-DISCONTINUITY\n")
            assert numbers[1] + breaks == period
            told.append(numbers)
    assert told == sorted(told)
    assert told[-1][1] >= 2


def test_a_period_in_which_a_rendition_had_nothing_still_counts():
    """RFC 8216 §6.2.4: Discontinuity Sequence Numbers of renditions MUST match."""
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 1)
    window.apply(script.start("no sound"))
    window.apply([e for e in script.segment() if e.rendition == "video"])
    window.apply(script.start("sound again"))
    window.apply(script.segment())
    audio = media_playlist(window.rendition("audio"))
    assert audio.count("#EXT-X-DISCONTINUITY\n") == 2


def test_a_recording_whose_sound_came_in_the_second_period_matches_the_picture():
    script = JournalScript(kinds=("video", "audio"))
    window = LiveWindow(600)
    window.apply(script.start())
    window.apply([e for e in script.segment() if e.rendition == "video"])
    window.apply(script.start("sound"))
    window.apply(script.segment())
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in vod_playlist(window.rendition("audio"))
    assert "#EXT-X-DISCONTINUITY\n" in vod_playlist(window.rendition("video"))


def test_a_playlist_only_changes_at_its_ends():
    """RFC 8216 §6.2.1: "The server MUST NOT change the Media Playlist file, except to" append,
    to remove from the front, and to remove EXT-X-PART tags that are no longer at the live edge."""
    script = JournalScript()
    window = window_of(script, 1, dvr_window_s=12)

    def lines():
        text = media_playlist(video_of(window))
        body = text.partition("#EXT-X-MAP")[2].splitlines()[1:]
        return [line for line in body if not line.startswith(("#EXT-X-PART", "#EXT-X-PRELOAD"))]

    before = lines()
    for _ in range(20):
        for index in range(4):
            window.apply(script.part(index))
        window.apply(script.close())
        now = lines()
        removed = next(
            n for n in range(0, len(before) + 1, 3) if now[: len(before) - n] == before[n:]
        )
        assert removed in {0, 3}  # date, duration and name of at most one segment
        before = now


def test_the_target_duration_does_not_change_with_the_settings():
    """RFC 8216 §6.2.1: the value of EXT-X-TARGETDURATION "MUST NOT change"."""
    script = JournalScript()
    window = window_of(script, 1)
    script.target_duration_s = 4
    window.apply(script.start("restarted with other settings"))
    window.apply(script.segment())
    assert "#EXT-X-TARGETDURATION:2\n" in media_playlist(video_of(window))


def test_a_gap_at_the_end_is_a_segment_like_others():
    script = JournalScript()
    window = window_of(script, 1)
    window.apply(
        [
            SegmentWritten(
                rendition="video", msn=1, init=0, start=180_000, duration=0, size=0, parts=0
            )
        ]
    )
    assert vod_playlist(video_of(window)).endswith(
        "#EXT-X-GAP\n#EXTINF:0.00000,\nvideo/segment-1.m4s\n#EXT-X-ENDLIST\n"
    )


@pytest.mark.parametrize(
    ("wall_s", "expected"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.9996, "2023-11-14T22:13:20.999Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
    ],
)
def test_dates_are_in_utc_with_milliseconds(wall_s, expected):
    assert date_time(wall_s) == expected


# --- rendition reports and delta updates ------------------------------------------------------


def test_other_renditions_are_reported_on():
    """rfc8216bis §4.4.5.4: LAST-MSN and LAST-PART are those of the rendition's last segment, so
    that a client can switch to it without a round trip."""
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 2, open_parts=2)
    window.apply([e for e in script.part(2) if e.rendition == "audio"])
    text = media_playlist(video_of(window), [window.rendition("audio")], "base/")
    assert text.endswith('#EXT-X-RENDITION-REPORT:URI="base/audio.m3u8",LAST-MSN=2,LAST-PART=2\n')


def test_a_stream_that_has_ended_reports_nothing():
    script = JournalScript(kinds=("video", "audio"))
    window = window_of(script, 1)
    window.apply([StreamFinished(reason="host")])
    text = media_playlist(video_of(window), [window.rendition("audio")])
    assert "RENDITION-REPORT" not in text


def applied(before, delta):
    """What a client makes of a Playlist Delta Update and the playlist that it has: the segments
    that were skipped are its own, found by their Media Sequence Numbers."""
    skipped = int(re.search(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)\n", delta)[1])
    first = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", delta)[1])
    wanted = {f"video/segment-{msn}.m4s" for msn in range(first, first + skipped)}
    old, lines, kept = [], [], False
    for line in before.splitlines():
        kept = kept or line.startswith(("#EXT-X-MAP", "#EXT-X-PROGRAM-DATE-TIME"))
        if kept:
            lines.append(line)
        if line.startswith("video/"):
            if line in wanted:
                old += [one for one in lines if not one.startswith("#EXT-X-PART:")]
            lines = []
    head, _, tail = delta.partition(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n")
    return head + "\n".join(old) + "\n" + tail


def without_maps(text):
    return "\n".join(x for x in text.splitlines() if not x.startswith("#EXT-X-MAP"))


@pytest.mark.parametrize("between", [1, 3])
def test_a_delta_update_and_the_old_playlist_make_the_new_one(between):
    """rfc8216bis §6.2.5.1: segments "further from the end ... than the Skip Boundary" are
    replaced by EXT-X-SKIP, and "all tags that were not skipped MUST remain"."""
    script = JournalScript()
    window = window_of(script, 20)
    before = media_playlist(video_of(window))
    window.apply(script.segments(between))
    window.apply(script.part(0))
    whole = media_playlist(video_of(window))
    delta = media_playlist(video_of(window), skip=True)
    assert len(delta) < len(whole)
    assert without_maps(applied(before, delta)) == without_maps(whole)


def test_nothing_within_the_skip_boundary_is_skipped():
    """§4.4.3.8: the Skip Boundary is six Target Durations from the end of the last segment."""
    script = JournalScript()
    window = window_of(script, 10, open_parts=1)
    delta = media_playlist(video_of(window), skip=True)
    listed_s = 2.0 * delta.count("#EXTINF") + 0.5
    assert listed_s >= 12.0
    assert listed_s - 2.0 < 12.0 + 2.0
    assert f"SKIPPED-SEGMENTS={10 - delta.count('#EXTINF')}\n" in delta


def test_a_short_playlist_is_whole_even_when_a_delta_was_asked_for():
    script = JournalScript()
    window = window_of(script, 3)
    video = video_of(window)
    assert media_playlist(video, skip=True) == media_playlist(video)
