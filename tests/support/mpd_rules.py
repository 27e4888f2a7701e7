"""The rules of a live MPD, checked on those of a running stream.

A reader of its own, so that nothing is checked with the code that wrote it. Each rule names its
clause of ISO/IEC 23009-1 ("DASH"), or the section of the DASH-IF guidelines ("DASH-IF timing":
Guidelines for Implementation, timing model). The grammar states what the MPD schema says of the
elements that golive writes; anything else is an error.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from tests.support.fragments import read_chunks

NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"
_ROUNDING_S = 0.002
_FRAME_S = 0.05
_HOLE_PARTS = 50
_CONSTANT = (
    "availabilityStartTime",
    "profiles",
    "type",
    "minBufferTime",
    "minimumUpdatePeriod",
    "suggestedPresentationDelay",
    "maxSegmentDuration",
)
_DURATION = r"P(?:T(?:\d+H)?(?:\d+M)?\d+(?:\.\d+)?S)"
_DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_UNSIGNED = r"\d+"
_DECIMAL = r"\d+(\.\d+)?"
_TEXT = r".+"
_BOOLEAN = r"true|false"


@dataclass(frozen=True)
class _Grammar:
    """An element type of the schema: its attributes by pattern, its children in their order.

    `must` names attributes and children that have to be there, `text` what may be in it.
    """

    attributes: dict[str, str]
    children: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    text: str = ""


_GRAMMAR = {
    "MPD": _Grammar(  # DASH §5.3.1.3
        {
            "profiles": _TEXT,
            "type": r"dynamic|static",
            "availabilityStartTime": _DATE_TIME,
            "publishTime": _DATE_TIME,
            "minimumUpdatePeriod": _DURATION,
            "timeShiftBufferDepth": _DURATION,
            "suggestedPresentationDelay": _DURATION,
            "maxSegmentDuration": _DURATION,
            "minBufferTime": _DURATION,
            "mediaPresentationDuration": _DURATION,
        },
        ("Location", "ServiceDescription", "Period", "UTCTiming"),
        ("profiles", "minBufferTime", "Period"),
    ),
    "Location": _Grammar({}, text=r"\S+"),  # DASH §5.3.1.3
    "ServiceDescription": _Grammar({"id": _UNSIGNED}, ("Latency", "PlaybackRate")),  # DASH §K.4
    "Latency": _Grammar({"target": _UNSIGNED, "min": _UNSIGNED, "max": _UNSIGNED}),
    "PlaybackRate": _Grammar({"min": _DECIMAL, "max": _DECIMAL}),
    "Period": _Grammar(  # DASH §5.3.2.3
        {"id": _TEXT, "start": _DURATION, "duration": _DURATION},
        ("EventStream", "AdaptationSet"),
    ),
    "EventStream": _Grammar(  # DASH §5.10.2.2
        {
            "schemeIdUri": r"[a-z]+:.+",
            "value": _TEXT,
            "timescale": _UNSIGNED,
            "presentationTimeOffset": _UNSIGNED,
        },
        ("Event",),
        ("schemeIdUri",),
    ),
    "Event": _Grammar(
        {"presentationTime": _UNSIGNED, "duration": _UNSIGNED, "id": _UNSIGNED}, text=r"(?s).*"
    ),
    "AdaptationSet": _Grammar(  # DASH §5.3.3.3
        {
            "id": _UNSIGNED,
            "contentType": r"video|audio",
            "mimeType": r"(video|audio)/mp4",
            "segmentAlignment": _BOOLEAN,
            "startWithSAP": r"[0-6]",
        },
        ("Representation",),
        ("mimeType", "Representation"),
    ),
    "Representation": _Grammar(  # DASH §5.3.5.3
        {
            "id": r"\S+",
            "bandwidth": _UNSIGNED,
            "codecs": _TEXT,
            "width": _UNSIGNED,
            "height": _UNSIGNED,
            "audioSamplingRate": _UNSIGNED,
        },
        ("AudioChannelConfiguration", "SegmentTemplate"),
        ("id", "bandwidth", "codecs", "SegmentTemplate"),
    ),
    "AudioChannelConfiguration": _Grammar(  # DASH §5.8.5.4
        {"schemeIdUri": _TEXT, "value": _TEXT}, (), ("schemeIdUri", "value")
    ),
    "SegmentTemplate": _Grammar(  # DASH §5.3.9.4.3
        {
            "timescale": _UNSIGNED,
            "presentationTimeOffset": _UNSIGNED,
            "initialization": r"[^$]+",
            "media": r"[^$]*\$Number\$[^$]*",
            "startNumber": _UNSIGNED,
            "endNumber": _UNSIGNED,
            "duration": _UNSIGNED,
            "availabilityTimeOffset": _DECIMAL,
            "availabilityTimeComplete": _BOOLEAN,
        },
        ("SegmentTimeline",),
        ("timescale", "initialization", "media", "startNumber"),
    ),
    "SegmentTimeline": _Grammar({}, ("S",), ("S",)),  # DASH §5.3.9.6.3
    "S": _Grammar({"t": _UNSIGNED, "d": _UNSIGNED, "r": _UNSIGNED}, (), ("d",)),
    "UTCTiming": _Grammar(  # DASH §5.8.4.11
        {"schemeIdUri": _TEXT, "value": _TEXT}, (), ("schemeIdUri", "value")
    ),
}


@dataclass(frozen=True)
class MpdSegment:
    """A Media Segment as the MPD has it; ticks of its timescale on the media's own clock."""

    number: int
    start: int
    duration: int


