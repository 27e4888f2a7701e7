"""Where the media of a stream begin: from the journal, for good, and known before any MPD is."""

import pytest

from ingest.journal_entries import SegmentWritten, StreamFinished
from ingest.window.live_window import LiveWindow
from ingest.window.stream_start import StreamStart
from tests.support.media_values import WALL_S, JournalScript

PICTURE_S = 0.067
SOUND_S = 0.046


@pytest.fixture
def script():
    return JournalScript(kinds=("video", "audio"))


def begun(script):
    """The entries of a Period whose tracks begin a little behind media time 0."""
    entries = script.start()
    script.position = {"video": 6_030, "audio": 2_208}
    return entries


def read(entries):
    start = StreamStart()
    for entry in entries:
        start.take(entry)
    return start


def only(name, entries):
    return [entry for entry in entries if getattr(entry, "rendition", name) == name]


def test_a_stream_without_media_begins_at_media_time_0(script):
    assert read([]).first_s == 0
    assert read(script.start()).first_s == 0


def test_it_is_known_once_every_track_has_begun(script):
    start = read(begun(script))
    parts = script.part(0)
    for entry in only("audio", parts):
        start.take(entry)
    assert start.first_s == 0
    for entry in only("video", parts):
        start.take(entry)
    assert start.first_s == pytest.approx(PICTURE_S)


async def test_nobody_is_answered_before(script):
    """The window has not started, and so has no MPD, as long as a track may still begin."""
    window = LiveWindow(60)
    window.apply(begun(script))
    whole = script.segment()
    window.apply(only("audio", whole))
    assert not await window.wait_started(0)
    window.apply(only("video", whole))
    assert await window.wait_started(0)
    assert window.presentation().begins_wall_s == pytest.approx(WALL_S + PICTURE_S)


def test_a_track_that_begins_with_a_gap_does_not_count(script):
    whole = begun(script) + script.segment()
    silent = [
        SegmentWritten(
            rendition="audio", msn=e.msn, init=e.init, start=0, duration=e.duration, size=0, parts=0
        )
        for e in whole
        if isinstance(e, SegmentWritten) and e.rendition == "audio"
    ]  # fmt: skip
    pictures = [e for e in whole[3:] if e.rendition == "video"]
    assert read(whole[:3] + silent + pictures).first_s == pytest.approx(PICTURE_S)


def test_sound_alone_begins_with_its_first_sample():
    script = JournalScript(kinds=("audio",))
    entries = script.start()
    script.position = {"audio": 2_208}
    assert read(entries + script.segment()).first_s == pytest.approx(SOUND_S)


@pytest.mark.parametrize("after", ["another Period", "the end"])
def test_what_is_over_is_settled(script, after):
    """A track that had nothing in the first Period changes nothing later."""
    entries = begun(script) + only("audio", script.segment())
    if after == "the end":
        entries.append(StreamFinished(reason="host"))
    else:
        entries += script.start("again", wall_s=WALL_S + 30) + script.segments(2)
    assert read(entries).first_s == pytest.approx(SOUND_S)


def test_nothing_moves_it_later(script):
    entries = begun(script) + script.segments(3)
    entries += script.start("again", wall_s=WALL_S + 30)
    script.position = {"video": 18_000, "audio": 9_600}
    assert read(entries + script.segments(3)).first_s == pytest.approx(PICTURE_S)
