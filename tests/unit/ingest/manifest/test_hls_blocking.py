"""rfc8216bis §6.2.5.2, rule by rule."""

import pytest

from ingest.journal_entries import StreamFinished
from ingest.manifest.hls_blocking import (
    BadDirective,
    BlockingRequest,
    Decision,
    decide,
    parse_directives,
)
from ingest.window.live_window import LiveWindow
from tests.support.media_values import JournalScript

READY, WAIT, BAD = Decision.READY, Decision.WAIT, None


def rendition(open_parts: int, *, ended: bool = False):
    """Segments 5 to 12 finished with four parts each, and `open_parts` of segment 13."""
    script = JournalScript(msn=5, part_s=0.5, part_target_s=0.525)
    window = LiveWindow(60)
    window.apply(script.start() + script.segments(8))
    for index in range(open_parts):
        window.apply(script.part(index))
    if ended:
        window.apply([StreamFinished(reason="host")])
    return window.rendition("video")


def outcome(request, of):
    try:
        return decide(request, of)
    except BadDirective:
        return BAD


@pytest.mark.parametrize(
    ("msn", "part", "open_parts", "expected"),
    [
        # "the Server MUST defer responding to the request until the Playlist contains a Media
        # Segment with a Media Sequence Number of M or later": whole segments
        pytest.param(12, None, 0, READY, id="the newest segment is there"),
        pytest.param(11, None, 2, READY, id="an older segment"),
        pytest.param(13, None, 0, WAIT, id="the next segment"),
        pytest.param(13, None, 3, WAIT, id="parts of a segment are not the segment"),
        pytest.param(14, None, 3, WAIT, id="the segment behind the growing one"),
        # "until the Playlist contains the Partial Segment with Part Index N and with a Media
        # Sequence Number of M or later"
        pytest.param(13, 0, 0, WAIT, id="first part of the next segment"),
        pytest.param(13, 0, 1, READY, id="a part that is there"),
        pytest.param(13, 1, 1, WAIT, id="the next part"),
        pytest.param(13, 2, 1, WAIT, id="the part behind the next"),
        pytest.param(12, 3, 0, READY, id="the last part of a finished segment"),
        pytest.param(12, 0, 2, READY, id="a part of a segment that parts have left behind"),
        # "If the Client requests a Part Index greater than that of the final Partial Segment of
        # the Parent Segment, the Server MUST treat the request as one for Part Index 0 of the
        # following Parent Segment"
        pytest.param(12, 4, 0, WAIT, id="rolls over to a part that is not there"),
        pytest.param(12, 4, 1, READY, id="rolls over to a part that is there"),
        pytest.param(11, 9, 0, READY, id="rolls over to a finished segment"),
        # "The Server MUST deliver the entire Playlist, even if the requested Media Segment is not
        # the last one in the Playlist, and even if it is no longer in the Playlist"
        pytest.param(0, None, 0, READY, id="long gone"),
        pytest.param(0, 7, 0, READY, id="a part that is long gone"),
        # "If the _HLS_msn is greater than the Media Sequence Number of the last Media Segment in
        # the current Playlist plus two ... the server SHOULD immediately return Bad Request"
        pytest.param(14, None, 0, WAIT, id="two ahead"),
        pytest.param(15, None, 0, BAD, id="three ahead"),
        pytest.param(16, 0, 2, BAD, id="three ahead of the growing one"),
        pytest.param(10**14, None, 0, BAD, id="absurdly far ahead"),
    ],
)
def test_what_a_request_gets(msn, part, open_parts, expected):
    assert outcome(BlockingRequest(msn, part), rendition(open_parts)) is expected


@pytest.mark.parametrize(("part", "expected"), [(6, WAIT), (7, BAD), (1000, BAD)])
def test_a_part_beyond_the_advance_part_limit_is_refused(part, expected):
    """ "if the _HLS_part exceeds the last Partial Segment in the current Playlist by the Advance
    Part Limit": three divided by the Part Target Duration, 3 / 0.525 = 5.7 parts behind part 1."""
    assert outcome(BlockingRequest(13, part), rendition(2)) is expected


@pytest.mark.parametrize(("msn", "part"), [(13, None), (13, 5), (99, None), (99, 99)])
def test_directives_are_ignored_once_the_stream_has_ended(msn, part):
    """ "A Server MUST ignore _HLS_msn and _HLS_part if the Playlist contains an EXT-X-ENDLIST"."""
    assert decide(BlockingRequest(msn, part), rendition(2, ended=True)) is READY


@pytest.mark.parametrize(
    ("msn", "part", "expected"),
    [
        (None, None, None),
        ("0", None, BlockingRequest(0, None)),
        ("13", "0", BlockingRequest(13, 0)),
        ("007", "01", BlockingRequest(7, 1)),
    ],
)
def test_directives_are_decimal_integers(msn, part, expected):
    assert parse_directives(msn, part) == expected


@pytest.mark.parametrize(
    ("msn", "part"),
    [
        # "If the Playlist URI contains an _HLS_part directive but no _HLS_msn directive, the
        # Server MUST return Bad Request"
        pytest.param(None, "0", id="a part of nothing"),
        pytest.param("", None, id="empty"),
        pytest.param("1", "", id="empty part"),
        pytest.param("-1", None, id="negative"),
        pytest.param("+1", None, id="signed"),
        pytest.param("1.0", None, id="not whole"),
        pytest.param("0x1", None, id="hexadecimal"),
        pytest.param("1_0", None, id="Python's own separator"),
        pytest.param("\u0663", None, id="a digit, but not in ASCII"),
        pytest.param(" 1", None, id="blank"),
        pytest.param("1", "x", id="a part that is no number"),
        pytest.param("9" * 16, None, id="longer than any number that can be meant"),
    ],
)
def test_anything_else_is_a_bad_request(msn, part):
    with pytest.raises(BadDirective):
        parse_directives(msn, part)