@dataclass
class Track:
    """A Representation within a Period."""

    id: str
    kind: str
    codecs: str
    timescale: int
    offset: int
    initialization: str
    media: str
    segments: list[MpdSegment] = field(default_factory=list)

    def address(self, number: int) -> str:
        """Where a Media Segment is."""
        return self.media.replace("$Number$", str(number))

    @property
    def first_s(self) -> float:
        """Where the first segment starts, on the Period's clock."""
        return (self.segments[0].start - self.offset) / self.timescale

    @property
    def end_s(self) -> float:
        """Where the last segment ends, on the Period's clock."""
        last = self.segments[-1]
        return (last.start + last.duration - self.offset) / self.timescale


@dataclass
class Period:
    """A Period; `start_s` on the presentation's clock."""

    id: str
    start_s: float
    tracks: list[Track]


@dataclass
class Mpd:
    """A dynamic MPD, its instants in Unix seconds."""

    attributes: dict[str, str]
    periods: list[Period]
    timing: dict[str, str]
    location: str = ""

    def instant_s(self, name: str) -> float:
        """A date."""
        return datetime.fromisoformat(self.attributes[name]).timestamp()

    def length_s(self, name: str) -> float:
        """A duration."""
        return seconds(self.attributes[name])

    @property
    def listed(self) -> dict[tuple[str, str, int], MpdSegment]:
        """Every segment by Period, Representation and number."""
        return {
            (period.id, track.id, segment.number): segment
            for period in self.periods
            for track in period.tracks
            for segment in track.segments
        }


def seconds(duration: str) -> float:
    """An xs:duration of hours, minutes and seconds."""
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", duration)
    assert found, duration
    hours, minutes, rest = (float(group or 0) for group in found.groups())
    return hours * 3600 + minutes * 60 + rest


def read_mpd(text: str) -> Mpd:
    """The MPD; AssertionError where it breaks the schema."""
    root = ET.fromstring(text)
    check_grammar(root)
    timing = root.find(f"{NAMESPACE}UTCTiming")
    periods = [_period(one) for one in root.iter(f"{NAMESPACE}Period")]
    return Mpd(
        dict(root.attrib),
        periods,
        dict(timing.attrib) if timing is not None else {},
        root.findtext(f"{NAMESPACE}Location", ""),
    )


def check_grammar(element: ET.Element) -> None:
    """AssertionError where the element, or one in it, breaks the schema."""
    name = element.tag.removeprefix(NAMESPACE)
    assert element.tag.startswith(NAMESPACE), f"schema: {element.tag}"
    assert name in _GRAMMAR, f"schema: {element.tag}"
    grammar = _GRAMMAR[name]
    for attribute, value in element.attrib.items():
        pattern = grammar.attributes.get(attribute)
        assert pattern, f"schema: {name} has no @{attribute}"
        assert re.fullmatch(pattern, value), f"schema: {name}@{attribute}={value!r}"
    assert re.fullmatch(grammar.text, (element.text or "").strip()), f"schema: text in {name}"
    children = [child.tag.removeprefix(NAMESPACE) for child in element]
    order = [grammar.children.index(child) for child in children if child in grammar.children]
    assert len(order) == len(children), f"schema: {name} cannot hold {children}"
    assert order == sorted(order), f"schema: order of {children} in {name}"
    missing = set(grammar.must) - set(element.attrib) - set(children)
    assert not missing, f"schema: {name} lacks {missing}"
    for child in element:
        check_grammar(child)


