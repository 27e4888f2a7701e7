"""The rules of Low-Latency HLS, checked on the playlists of a running stream.

A reader of its own, so that nothing is checked with the code that wrote it. Each rule names its
clause of RFC 8216 or of draft-pantos-hls-rfc8216bis ("bis").
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_ROUNDING_S = 0.002


def attributes(text: str) -> dict[str, str]:
    """An attribute list (RFC 8216 §4.2)."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


@dataclass
class Part:
    uri: str
    duration_s: float
    independent: bool


@dataclass
class Segment:
    msn: int
    uri: str | None = None  # None while it grows
    duration_s: float = 0.0
    wall: datetime | None = None
    discontinuity: bool = False
    gap: bool = False
    map_uri: str | None = None
    parts: list[Part] = field(default_factory=list)


@dataclass
class Playlist:
    text: str
    version: int = 1
    target_s: int = 0
    part_target_s: float = 0.0
    media_sequence: int = 0
    discontinuity_sequence: int = 0
    control: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    hint: str | None = None
    reports: list[dict[str, str]] = field(default_factory=list)
    skipped: int = 0
    ended: bool = False
    independent_segments: bool = False
    start_s: float | None = None

    @property
    def last(self) -> Segment:
        return self.segments[-1]

    @property
    def finished(self) -> list[Segment]:
        return [segment for segment in self.segments if segment.uri]


def read_playlist(text: str) -> Playlist:  # noqa: PLR0912  one line per tag
    """A Media Playlist; raises AssertionError where it breaks the syntax."""
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U", "RFC 8216 §4.3.1.1"
    playlist = Playlist(text)
    open_segment: Segment | None = None
    map_uri = None

    def segment() -> Segment:
        nonlocal open_segment
        if open_segment is None:
            number = playlist.media_sequence + playlist.skipped + len(playlist.segments)
            open_segment = Segment(number, map_uri=map_uri)
            playlist.segments.append(open_segment)
        return open_segment

    for line in lines[1:]:
        tag, _, value = line.partition(":")
        match tag:
            case "#EXT-X-VERSION":
                playlist.version = int(value)
            case "#EXT-X-TARGETDURATION":
                playlist.target_s = int(value)
            case "#EXT-X-PART-INF":
                playlist.part_target_s = float(attributes(value)["PART-TARGET"])
            case "#EXT-X-MEDIA-SEQUENCE":
                playlist.media_sequence = int(value)
            case "#EXT-X-DISCONTINUITY-SEQUENCE":
                playlist.discontinuity_sequence = int(value)
            case "#EXT-X-SERVER-CONTROL":
                playlist.control = attributes(value)
            case "#EXT-X-SKIP":
                playlist.skipped = int(attributes(value)["SKIPPED-SEGMENTS"])
            case "#EXT-X-START":
                assert playlist.start_s is None, "bis §4.4.2: EXT-X-START MUST NOT appear twice"
                playlist.start_s = float(attributes(value)["TIME-OFFSET"])
            case "#EXT-X-INDEPENDENT-SEGMENTS":
                playlist.independent_segments = True
            case "#EXT-X-MAP":
                map_uri = attributes(value)["URI"]
                segment().map_uri = map_uri
            case "#EXT-X-DISCONTINUITY":
                segment().discontinuity = True
            case "#EXT-X-PROGRAM-DATE-TIME":
                segment().wall = datetime.fromisoformat(value)
            case "#EXT-X-GAP":
                segment().gap = True
            case "#EXT-X-PART":
                part = attributes(value)
                independent = part.get("INDEPENDENT") == "YES"
                segment().parts.append(Part(part["URI"], float(part["DURATION"]), independent))
            case "#EXTINF":
                segment().duration_s = float(value.rstrip(","))
            case "#EXT-X-PRELOAD-HINT":
                hint = attributes(value)
                assert hint["TYPE"] == "PART"
                playlist.hint = hint["URI"]
            case "#EXT-X-RENDITION-REPORT":
                playlist.reports.append(attributes(value))
            case "#EXT-X-ENDLIST":
                playlist.ended = True
            case _ if line and not line.startswith("#"):
                segment().uri = line
                open_segment = None
    return playlist


