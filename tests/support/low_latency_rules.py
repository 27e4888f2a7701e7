"""The rules of a low-latency MPD: what is said in numbers, when it is promised, and what may change.

A reader of its own, as in `mpd_rules`. "DASH" is ISO/IEC 23009-1, "DVB" ETSI TS 103 285, "DASH-IF"
the guidelines' part about low-latency live services.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from xml.etree import ElementTree as ET

from tests.support.mpd_rules import NAMESPACE, check_grammar, check_periods_stay, seconds

_ROUNDING_S = 0.002
_CONSTANT = ("availabilityStartTime", "profiles", "type", "minBufferTime", "maxSegmentDuration")


@dataclass(frozen=True)
class NumberedTrack:
    """A Representation of a Period; ticks of its timescale."""

    id: str
    kind: str
    codecs: str
    timescale: int
    offset: int
    first: int
    duration: int
    initialization: str
    media: str
    ahead_s: float
    last: int | None

    def address(self, number: int) -> str:
        """Where a Media Segment is."""
        return self.media.replace("$Number$", str(number))

    def starts_s(self, number: int) -> float:
        """When a segment starts on the Period's clock, by its number (DASH §5.3.9.5.3)."""
        return (number - self.first) * self.duration / self.timescale


@dataclass(frozen=True)
class NumberedPeriod:
    """A Period; `start_s` on the presentation's clock."""

    id: str
    start_s: float
    duration_s: float | None
    tracks: tuple[NumberedTrack, ...]

    @property
    def video(self) -> NumberedTrack:
        """The first one, which is the video where there is any."""
        return self.tracks[0]


@dataclass(frozen=True)
class LowLatencyMpd:
    """Instants in Unix seconds."""

    attributes: dict[str, str]
    periods: tuple[NumberedPeriod, ...]
    target_s: float
    location: str

    @property
    def started_s(self) -> float:
        """@availabilityStartTime."""
        return datetime.fromisoformat(self.attributes["availabilityStartTime"]).timestamp()

    def promised_s(self, period: NumberedPeriod, track: NumberedTrack, number: int) -> float:
        """From when on a segment may be asked for: its availability start, adjusted by
        @availabilityTimeOffset (DASH §5.3.9.5.3, §A.3.4)."""
        whole_s = track.starts_s(number + 1)
        return self.started_s + period.start_s + whole_s - track.ahead_s


def read_low_latency_mpd(text: str) -> LowLatencyMpd:
    """The MPD; AssertionError where it breaks the schema."""
    root = ET.fromstring(text)
    check_grammar(root)
    latency = root.find(f"{NAMESPACE}ServiceDescription/{NAMESPACE}Latency")
    assert latency is not None, "DASH-IF: the service says which latency it is made for"
    assert root.find(f"{NAMESPACE}UTCTiming") is not None, "DVB §10.20.3: clocks are synchronized"
    return LowLatencyMpd(
        dict(root.attrib),
        tuple(_period(one) for one in root.iter(f"{NAMESPACE}Period")),
        int(latency.attrib["target"]) / 1000,
        root.findtext(f"{NAMESPACE}Location", ""),
    )


def _period(element: ET.Element) -> NumberedPeriod:
    duration = element.get("duration")
    return NumberedPeriod(
        element.attrib["id"],
        seconds(element.attrib["start"]),
        seconds(duration) if duration else None,
        tuple(_track(one) for one in element.iter(f"{NAMESPACE}AdaptationSet")),
    )


def _track(adaptation: ET.Element) -> NumberedTrack:
    representation = adaptation.find(f"{NAMESPACE}Representation")
    template = adaptation.find(f".//{NAMESPACE}SegmentTemplate")
    assert representation is not None
    assert template is not None
    assert template.find(f"{NAMESPACE}SegmentTimeline") is None, "DASH §5.3.9.2: one or the other"
    assert template.get("availabilityTimeComplete") == "false", "DVB §10.20.2: sent in chunks"
    last = template.get("endNumber")
    return NumberedTrack(
        id=representation.attrib["id"],
        kind=adaptation.attrib["contentType"],
        codecs=representation.attrib["codecs"],
        timescale=int(template.attrib["timescale"]),
        offset=int(template.attrib["presentationTimeOffset"]),
        first=int(template.attrib["startNumber"]),
        duration=int(template.attrib["duration"]),
        initialization=template.attrib["initialization"],
        media=template.attrib["media"],
        ahead_s=float(template.attrib["availabilityTimeOffset"]),
        last=int(last) if last is not None else None,
    )