def _period(element: ET.Element) -> Period:
    start = element.get("start")
    assert start, "DASH §5.3.2.2: a Period of a live MPD says when it starts"
    tracks = [_track(one) for one in element.iter(f"{NAMESPACE}AdaptationSet")]
    return Period(element.get("id", ""), seconds(start), tracks)


def _track(adaptation: ET.Element) -> Track:
    representation = adaptation.find(f"{NAMESPACE}Representation")
    template = adaptation.find(f".//{NAMESPACE}SegmentTemplate")
    assert representation is not None
    assert template is not None
    assert template.find(f"{NAMESPACE}SegmentTimeline") is not None, "schema: no SegmentTimeline"
    track = Track(
        id=representation.attrib["id"],
        kind=adaptation.attrib["contentType"],
        codecs=representation.attrib["codecs"],
        timescale=int(template.attrib["timescale"]),
        offset=int(template.get("presentationTimeOffset", "0")),
        initialization=template.attrib["initialization"],
        media=template.attrib["media"],
    )
    number, at = int(template.attrib["startNumber"]), 0
    for entry in template.iter(f"{NAMESPACE}S"):
        start = int(entry.get("t", str(at)))
        assert start >= at, "DASH §5.3.9.6: segments do not overlap"
        assert not track.segments or start == at, "DASH-IF timing: no gap between segments"
        at, length = start, int(entry.attrib["d"])
        assert length > 0, "DASH §5.3.9.6.2: a segment lasts"
        for _ in range(int(entry.get("r", "0")) + 1):
            track.segments.append(MpdSegment(number, at, length))
            number, at = number + 1, at + length
    return track


def check_mpd(mpd: Mpd, now_s: float) -> None:
    """Rules that one MPD must keep by itself, read at `now_s`."""
    attributes = mpd.attributes
    assert "isoff-live" in attributes["profiles"], "DASH §8.4: the live profile"
    assert attributes["type"] == "dynamic", "DASH §5.3.1.2: a live stream is dynamic"
    for name in ("availabilityStartTime", "publishTime", "minimumUpdatePeriod"):
        assert name in attributes, f"DASH §5.3.1.2: a dynamic MPD has @{name}"
    assert "mediaPresentationDuration" not in attributes, "DASH §5.3.1.2: the end is not known"
    assert mpd.instant_s("availabilityStartTime") <= now_s, "DASH §5.3.1.2"
    assert mpd.instant_s("publishTime") <= now_s + _FRAME_S, "DASH §5.3.1.2"
    longest_s = max(
        segment.duration / track.timescale
        for period in mpd.periods
        for track in period.tracks
        for segment in track.segments
    )
    assert mpd.length_s("maxSegmentDuration") >= longest_s - _ROUNDING_S, "DASH §5.3.1.2"
    assert 0 < mpd.length_s("minimumUpdatePeriod") <= longest_s, (
        "DASH-IF timing: an update before a client runs out of segments"
    )
    delay_s = mpd.length_s("suggestedPresentationDelay")
    assert delay_s >= longest_s, "DASH-IF timing: a whole segment can be there before it is played"
    assert delay_s + longest_s <= max(mpd.length_s("timeShiftBufferDepth"), 3 * longest_s), (
        "DASH-IF timing: the presentation delay lies inside the time shift buffer"
    )
    assert mpd.timing.get("value"), "DASH §5.8.4.11: clocks are synchronized"
    ids = [period.id for period in mpd.periods]
    assert all(ids), "DASH §5.3.2.2: Period@id"
    assert len(set(ids)) == len(ids), "DASH §5.3.2.2: Period@id is unique in the MPD"
    _check_periods(mpd, now_s, longest_s)


