"""MPEG-DASH manifests (ISO/IEC 23009-1), to the DASH-IF live guidelines: SegmentTimeline with
$Number$, one Period per stretch without a break, the same files as HLS."""

from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET

from ingest.journal_entries import segment_name
from ingest.manifest.hls_playlist import date_time
from ingest.media import MediaKind
from ingest.presentation import InitSection, Presentation, Rendition, Segment

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_CHANNELS_SCHEME = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
_DIRECT_TIME = "urn:mpeg:dash:utc:http-iso:2014"
_DELAY_TARGETS = 2
_CICP_BY_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 12}


@dataclass(frozen=True, slots=True)
class _PeriodPart:
    """What one rendition has within one Period."""

    rendition: Rendition
    segments: tuple[Segment, ...]

    @property
    def init(self) -> InitSection:
        return self.rendition.init_of(self.segments[0])


def live_mpd(presentation: Presentation, *, now_wall_s: float, time_url: str) -> str:
    """A dynamic MPD of the finished segments; `time_url` answers the time for UTCTiming.

    The availability start is the wall time of the oldest listed Period's media time 0.
    """
    periods = _periods(presentation)
    first = periods[min(periods)] if periods else []
    target = max((r.target_duration_s for r in presentation.renditions), default=1)
    origin = _origin(first) if first else now_wall_s
    depth = max((r.duration_s for r in presentation.renditions), default=0.0)
    mpd = _root(
        "dynamic",
        availabilityStartTime=date_time(origin),
        publishTime=date_time(now_wall_s),
        minimumUpdatePeriod=_duration(max(1.0, target / 2)),
        timeShiftBufferDepth=_duration(depth),
        suggestedPresentationDelay=_duration(float(_DELAY_TARGETS * target)),
        maxSegmentDuration=_duration(target + 0.5),
        minBufferTime=_duration(float(target)),
    )
    for number in sorted(periods):
        parts = periods[number]
        _period(mpd, number, _origin(parts) - origin, parts)
    ET.SubElement(mpd, "UTCTiming", schemeIdUri=_DIRECT_TIME, value=time_url)
    return _text(mpd)


def vod_mpd(presentation: Presentation, base: str = "") -> str:
    """A static MPD of a finished recording; media are named `{base}{rendition}/…`."""
    periods = _periods(presentation)
    lengths = {number: _length(parts) for number, parts in periods.items()}
    target = max((r.target_duration_s for r in presentation.renditions), default=1)
    mpd = _root(
        "static",
        mediaPresentationDuration=_duration(sum(lengths.values())),
        maxSegmentDuration=_duration(target + 0.5),
        minBufferTime=_duration(float(target)),
    )
    start = 0.0
    for number in sorted(periods):
        _period(mpd, number, start, periods[number], base=base, length=lengths[number], rebase=True)
        start += lengths[number]
    return _text(mpd)


def _periods(presentation: Presentation) -> dict[int, list[_PeriodPart]]:
    found: dict[int, list[_PeriodPart]] = {}
    for rendition in presentation.renditions:
        listed = [s for s in rendition.segments if s.finished and not s.gap]
        for number, group in groupby(listed, key=lambda segment: segment.period):
            found.setdefault(number, []).append(_PeriodPart(rendition, tuple(group)))
    return found


def _origin(parts: list[_PeriodPart]) -> float:
    """Wall time of the Period's media time 0."""
    segment = parts[0].segments[0]
    return segment.wall_s - segment.start_s


def _length(parts: list[_PeriodPart]) -> float:
    start = min(part.segments[0].start_s for part in parts)
    return max(p.segments[-1].start_s + p.segments[-1].duration_s for p in parts) - start


def _root(kind: str, **attributes: str) -> ET.Element:
    return ET.Element(
        "MPD", {"xmlns": _NAMESPACE, "profiles": _LIVE_PROFILE, "type": kind} | attributes
    )


def _period(
    mpd: ET.Element,
    number: int,
    start_s: float,
    parts: list[_PeriodPart],
    *,
    base: str = "",
    length: float | None = None,
    rebase: bool = False,
) -> None:
    """A Period whose media time 0 is at `start_s`; `rebase` moves its first sample there."""
    period = ET.SubElement(mpd, "Period", id=f"p{number}", start=_duration(start_s))
    if length is not None:
        period.set("duration", _duration(length))
    offset_s = min(part.segments[0].start_s for part in parts) if rebase else 0.0
    for position, part in enumerate(parts):
        _adaptation_set(period, position, part, base, offset_s)


def _adaptation_set(
    period: ET.Element, position: int, part: _PeriodPart, base: str, offset_s: float
) -> None:
    rendition, init = part.rendition, part.init
    video = rendition.kind is MediaKind.VIDEO
    adaptation = ET.SubElement(
        period,
        "AdaptationSet",
        id=str(position),
        contentType=rendition.kind.value,
        mimeType="video/mp4" if video else "audio/mp4",
        segmentAlignment="true",
    )
    if all(segment.independent for segment in part.segments):
        adaptation.set("startWithSAP", "1")
    representation = ET.SubElement(
        adaptation,
        "Representation",
        id=rendition.name,
        bandwidth=str(max(1, rendition.peak_bandwidth)),
        codecs=init.codecs,
    )
    if video:
        representation.set("width", str(init.width))
        representation.set("height", str(init.height))
    else:
        representation.set("audioSamplingRate", str(init.sample_rate))
        ET.SubElement(
            representation,
            "AudioChannelConfiguration",
            schemeIdUri=_CHANNELS_SCHEME,
            value=str(_CICP_BY_CHANNELS.get(init.channels, 2)),
        )
    _segment_template(representation, part, base, offset_s)


def _segment_template(
    representation: ET.Element, part: _PeriodPart, base: str, offset_s: float
) -> None:
    init, segments = part.init, part.segments
    folder = f"{base}{part.rendition.name}/"
    template = ET.SubElement(
        representation,
        "SegmentTemplate",
        timescale=str(init.timescale),
        presentationTimeOffset=str(round(offset_s * init.timescale)),
        initialization=f"{folder}init-{init.init}.mp4",
        media=folder + segment_name(0).replace("0", "$Number$"),
        startNumber=str(segments[0].msn),
    )
    timeline = ET.SubElement(template, "SegmentTimeline")
    entry: ET.Element | None = None
    expected = -1
    for segment in segments:
        if (
            entry is not None
            and segment.start_ticks == expected
            and entry.get("d") == str(segment.duration_ticks)
        ):
            entry.set("r", str(int(entry.get("r", "0")) + 1))
        else:
            entry = ET.SubElement(timeline, "S")
            if segment.start_ticks != expected:
                entry.set("t", str(segment.start_ticks))
            entry.set("d", str(segment.duration_ticks))
        expected = segment.start_ticks + segment.duration_ticks


def _duration(seconds: float) -> str:
    return f"PT{max(0.0, seconds):.3f}S"


def _text(mpd: ET.Element) -> str:
    ET.indent(mpd)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(mpd, encoding="unicode") + "\n"