def check_low_latency_mpd(mpd: LowLatencyMpd, now_s: float) -> None:
    """Rules that one MPD must keep by itself, read at `now_s` while its stream is live."""
    attributes = mpd.attributes
    assert "isoff-live" in attributes["profiles"], "DASH §8.4: the live profile"
    assert attributes["type"] == "dynamic", "DVB §10.20.2"
    assert mpd.started_s <= now_s, "DASH §5.3.1.2"
    assert 0 < seconds(attributes["minimumUpdatePeriod"]) <= 1, "a break is heard of in time"
    delay_s = seconds(attributes["suggestedPresentationDelay"])
    assert abs(delay_s - mpd.target_s) < _ROUNDING_S, "DASH-IF: both say the same"
    assert delay_s < seconds(attributes["timeShiftBufferDepth"]), "DASH-IF timing"
    assert mpd.periods, "DASH §5.3.1.2"
    ids = [period.id for period in mpd.periods]
    assert len(set(ids)) == len(ids), "DASH §5.3.2.2: Period@id is unique in the MPD"
    for period in mpd.periods:
        _check_period(mpd, period)
    for one, following in pairwise(mpd.periods):
        _check_seam(one, following)
    newest = mpd.periods[-1]
    assert newest.duration_s is None, "DASH §5.3.2.2: the last Period is open"
    assert all(track.last is None for track in newest.tracks)


def _check_period(mpd: LowLatencyMpd, period: NumberedPeriod) -> None:
    assert period.tracks, "DASH-IF timing: a Period has something to play"
    kinds = [track.kind for track in period.tracks]
    assert len(set(kinds)) == len(kinds), "golive: one Representation of each kind"
    assert len({track.first for track in period.tracks}) == 1, "golive: tracks count alike"
    for track in period.tracks:
        lasts_s = track.duration / track.timescale
        assert 0 <= track.ahead_s < lasts_s, "DASH-IF: the offset is shorter than a segment"
        assert lasts_s <= seconds(mpd.attributes["maxSegmentDuration"]), "DASH §5.3.1.2"
        other_s = period.video.duration / period.video.timescale
        assert abs(lasts_s - other_s) * track.timescale <= 1, "tracks are numbered alike"
        apart_s = track.offset / track.timescale - period.video.offset / period.video.timescale
        assert abs(apart_s) * track.timescale <= 1, "tracks start on one clock"


def _check_seam(one: NumberedPeriod, following: NumberedPeriod) -> None:
    assert one.start_s < following.start_s, "DASH §5.3.2.1: in order"
    if one.duration_s is not None:
        assert one.start_s + one.duration_s <= following.start_s + _ROUNDING_S, (
            "DASH §5.3.2.1: Periods do not overlap"
        )
    last = {track.last for track in one.tracks}
    assert last == {following.video.first - 1}, "DASH §5.3.9.2: the end of a Period is told"


def check_low_latency_update(before: LowLatencyMpd, after: LowLatencyMpd) -> None:
    """What an update may not change (DASH §5.4): all but the end of what was the last Period, and
    when segments that are yet to come may be asked for."""
    check_periods_stay(before, after, _CONSTANT, _identity)
    known = {period.id for period in before.periods}
    assert any(one.id in known for one in after.periods), "DASH §5.4: a player finds its place"


def _identity(track: NumberedTrack) -> tuple[object, ...]:
    return (
        track.id, track.kind, track.codecs, track.timescale, track.offset, track.first,
        track.duration, track.initialization, track.media,
    )  # fmt: skip
