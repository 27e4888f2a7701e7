"""MPEG-DASH manifests (ISO/IEC 23009-1), to the DASH-IF live guidelines: SegmentTimeline with
$Number$, one Period per stretch without a break, the same files as HLS."""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from ingest.cues import Cue, Span
from ingest.manifest.dash_elements import (
    NUMBERED_SEGMENT,
    add_clock,
    add_period,
    duration_text,
    root_of,
    text_of,
)
from ingest.manifest.dash_events import PeriodPlace, add_events, begun_at
from ingest.manifest.dash_stretches import Stretch, Track, stretches_of
from ingest.manifest.hls_tags import date_time
from ingest.media import MediaKind
from ingest.presentation import Presentation, Segment

_DELAY_TARGETS = 2


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

    The availability start is the wall time at which the media begin, for good: players that begin
    anywhere but at 0 seek there, and Shaka waits for ever when that is a few hundredths of a second
    away. `cues` are told where `spans`, all that there ever were media in, says that they lie.
    """
    target = max((r.target_duration_s for r in presentation.renditions), default=1)
    depth = max((r.duration_s for r in presentation.renditions), default=0.0)
    mpd = root_of(
        "dynamic",
        availabilityStartTime=date_time(presentation.begins_wall_s),
        publishTime=date_time(now_wall_s),
        minimumUpdatePeriod=duration_text(max(1.0, target / 2)),
        timeShiftBufferDepth=duration_text(depth),
        suggestedPresentationDelay=duration_text(float(_DELAY_TARGETS * target)),
        maxSegmentDuration=duration_text(target + 0.5),
        minBufferTime=duration_text(float(target)),
    )
    if location:
        ET.SubElement(mpd, "Location").text = location
    stretches = stretches_of(presentation)
    periods = [_period(mpd, one, one.start_s, one.offset_s) for one in stretches]
    places = [
        _place(presentation, one, period, one.offset_s)
        for one, period in zip(stretches, periods, strict=True)
    ]
    begun = begun_at(presentation.begins_wall_s, spans)
    add_events(places, cues, begun, ended=presentation.ended)
    add_clock(mpd, time_url)
    return text_of(mpd)


def vod_mpd(presentation: Presentation, base: str = "", cues: Sequence[Cue] = ()) -> str:
    """A static MPD of a finished recording; media are named `{base}{rendition}/…`."""
    stretches = stretches_of(presentation)
    target = max((r.target_duration_s for r in presentation.renditions), default=1)
    mpd = root_of(
        "static",
        mediaPresentationDuration=duration_text(sum(s.end_s - s.first_s for s in stretches)),
        maxSegmentDuration=duration_text(target + 0.5),
        minBufferTime=duration_text(float(target)),
    )
    start = 0.0
    places = []
    for stretch in stretches:
        length = stretch.end_s - stretch.first_s
        period = _period(mpd, stretch, start, stretch.first_s, base)
        period.set("duration", duration_text(length))
        start += length
        places.append(_place(presentation, stretch, period, stretch.first_s))
    add_events(places, cues, [place.span for place in places], ended=True)
    return text_of(mpd)


def _place(
    presentation: Presentation, stretch: Stretch, period: ET.Element, offset_s: float
) -> PeriodPlace:
    """Where a Period that begins at media time `offset_s` lies."""
    starts_s = presentation.begins_wall_s + stretch.start_s
    init = next(
        (t.init for t in stretch.tracks if t.rendition.kind is MediaKind.VIDEO),
        stretch.tracks[0].init,
    )

    def wall_s(media_s: float) -> float:
        return starts_s + (media_s - stretch.offset_s)

    span = Span(stretch.id, wall_s(offset_s), wall_s(stretch.end_s), init.width, init.height)
    return PeriodPlace(period, span, offset_s, wall_s(stretch.first_s))


def _period(
    mpd: ET.Element, stretch: Stretch, start_s: float, offset_s: float, base: str = ""
) -> ET.Element:
    """A Period at `start_s`, where the media's own clock is at `offset_s`."""

    def add_template(representation: ET.Element, track: Track) -> None:
        _segment_template(representation, track, base, offset_s)

    return add_period(mpd, stretch.id, duration_text(start_s), stretch.tracks, add_template)


def _segment_template(representation: ET.Element, track: Track, base: str, offset_s: float) -> None:
    init, segments = track.init, track.segments
    folder = f"{base}{track.rendition.name}/"
    template = ET.SubElement(
        representation,
        "SegmentTemplate",
        timescale=str(init.timescale),
        presentationTimeOffset=str(round(offset_s * init.timescale)),
        initialization=f"{folder}init-{init.init}.mp4",
        media=folder + NUMBERED_SEGMENT,
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