def check_playlist(playlist: Playlist) -> None:
    """Rules that one playlist must keep by itself."""
    target_s, part_s = playlist.target_s, playlist.part_target_s
    control = playlist.control
    assert playlist.version >= 6, "bis §8: EXT-X-MAP"
    assert not playlist.skipped or playlist.version >= 9, "bis §8: EXT-X-SKIP"
    assert control["CAN-BLOCK-RELOAD"] == "YES", "bis §6.2.5.2"
    assert float(control["HOLD-BACK"]) >= 3 * target_s, "bis §4.4.3.8"
    assert float(control["PART-HOLD-BACK"]) >= 3 * part_s - _ROUNDING_S, "bis §4.4.3.8"
    assert float(control["CAN-SKIP-UNTIL"]) >= 6 * target_s, "bis §4.4.3.8"
    for segment in playlist.finished:
        assert round(segment.duration_s) <= target_s, "RFC 8216 §4.3.3.1"
    for segment in playlist.segments:
        _check_parts(segment, part_s)
        assert segment.map_uri or playlist.skipped, "RFC 8216 §4.3.2.5"
    first_wall = [segment.wall for segment in playlist.segments]
    assert all(first_wall), "RFC 8216 §4.3.2.6"
    listed_s = 0.0
    for segment in reversed(playlist.segments):
        # a part's segment may reach over the limit; the one behind it may not
        assert listed_s <= 3 * target_s + target_s or not segment.parts, "bis §6.2.2"
        listed_s += segment.duration_s or sum(part.duration_s for part in segment.parts)
    assert playlist.hint or playlist.ended, "bis §4.4.5.3"
    if playlist.start_s is not None:
        assert -playlist.start_s >= float(control["PART-HOLD-BACK"]), "bis §4.4.2.2"
        assert playlist.skipped or -playlist.start_s <= listed_s + _ROUNDING_S, "bis §4.4.2.2"


def _check_parts(segment: Segment, part_target_s: float) -> None:
    last = len(segment.parts) - 1
    for index, part in enumerate(segment.parts):
        assert part.duration_s <= part_target_s + _ROUNDING_S, "bis §4.4.4.9"
        if index != last:
            assert part.duration_s >= 0.85 * part_target_s - _ROUNDING_S, "bis §4.4.4.9"
    if segment.uri and segment.parts:
        total_s = sum(part.duration_s for part in segment.parts)
        # FLV's milliseconds and audio frames leave a rest
        assert abs(total_s - segment.duration_s) <= 0.03, "bis §4.4.4.9: parts make the segment"


def check_succession(before: Playlist, after: Playlist) -> None:
    """What a playlist may not change (RFC 8216 §6.2.1, §6.2.2; bis §6.2.2)."""
    assert after.target_s == before.target_s, "RFC 8216 §4.3.3.1: TARGETDURATION must not change"
    assert after.part_target_s == before.part_target_s, "bis §4.4.3.7"
    assert after.media_sequence >= before.media_sequence, "RFC 8216 §6.2.2"
    known = {segment.msn: segment for segment in before.segments}
    for segment in after.segments:
        old = known.get(segment.msn)
        if old is None:
            continue
        _check_same(old, segment)
    removed = after.media_sequence - before.media_sequence
    gone = [s for s in before.segments if s.msn < after.media_sequence]
    assert removed <= len(before.segments), "RFC 8216 §6.2.2: no number is left out"
    crossed = sum(s.discontinuity for s in before.segments[1 : len(gone) + 1])
    grown = after.discontinuity_sequence - before.discontinuity_sequence
    assert grown in {crossed, crossed + 1} or grown == 0, "RFC 8216 §6.2.2"


def _check_same(old: Segment, new: Segment) -> None:
    assert new.wall == old.wall, "RFC 8216 §6.2.1: what was said stays"
    if old.uri:
        assert (new.uri, new.duration_s) == (old.uri, old.duration_s), "RFC 8216 §6.2.1"
    if new.parts:
        told = [(part.uri, part.duration_s) for part in old.parts]
        assert [(p.uri, p.duration_s) for p in new.parts][: len(told)] == told, "bis §6.2.1"


def apply_delta(full: Playlist, delta: Playlist) -> list[tuple[int, str | None]]:
    """What a client has after a delta update on top of `full` (bis §6.3.7)."""
    first = delta.media_sequence
    kept = [s for s in full.segments if first <= s.msn < first + delta.skipped]
    assert len(kept) == delta.skipped, "bis §6.2.5.1: only what the client has is skipped"
    return [(s.msn, s.uri) for s in (*kept, *delta.segments)]
