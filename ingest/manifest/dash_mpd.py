"""MPEG-DASH manifests (ISO/IEC 23009-1), to the DASH-IF live guidelines: SegmentTimeline with
$Number$, one Period per stretch without a break, the same files as HLS."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple
from xml.etree import ElementTree as ET

from ingest.cues import Cue, Span
from ingest.journal_entries import segment_name
from ingest.manifest.dash_events import PeriodPlace, add_events
from ingest.manifest.hls_tags import date_time
from ingest.media import MediaKind
from ingest.presentation import InitSection, Presentation, Rendition, Segment

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_CHANNELS_SCHEME = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
_DIRECT_TIME = "urn:mpeg:dash:utc:http-iso:2014"
_DELAY_TARGETS = 2
_LEAD_S = 0.25
"""Sound begins before pictures that are reordered; a Period that began with it had a hole there."""

_CICP_BY_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 12}


@dataclass(frozen=True, slots=True)
class _Track:
    """What one rendition has within one Period."""

    rendition: Rendition
    segments: tuple[Segment, ...]

    @property
    def init(self) -> InitSection:
        return self.rendition.init_of(self.segments[0])


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A DASH Period: a stretch of time in which the same renditions go on without a gap.

    `offset_s` is the media time at its start, which is at `start_s` on the presentation's clock.
    """

    id: str
    offset_s: float
    start_s: float
    tracks: tuple[_Track, ...]

    @property
    def first_s(self) -> float:
        """Media time of the first moment for which all tracks have media; of the first sample
        listed, when one of them begins much later than the others."""
        starts_s = [track.segments[0].start_s for track in self.tracks]
        first_s, all_s = min(starts_s), max(starts_s)
        return all_s if all_s - first_s <= _LEAD_S else first_s

    @property
    def end_s(self) -> float:
        """Media time behind the last sample listed."""
        return max(t.segments[-1].start_s + t.segments[-1].duration_s for t in self.tracks)


def live_mpd(
    presentation: Presentation,
    *,
    now_wall_s: float,
    time_url: str,
    location: str = "",
    cues: Sequence[Cue] = (),
    spans: Sequence[Span] = (),
) -> str:
    """A dynamic MPD of the finished segments; `time_url` answers the time for UTCTiming, and
    updates are asked for at `location` (ISO/IEC 23009-1, 5.3.1), relative to this MPD.

    The availability start is the wall time of the first Period's media time 0, for good. `cues`
    are told where `spans`, all that there ever were media in, says that they lie.
    """
    target = max((r.target_duration_s for r in presentation.renditions), default=1)
    depth = max((r.duration_s for r in presentation.renditions), default=0.0)
    mpd = _root(
        "dynamic",
        availabilityStartTime=date_time(presentation.started_wall_s),
        publishTime=date_time(now_wall_s),
        minimumUpdatePeriod=_duration(max(1.0, target / 2)),
        timeShiftBufferDepth=_duration(depth),
        suggestedPresentationDelay=_duration(float(_DELAY_TARGETS * target)),
        maxSegmentDuration=_duration(target + 0.5),
        minBufferTime=_duration(float(target)),
    )
    if location:
        ET.SubElement(mpd, "Location").text = location
    stretches = _stretches(presentation)
    periods = [_period(mpd, one, one.start_s, one.offset_s) for one in stretches]
    places = [
        _place(presentation, one, period, one.offset_s)
        for one, period in zip(stretches, periods, strict=True)
    ]
    add_events(places, cues, spans, ended=presentation.ended)
    ET.SubElement(mpd, "UTCTiming", schemeIdUri=_DIRECT_TIME, value=time_url)
    return _text(mpd)


def vod_mpd(presentation: Presentation, base: str = "", cues: Sequence[Cue] = ()) -> str:
    """A static MPD of a finished recording; media are named `{base}{rendition}/…`."""
    stretches = _stretches(presentation)
    target = max((r.target_duration_s for r in presentation.renditions), default=1)
    mpd = _root(
        "static",
        mediaPresentationDuration=_duration(sum(s.end_s - s.first_s for s in stretches)),
        maxSegmentDuration=_duration(target + 0.5),
        minBufferTime=_duration(float(target)),
    )
    start = 0.0
    places = []
    for stretch in stretches:
        length = stretch.end_s - stretch.first_s
        period = _period(mpd, stretch, start, stretch.first_s, base)
        period.set("duration", _duration(length))
        start += length
        places.append(_place(presentation, stretch, period, stretch.first_s))
    add_events(places, cues, [place.span for place in places], ended=True)
    return _text(mpd)


def _stretches(presentation: Presentation) -> list[_Stretch]:
    """The presentation in Periods: a new one wherever a rendition begins, ends or has a gap.

    Renditions count the same Media Sequence Numbers, so a number that one of them has not come
    to yet is left for the next MPD.
    """
    runs = {rendition.name: _runs(rendition) for rendition in presentation.renditions}
    if not runs or not all(runs.values()):
        return []
    stop = min(own[-1].stop for own in runs.values())
    edges = {edge for own in runs.values() for run in own for edge in (run.first, run.stop)}
    stretches = []
    for first, end in pairwise(sorted(edge for edge in edges if edge <= stop)):
        found = {name: _run_at(own, first) for name, own in runs.items()}
        here = {name: run for name, run in found.items() if run is not None}
        tracks = tuple(
            _Track(rendition, here[rendition.name].cut(first, end))
            for rendition in presentation.renditions
            if rendition.name in here and not here[rendition.name].gap
        )
        if tracks:  # otherwise nobody has media here
            of_all = [run.cut(first, first + 1)[0] for run in here.values()]
            stretches.append(_stretch(presentation, tracks, of_all))
    return stretches