def _check_periods(mpd: Mpd, now_s: float, longest_s: float) -> None:
    epoch_s = mpd.instant_s("availabilityStartTime")
    before_s = 0.0
    for period in mpd.periods:
        assert period.tracks, "DASH-IF timing: a Period has something to play"
        kinds = [track.kind for track in period.tracks]
        assert len(set(kinds)) == len(kinds), "golive: one Representation of each kind"
        for track in period.tracks:
            assert track.first_s >= -_FRAME_S, "DASH §7.2.1: nothing before its Period"
            begins_s = period.start_s + track.first_s
            assert begins_s >= before_s - _FRAME_S, "DASH §5.3.2.1: Periods do not overlap"
            available_s = epoch_s + period.start_s + track.end_s
            assert available_s <= now_s + longest_s / 4, (
                "DASH §5.3.9.5.3: what is listed is available by the clock"
            )
        ends = [period.start_s + track.end_s for track in period.tracks]
        assert max(ends) - min(ends) < longest_s, "DASH-IF timing: tracks end together"
        before_s = min(ends)


def check_periods_stay(
    before: Any, after: Any, constant: Iterable[str], identity: Callable[[Any], object]
) -> None:
    """What no update may change (DASH §5.4): attributes, and of the Periods that are still told
    their order, their start and the `identity` of their tracks."""
    for name in constant:
        assert after.attributes[name] == before.attributes[name], f"DASH §5.4: @{name} stays"
    known = {period.id: period for period in before.periods}
    kept = [period.id for period in after.periods if period.id in known]
    assert kept == [p.id for p in before.periods][-len(kept) :], "DASH §5.4: only the oldest go"
    for period in after.periods:
        old = known.get(period.id)
        if old is None:
            continue
        assert period.start_s == old.start_s, "DASH §5.4: Period@start stays"
        assert [identity(t) for t in period.tracks] == [identity(t) for t in old.tracks], (
            "DASH §5.4: what is said of a Representation stays"
        )


def check_update(before: Mpd, after: Mpd) -> None:
    """What an update may not change (DASH §5.4)."""
    check_periods_stay(before, after, _CONSTANT, _identity)
    assert after.instant_s("publishTime") >= before.instant_s("publishTime"), "DASH §5.4"
    was, now = before.listed, after.listed
    assert all(now[key] == was[key] for key in now.keys() & was.keys()), (
        "DASH §5.4: a segment that was listed keeps number, start and duration"
    )
    for period_id, track_id in {key[:2] for key in was} & {key[:2] for key in now}:
        numbers = [k[2] for k in was if k[:2] == (period_id, track_id)]
        newer = [k[2] for k in now if k[:2] == (period_id, track_id)]
        assert min(newer) >= min(numbers), "DASH §5.4: what is gone does not come back"
        assert max(newer) >= max(numbers), "DASH §5.4: only the oldest go"


def _identity(track: Track) -> tuple[object, ...]:
    return (
        track.id, track.kind, track.codecs, track.timescale, track.offset,
        track.initialization, track.media,
    )  # fmt: skip


class MediaRules:
    """What the media of one Representation must keep of what its MPD says, segment by segment."""

    def __init__(self) -> None:
        self._shifts: dict[str, int] = {}

    def check(self, period: Period, track: Track, segment: MpdSegment, media: bytes) -> None:
        """The bytes of a Media Segment against its entry in the SegmentTimeline.

        A hole of more than 1/50 s lies between two chunks; else decode times go on.
        """
        chunks = read_chunks(media)
        at = chunks[0].decode_time
        shift = self._shifts.setdefault(f"{period.id}/{track.id}", segment.start - at)
        assert segment.start == at + shift, "DASH §5.3.9.6.2: @t is when the segment starts"
        missing = 0
        for chunk in chunks:
            hole = chunk.decode_time - at
            assert not hole or hole * _HOLE_PARTS > track.timescale, (
                "ISO/IEC 14496-12 §8.8.12: a chunk starts where the one before it ended"
            )
            missing += hole
            at = chunk.decode_time + chunk.duration
        lasts = sum(chunk.duration for chunk in chunks) + missing
        rest = segment.duration - lasts
        assert not rest or rest * _HOLE_PARTS > track.timescale, (
            f"DASH §5.3.9.6.2: @d {segment.duration} of {period.id}/{track.id} {segment.number} "
            f"is how long the media last, {lasts}"
        )