class _Run(NamedTuple):
    """Finished segments of one rendition between which nothing breaks."""

    segments: list[Segment]

    @property
    def first(self) -> int:
        return self.segments[0].msn

    @property
    def stop(self) -> int:
        return self.segments[-1].msn + 1

    @property
    def gap(self) -> bool:
        return self.segments[0].gap

    def cut(self, first: int, stop: int) -> tuple[Segment, ...]:
        return tuple(self.segments[first - self.first : stop - self.first])


def _runs(rendition: Rendition) -> list[_Run]:
    finished = (segment for segment in rendition.segments if segment.finished)
    by_break = groupby(finished, attrgetter("period", "since_msn", "gap"))
    return [_Run([*same]) for _, same in by_break]


def _run_at(runs: list[_Run], msn: int) -> _Run | None:
    at = bisect_right(runs, msn, key=attrgetter("first")) - 1
    return runs[at] if at >= 0 and msn < runs[at].stop else None


def _place(
    presentation: Presentation, stretch: _Stretch, period: ET.Element, offset_s: float
) -> PeriodPlace:
    """Where a Period that begins at media time `offset_s` lies."""
    base_s = presentation.started_wall_s + stretch.start_s - stretch.offset_s
    init = next(
        (t.init for t in stretch.tracks if t.rendition.kind is MediaKind.VIDEO),
        stretch.tracks[0].init,
    )
    span = Span(stretch.id, base_s + offset_s, base_s + stretch.end_s, init.width, init.height)
    return PeriodPlace(period, span, offset_s, base_s + stretch.first_s)


def _stretch(
    presentation: Presentation, tracks: tuple[_Track, ...], of_all: list[Segment]
) -> _Stretch:
    """`of_all`: the first segments of all renditions, those in a gap included."""
    first = tracks[0].segments[0]
    period_start_s = first.wall_s - first.start_s - presentation.started_wall_s
    newest = max(of_all, key=lambda segment: segment.since_msn)
    names = "".join(track.rendition.name[0] for track in tracks)
    suffix = f".{newest.since_msn}{names}" if newest.since_msn else ""
    return _Stretch(
        id=f"p{first.period}{suffix}",
        offset_s=newest.since_s,
        start_s=period_start_s + newest.since_s,
        tracks=tracks,
    )


def _root(kind: str, **attributes: str) -> ET.Element:
    return ET.Element(
        "MPD", {"xmlns": _NAMESPACE, "profiles": _LIVE_PROFILE, "type": kind} | attributes
    )


def _period(
    mpd: ET.Element, stretch: _Stretch, start_s: float, offset_s: float, base: str = ""
) -> ET.Element:
    """A Period at `start_s`, where the media's own clock is at `offset_s`."""
    period = ET.SubElement(mpd, "Period", id=stretch.id, start=_duration(start_s))
    for position, tracks in enumerate(_switching_sets(stretch.tracks)):
        _adaptation_set(period, position, tracks, base, offset_s)
    return period


def _switching_sets(tracks: tuple[_Track, ...]) -> list[list[_Track]]:
    """Video that players may switch between, together; each rendition of sound by itself."""
    videos = [track for track in tracks if track.rendition.kind is MediaKind.VIDEO]
    others = [[track] for track in tracks if track.rendition.kind is not MediaKind.VIDEO]
    return [videos, *others] if videos else others


def _adaptation_set(
    period: ET.Element, position: int, parts: list[_Track], base: str, offset_s: float
) -> None:
    kind = parts[0].rendition.kind
    adaptation = ET.SubElement(
        period,
        "AdaptationSet",
        id=str(position),
        contentType=kind.value,
        mimeType="video/mp4" if kind is MediaKind.VIDEO else "audio/mp4",
        segmentAlignment="true",
    )
    if all(segment.independent for part in parts for segment in part.segments):
        adaptation.set("startWithSAP", "1")
    for part in parts:
        _representation(adaptation, part, base, offset_s)


def _representation(adaptation: ET.Element, part: _Track, base: str, offset_s: float) -> None:
    rendition, init = part.rendition, part.init
    representation = ET.SubElement(
        adaptation,
        "Representation",
        id=rendition.name,
        bandwidth=str(max(1, rendition.peak_bandwidth)),
        codecs=init.codecs,
    )
    if rendition.kind is MediaKind.VIDEO:
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


def _segment_template(representation: ET.Element, part: _Track, base: str, offset_s: float) -> None:
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
    expected = -1
    for (start, duration), count in _even(segments):
        entry = ET.SubElement(timeline, "S")
        if start != expected:
            entry.set("t", str(start))
        entry.set("d", str(duration))
        if count > 1:
            entry.set("r", str(count - 1))
        expected = start + count * duration


def _even(segments: Sequence[Segment]) -> Iterator[tuple[tuple[int, int], int]]:
    """Where segments of equal length begin that follow each other, that length, and their number;
    in ticks."""
    start = duration = count = 0
    for segment in segments:
        if count and (segment.start_ticks, segment.duration_ticks) == (
            start + count * duration,
            duration,
        ):
            count += 1
            continue
        if count:
            yield (start, duration), count
        start, duration, count = segment.start_ticks, segment.duration_ticks, 1
    if count:
        yield (start, duration), count


def _duration(seconds: float) -> str:
    return f"PT{max(0.0, seconds):.3f}S"


def _text(mpd: ET.Element) -> str:
    ET.indent(mpd)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(mpd, encoding="unicode") + "\n"
